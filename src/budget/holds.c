#include "budget/holds.h"

#include "base/alloc.h"

#define TURN_MS 5000   /* possible difference between the exchange's clock and ours */
#define AGAIN_MS 60000 /* after the end of a hold: one that begins in this time lasts longer */

const char *hold_scope_name(enum hold_scope scope)
{
    static const char *const names[] = {"public", "all", "credential"};
    return names[scope];
}

void holds_init(struct holds *h)
{
    *h = (struct holds){.weight = -1};
}

void holds_free(struct holds *h)
{
    free(h->alone);
}

void holds_watch(struct holds *h, void (*changed)(void *owner, bool is_urgent), void *owner)
{
    h->changed = changed;
    h->owner = owner;
}

static void note_change(const struct holds *h, bool is_urgent)
{
    if (h->changed)
        h->changed(h->owner, is_urgent);
}

static void forget_lapsed(struct holds *h, uint64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->alone_count; i++)
        if (h->alone[i].until_ms + AGAIN_MS > now_ms)
            h->alone[kept++] = h->alone[i];
    h->alone_count = kept;
}

static struct hold *find_alone(const struct holds *h, uint64_t credential)
{
    for (size_t i = 0; i < h->alone_count; i++)
        if (h->alone[i].credential == credential)
            return &h->alone[i];
    return NULL;
}

/* The hold for that target, in force or remembered; NULL: there is none. */
static const struct hold *last_of(const struct holds *h, struct hold_target t)
{
    return t.scope == HOLD_PUBLIC ? &h->public
           : t.scope == HOLD_ALL  ? &h->all
                                  : find_alone(h, t.credential);
}

static struct hold *soonest(const struct holds *h)
{
    struct hold *found = &h->alone[0];
    for (size_t i = 1; i < h->alone_count; i++)
        if (h->alone[i].until_ms < found->until_ms)
            found = &h->alone[i];
    return found;
}

/* The slot of that credential's hold, or a free slot. */
static struct hold *place_alone(struct holds *h, uint64_t credential, uint64_t now_ms)
{
    struct hold *found = find_alone(h, credential);
    if (found)
        return found;
    forget_lapsed(h, now_ms);
    if (h->alone_count == HOLDS_CREDENTIALS) {
        found = soonest(h);
    } else {
        h->alone = must_realloc(h->alone, (h->alone_count + 1) * sizeof *h->alone);
        found = &h->alone[h->alone_count++];
    }
    *found = (struct hold){0};
    return found;
}

uint64_t holds_step(const struct holds *h, struct hold_target t, uint64_t first_ms,
                    uint64_t most_ms, uint64_t now_ms)
{
    const struct hold *last = last_of(h, t);
    uint64_t step = first_ms;
    if (last && last->step_ms && last->until_ms > now_ms)
        step = last->step_ms;
    else if (last && last->step_ms && now_ms - last->until_ms <= AGAIN_MS)
        step = 2 * last->step_ms;
    return step < most_ms ? step : most_ms;
}

bool holds_add(struct holds *h, const struct hold *asked, uint64_t now_ms)
{
    struct hold *p = asked->scope == HOLD_PUBLIC ? &h->public
                     : asked->scope == HOLD_ALL  ? &h->all
                                                 : place_alone(h, asked->credential, now_ms);
    uint64_t since_ms = p->until_ms > now_ms ? p->since_ms : now_ms;
    bool is_new = p->until_ms <= now_ms || p->status != asked->status;
    if (p->until_ms < asked->until_ms) {
        *p = *asked;
        p->since_ms = since_ms;
    }
    note_change(h, is_new);
    return is_new;
}

const struct hold *holds_restore(struct holds *h, const struct hold *saved, uint64_t most_ms,
                                 uint64_t now_ms)
{
    struct hold hold = *saved;
    uint64_t most = hold.step_ms ? most_ms : HOLD_MOST_MS;
    if (hold.lasts_ms > most)
        hold.lasts_ms = most;
    if (hold.until_ms > now_ms + hold.lasts_ms)
        hold.until_ms = now_ms + hold.lasts_ms;
    bool is_new = holds_add(h, &hold, now_ms);
    const struct hold *last = last_of(h, (struct hold_target){hold.scope, hold.credential});
    return is_new && last && last->until_ms > now_ms ? last : NULL;
}

const struct hold *holds_find(const struct holds *h, bool is_public, uint64_t credential,
                              uint64_t now_ms)
{
    const struct hold *latest = &h->all;
    if (is_public && h->public.until_ms > latest->until_ms)
        latest = &h->public;
    const struct hold *own = credential && h->alone_count ? find_alone(h, credential) : NULL;
    if (own && own->until_ms > latest->until_ms)
        latest = own;
    return latest->until_ms > now_ms ? latest : NULL;
}

