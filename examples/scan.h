/* The search: buy where the ask is low, sell where the bid is high, and what is
 * left of it once both fees are paid. Pure, exact, over an array of venues that
 * somebody else owns. */
#pragma once

#include "examples/quote.h"

enum venue_state {
    VENUE_WAITING,   /* no answer yet */
    VENUE_GOOD,      /* the one state that is traded on */
    VENUE_STALE,     /* the answer was an old one, since the exchange fails */
    VENUE_OLD,       /* older than the operator allows */
    VENUE_ONE_SIDED, /* nobody bids, or nobody asks */
    VENUE_CROSSED,   /* it bids more than it asks: no honest book does */
    VENUE_FAILED     /* no quote; `error` says why */
};

struct venue {
    char name[64];
    const struct exchange_kind *kind;
    struct span symbol; /* in the exchange's own words */
    struct decimal fee; /* per cent */
    enum venue_state state;
    bool answered;      /* at all: then `quote` is the last one, else only its pair is known */
    struct quote quote; /* told for FAILED too, never traded on */
    bool stale;         /* it came so; then its age is the answer's own */
    uint64_t age_ms;
    char error[120];
};

const char *venue_state_name(enum venue_state); /* "one-sided" */

/* What its quote is worth at its present age. */
enum venue_state venue_judge(const struct venue *, uint64_t max_age_ms);

struct opportunity {
    const struct venue *buy, *sell;
    struct decimal cost, proceeds, profit; /* for one unit of the base, fees paid */
    struct decimal percent;                /* profit of cost, 4 places, rounded down */
};

/* Every two good venues of one pair, in both directions, whose profit is more than
 * nothing and at least so many per cent; the best first. At most `room` of them;
 * returns how many. What does not fit into exact arithmetic is left out. */
size_t scan(const struct venue *, size_t count, struct decimal least_percent,
            struct opportunity *out, size_t room);
