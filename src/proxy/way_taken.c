#include "proxy/way_taken.h"

#include "base/log.h"
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

static struct ways *ways_of(const struct fetch_order *o)
{
    return pool_ways(o->pool);
}

/* To the endpoint that it was sent to, if there are several, or were before a reload. */
static bool is_bound(const struct way_taken *t, const struct fetch_order *o)
{
    return t->delivery->left && o->way &&
           (ways_of(o)->hosts > 1 || (o->way->leaving && o->way->own));
}

/* After a reload the bits of ways are others. */
static void look_again(struct way_taken *t, const struct ways *ways)
{
    if (t->changes != ways->changes)
        t->bit = t->tried = 0;
    t->changes = ways->changes;
}

/* -------------------------------------------------------------------------- its exit */

/* Where all are held it waits for the first to be free; else it moves when a hold begins. */
bool way_taken_choose(struct way_taken *t, struct fetch_order *o, struct gate_waiter *g)
{
    uint64_t credential = o->credential > CREDENTIAL_NONE ? o->credential : 0;
    struct ways *ways = ways_of(o);
    look_again(t, ways);
    if (is_bound(t, o)) {
        g->moves = false;
        return true;
    }
    const struct ways_wish wish = {.kind = g, .credential = credential, .tried = t->tried};
    struct way *w = ways_choose(ways, &wish, &t->bit);
    if (w == NULL)
        return false;
    take(o, w);
    o->timing->exit = w->outlet->name;
    o->timing->endpoint = o->timing->next_hop = NULL;
    g->moves = ways->count > ways->hosts && credential == 0 && !gate_holds(w->gate, g);
    return true;
}

/* ---------------------------------------------------------------------- its endpoint */

static bool is_timed(const struct fetch_order *o)
{
    struct span method = o->request.method;
    return !o->is_order && !o->is_private &&
           (span_is(method, SPAN("GET")) || span_is(method, SPAN("HEAD")));
}

/* False: there is none that is not in `tried`. */
static bool settle(struct way_taken *t, struct fetch_order *o, uint64_t tried)
{
    struct ways *ways = ways_of(o);
    const struct ways_wish wish = {
        .tried = tried, .is_timed = is_timed(o), .is_new = tried == 0 && !o->request.upgrades};
    uint64_t bit;
    struct way *w = ways_settle(ways, o->way, &wish, &bit);
    if (w == NULL)
        return false;
    if (w != o->way)
        take(o, w);
    t->bit = bit;
    o->is_timed = wish.is_timed && !o->request.upgrades;
    o->timing->endpoint = w->host->authority;
    o->timing->next_hop = w->host->next_hop;
    return true;
}

/* Where it has tried all, it stays with the last one. */
void way_taken_settle(struct way_taken *t, struct fetch_order *o)
{
    if (ways_of(o)->hosts == 1 && !o->way->leaving)
        return;
    look_again(t, ways_of(o));
    if (!is_bound(t, o))
        (void)settle(t, o, t->tried);
}

static void log_move(const struct fetch_order *o, const struct way *from)
{
    LOG(DEBUG, pool_origin(o->pool)->name, "no connection to %s: goes on to %s id=%s",
        from->host->authority, o->way->host->authority, request_id_text(&o->id));
}

static bool move(struct way_taken *t, struct fetch_order *o, uint64_t tried)
{
    struct way *from = o->way;
    way_hold(from);
    bool moves = !is_bound(t, o) && settle(t, o, tried) && o->way != from;
    if (moves) {
        rare_note(RARE_REQUEST_NEXT_ENDPOINT);
        log_move(o, from);
    }
    way_release(from);
    return moves;
}

enum way_next way_taken_next(struct way_taken *t, struct fetch_order *o, struct gate_waiter *g)
{
    struct ways *ways = ways_of(o);
    look_again(t, ways);
    t->tried |= t->bit;
    if (ways->hosts > 1 && move(t, o, t->tried))
        return WAY_ENDPOINT;
    if (is_bound(t, o) || ways->count == ways->hosts || !way_taken_choose(t, o, g))
        return WAY_NONE;
    rare_note(RARE_REQUEST_NEXT_EXIT);
    return WAY_EXIT;
}

/* --------------------------------------------------------------------- its patience */

void way_taken_waits(struct way_taken *t, const struct fetch_order *o)
{
    uint64_t now = loop_now(o->loop), until = clocks_wait_until(t->clocks);
    if (ways_of(o)->hosts == 1 || is_bound(t, o))
        return;
    t->since_us = loop_clock_us(o->loop);
    if (t->moves_until_ms == 0)
        t->moves_until_ms = clocks_after(t->clocks, o->settings->order_wait);
    if (t->moves_until_ms < until)
        until = t->moves_until_ms;
    if (until != UINT64_MAX && until > now)
        deadline_at(&t->slow, now + (until - now + 1) / 2);
}

/* An endpoint that has a line by now was too slow before. */
bool way_taken_hurries(struct way_taken *t, struct fetch_order *o)
{
    struct ways *ways = ways_of(o);
    struct way *from = o->way;
    uint64_t waited = loop_clock_us(o->loop) - t->since_us;
    look_again(t, ways);
    uint64_t warm = ways_warm_bits(ways) & ~t->bit;
    uint64_t tried = t->tried | t->bit;
    bool was_connecting = from->lines.connecting.count > 0 && !way_vouches(from);
    if (pool_is_stopped(o->pool) || !move(t, o, tried & ~warm)) {
        way_taken_waits(t, o);
        return false;
    }
    t->tried = tried & ~t->bit;
    if (was_connecting)
        way_unanswered(from, waited, true);
    return true;
}

/* ---------------------------------------------------------------------------- asked */

bool way_taken_is_shut(const struct way_taken *t, const struct fetch_order *o,
                       const struct gate_waiter *g)
{
    return (o->way->outlet->leaving && !is_bound(t, o)) || gate_holds(o->way->gate, g);
}

bool way_taken_stays(const struct way_taken *t, const struct fetch_order *o,
                     const struct gate_waiter *g)
{
    return !way_taken_is_shut(t, o, g) && (!o->way->leaving || is_bound(t, o));
}

void way_taken_leave(struct way_taken *t, struct fetch_order *o)
{
    deadline_stop(&t->slow);
    take(o, NULL);
}

void way_taken_init(struct way_taken *t, const struct fetch_order *o,
                    const struct delivery *delivery, const struct clocks *clocks,
                    void (*on_slow)(struct deadline *))
{
    *t = (struct way_taken){.delivery = delivery, .clocks = clocks};
    deadline_init(&t->slow, o->loop, on_slow);
}
