#include "budget/limits.h"

#define PUBLIC_SHARE 8 /* tenths of weight_limit that public requests may use */
#define PRIVATE_SHARE 9

bool limits_weigh_on(const struct limits *l, bool is_private, uint64_t now_ms)
{
    int64_t limit = l->settings->weight_limit, share = is_private ? PRIVATE_SHARE : PUBLIC_SHARE;
    return limit > 0 && !l->holds.weight_lifted &&
           holds_weight(&l->holds, now_ms) * 10 >= limit * share;
}

void obstacle_add(struct obstacle *o, enum denial_cause cause, uint64_t until_ms)
{
    if (until_ms > o->until_ms)
        *o = (struct obstacle){.until_ms = until_ms, .cause = cause};
}

struct obstacle limits_find(const struct limits *l, const struct gate_waiter *w, uint64_t now_ms)
{
    struct obstacle o = {0};
    if (l->settings->retry_after)
        o.hold = holds_find(&l->holds, !w->is_order && !w->is_private, w->credential, now_ms);
    if (o.hold)
        o = (struct obstacle){o.hold->until_ms, DENIAL_HOLD, o.hold};
    if (w->is_order)
        return o;
    if (l->holds.weight_until_ms > o.until_ms && limits_weigh_on(l, w->is_private, now_ms))
        obstacle_add(&o, DENIAL_WEIGHT, l->holds.weight_until_ms);
    if (w->share)
        obstacle_add(&o, DENIAL_SHARE,
                     bot_shares_held_until(&l->bots, w->share, l->settings->weight_limit, now_ms));
    return o;
}

uint64_t limits_shut_until(const struct limits *l, uint64_t now_ms)
{
    const struct hold *h =
        l->settings->retry_after ? holds_find(&l->holds, false, 0, now_ms) : NULL;
    return h ? h->until_ms : now_ms;
}

enum limits_change limits_hold(struct limits *l, const struct hold *h, uint64_t now_ms,
                               bool *is_new)
{
    uint64_t shut = limits_shut_until(l, now_ms);
    const struct hold *old = holds_find(&l->holds, h->scope == HOLD_PUBLIC, h->credential, now_ms);
    bool prolongs = old && old->scope == h->scope && (h->scope == HOLD_ALL || old->until_ms > shut);
    *is_new = holds_add(&l->holds, h, now_ms);
    return prolongs ? LIMITS_PROLONGED : LIMITS_CHANGED;
}

enum limits_change limits_weigh(struct limits *l, int64_t weight, uint64_t left_ms, uint64_t now_ms,
                                uint64_t *grown)
{
    bool public = limits_weigh_on(l, false, now_ms), private = limits_weigh_on(l, true, now_ms);
    holds_turn(&l->holds, public, now_ms);
    *grown = holds_weigh(&l->holds, weight, now_ms, left_ms);
    holds_turn(&l->holds, limits_weigh_on(l, false, now_ms), now_ms);
    if (public != limits_weigh_on(l, false, now_ms) || private != limits_weigh_on(l, true, now_ms))
        return LIMITS_CHANGED;
    return public ? LIMITS_PROLONGED : LIMITS_SAME;
}

bool limits_lift(struct limits *l, uint64_t now_ms)
{
    bool any = holds_lift(&l->holds, now_ms);
    holds_turn(&l->holds, false, now_ms);
    bot_shares_lift(&l->bots);
    return any;
}