const struct hold *holds_next(const struct holds *h, const struct hold *after, uint64_t now_ms)
{
    if (after == NULL && h->all.until_ms > now_ms)
        return &h->all;
    if ((after == NULL || after == &h->all) && h->public.until_ms > now_ms)
        return &h->public;
    size_t i = after == NULL || after == &h->all || after == &h->public
                   ? 0
                   : (size_t)(after - h->alone) + 1;
    while (i < h->alone_count && h->alone[i].until_ms <= now_ms)
        i++;
    return i < h->alone_count ? &h->alone[i] : NULL;
}

size_t holds_show(const struct holds *h, struct gate_hold *to, size_t room, uint64_t now_ms)
{
    size_t n = 0;
    const struct hold *p = NULL;
    for (; n < room && (p = holds_next(h, p, now_ms)); n++)
        to[n] = (struct gate_hold){.held = hold_scope_name(p->scope),
                                   .status = p->status,
                                   .bot = p->bot,
                                   .path = p->path,
                                   .left_ms = p->until_ms - now_ms};
    return n;
}

static bool end_now(struct hold *p, uint64_t now_ms)
{
    if (p->until_ms <= now_ms)
        return false;
    p->until_ms = now_ms;
    return true;
}

bool holds_lift(struct holds *h, uint64_t now_ms)
{
    bool any = end_now(&h->all, now_ms);
    any = end_now(&h->public, now_ms) || any;
    for (size_t i = 0; i < h->alone_count; i++)
        any = end_now(&h->alone[i], now_ms) || any;
    h->weight_lifted = true;
    h->lifted_ms = now_ms;
    note_change(h, true);
    return any;
}

/* The weight from which the growth to the newly reported weight is counted. */
static int64_t weight_base(const struct holds *h, int64_t weight, uint64_t now_ms, uint64_t left_ms)
{
    bool near_turn = left_ms <= TURN_MS || left_ms > 60000 - TURN_MS;
    if (now_ms >= h->weight_until_ms + TURN_MS)
        return 0;
    if (now_ms >= h->weight_until_ms)
        return weight > h->weight_most ? h->weight_most : 0;
    return near_turn && weight < h->weight_most / 2 ? 0 : h->weight_most;
}

uint64_t holds_weigh(struct holds *h, int64_t weight, uint64_t now_ms, uint64_t left_ms)
{
    int64_t base = weight_base(h, weight, now_ms, left_ms);
    bool differs = holds_weight(h, now_ms) != weight;
    h->weight = weight;
    h->weight_lifted = false;
    h->weight_most = weight > base ? weight : base;
    h->weight_until_ms = now_ms + left_ms;
    if (differs)
        note_change(h, false);
    return weight > base ? (uint64_t)(weight - base) : 0;
}

void holds_turn(struct holds *h, bool weight_holds, uint64_t now_ms)
{
    if (weight_holds == h->weight_holds)
        return;
    h->weight_turned_ms = weight_holds || now_ms < h->weight_until_ms ? now_ms : h->weight_until_ms;
    h->weight_holds = weight_holds;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The weight's hold ends with its minute, without an event. */
static uint64_t weight_ended(const struct holds *h, uint64_t now_ms)
{
    if (!h->weight_holds)
        return h->weight_turned_ms;
    return h->weight_until_ms <= now_ms ? h->weight_until_ms : 0;
}

static uint64_t earlier_since(const struct hold *h, uint64_t since_ms, uint64_t now_ms)
{
    return h->until_ms > now_ms && h->since_ms < since_ms ? h->since_ms : since_ms;
}

uint64_t holds_turned(const struct holds *h, bool are_held, uint64_t now_ms)
{
    if (!are_held)
        return later(weight_ended(h, now_ms), later(h->public.until_ms, h->all.until_ms));
    uint64_t since = earlier_since(&h->public, earlier_since(&h->all, UINT64_MAX, now_ms), now_ms);
    if (h->weight_holds && h->weight_until_ms > now_ms && h->weight_turned_ms < since)
        since = h->weight_turned_ms;
    return since == UINT64_MAX ? now_ms : since;
}

int64_t holds_weight(const struct holds *h, uint64_t now_ms)
{
    return h->weight > 0 && now_ms >= h->weight_until_ms ? 0 : h->weight;
}

void holds_restore_weight(struct holds *h, int64_t weight, int64_t most, uint64_t until_ms,
                          bool is_lifted)
{
    if (until_ms <= h->weight_until_ms)
        return;
    h->weight = weight;
    h->weight_most = most;
    h->weight_until_ms = until_ms;
    h->weight_lifted = is_lifted;
}
