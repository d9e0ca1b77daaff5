#include "proxy/way_taken.h"

#include "base/rare.h"
#include "budget/credential.h"

static void take(struct fetch_order *o, struct way *w)
{
    struct way *old = o->way;
    o->way = w;
    if (w)
        way_hold(w);
    if (old)
        way_release(old);
}

/* Where all are held it waits for the first to be free; else it moves when a hold begins. After a
 * reload that removed its way, those that it has tried are not known any more: their places are
 * others. */
bool way_taken_choose(struct way_taken *t, struct fetch_order *o, struct gate_waiter *g)
{
    uint64_t credential = o->credential > CREDENTIAL_NONE ? o->credential : 0;
    if (o->way && o->way->leaving)
        t->tried = 0;
    const struct ways_wish wish = {g, credential, t->tried};
    struct ways *ways = pool_ways(o->pool);
    struct way *w = ways_choose(ways, &wish, &t->bit);
    if (w == NULL)
        return false;
    take(o, w);
    o->timing->exit = w->name;
    g->moves = ways->count > 1 && credential == 0 && !gate_holds(w->gate, g);
    return true;
}

bool way_taken_next(struct way_taken *t, struct fetch_order *o, struct gate_waiter *g)
{
    t->tried |= t->bit;
    if (!way_taken_choose(t, o, g))
        return false;
    rare_note(RARE_REQUEST_NEXT_EXIT);
    return true;
}

bool way_taken_is_shut(const struct fetch_order *o, const struct gate_waiter *g)
{
    return o->way->leaving || gate_holds(o->way->gate, g);
}

void way_taken_leave(struct fetch_order *o)
{
    take(o, NULL);
}
