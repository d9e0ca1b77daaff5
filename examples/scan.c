#include "examples/scan.h"

#define PERCENT_PLACES 4

const char *venue_state_name(enum venue_state state)
{
    static const char *const names[] = {
        [VENUE_WAITING] = "waiting", [VENUE_GOOD] = "good",           [VENUE_STALE] = "stale",
        [VENUE_OLD] = "old",         [VENUE_ONE_SIDED] = "one-sided", [VENUE_CROSSED] = "crossed",
        [VENUE_FAILED] = "failed",
    };
    CHECK(state < COUNT_OF(names));
    return names[state];
}

enum venue_state venue_judge(const struct venue *v, uint64_t max_age_ms)
{
    struct decimal spread;
    const struct quote *q = &v->quote;
    if (v->stale)
        return VENUE_STALE;
    if (v->age_ms > max_age_ms)
        return VENUE_OLD;
    if (decimal_sign(q->bid) <= 0 || decimal_sign(q->ask) <= 0)
        return VENUE_ONE_SIDED;
    if (!decimal_subtract(q->ask, q->bid, &spread) || decimal_sign(spread) < 0)
        return VENUE_CROSSED;
    return VENUE_GOOD;
}

/* price × (1 ± fee/100), computed as (100 ± fee) × price with two more places. */
static bool with_fee(struct decimal price, struct decimal fee, bool pays, struct decimal *to)
{
    struct decimal hundred = {100, 0}, factor;
    if (pays)
        fee.units = -fee.units;
    if (!decimal_subtract(hundred, fee, &factor) || !decimal_multiply(price, factor, to))
        return false;
    to->places += 2;
    return true;
}

static bool weigh(struct opportunity *o, struct decimal least_percent)
{
    struct decimal over, hundred = {100, 0}, profit;
    return with_fee(o->buy->quote.ask, o->buy->fee, true, &o->cost) &&
           with_fee(o->sell->quote.bid, o->sell->fee, false, &o->proceeds) &&
           decimal_subtract(o->proceeds, o->cost, &o->profit) && decimal_sign(o->profit) > 0 &&
           decimal_multiply(o->profit, hundred, &profit) &&
           decimal_ratio(profit, o->cost, PERCENT_PLACES, &o->percent) &&
           decimal_subtract(o->percent, least_percent, &over) && decimal_sign(over) >= 0;
}

/* Inserts it in order, and keeps the best `room`. */
static size_t insert(struct opportunity *out, size_t count, size_t room,
                     const struct opportunity *o)
{
    size_t at = count < room ? count : room;
    for (; at > 0 && out[at - 1].percent.units < o->percent.units; at--)
        if (at < room)
            out[at] = out[at - 1];
    if (at < room)
        out[at] = *o;
    return count < room ? count + 1 : room;
}

size_t scan(const struct venue *venues, size_t count, struct decimal least_percent,
            struct opportunity *out, size_t room)
{
    size_t found = 0;
    for (size_t buy = 0; buy < count; buy++) {
        for (size_t sell = 0; sell < count; sell++) {
            struct opportunity o = {.buy = &venues[buy], .sell = &venues[sell]};
            if (buy == sell || o.buy->state != VENUE_GOOD || o.sell->state != VENUE_GOOD ||
                !pair_same(&o.buy->quote.pair, &o.sell->quote.pair))
                continue;
            if (weigh(&o, least_percent))
                found = insert(out, found, room, &o);
        }
    }
    return found;
}
