/* The search for opportunities: buy where the ask is low, sell where the bid is high, and
 * the profit after both fees. Pure functions with exact arithmetic, over an array of venues
 * that the caller owns. */
#pragma once

#include "examples/quote.h"

enum venue_state {
    VENUE_WAITING,   /* no response yet */
    VENUE_GOOD,      /* the only state in which its quote is used */
    VENUE_STALE,     /* the response was an old one, because the exchange fails */
    VENUE_OLD,       /* older than the operator allows */
    VENUE_ONE_SIDED, /* there is no bid, or no ask */
    VENUE_CROSSED,   /* the bid is above the ask, which no valid order book has */
    VENUE_FAILED     /* no quote; `error` says why */
};

struct venue {
    char name[64];
    const struct exchange_kind *kind;
    struct span symbol; /* as the exchange writes it */
    struct decimal fee; /* per cent */
    enum venue_state state;
    bool answered;      /* at least once: `quote` is the last one; otherwise only its pair is set */
    struct quote quote; /* reported for FAILED too, but not used */
    bool stale;         /* the response was stale; `age_ms` is then the age it stated */
    uint64_t age_ms;
    char error[120];
};

const char *venue_state_name(enum venue_state); /* "one-sided" */

/* The state of the venue, given the present age of its quote. */
enum venue_state venue_judge(const struct venue *, uint64_t max_age_ms);

struct opportunity {
    const struct venue *buy, *sell;
    struct decimal cost, proceeds, profit; /* for one unit of the base, fees paid */
    struct decimal percent;                /* profit of cost, 4 places, rounded down */
};

/* Compares all good venues of the same pair with each other, in both directions, and stores
 * those with a profit above 0 and of at least `least_percent`, best first, at most `room` of
 * them. Returns their number. Results that exact arithmetic cannot represent are left out. */
size_t scan(const struct venue *, size_t count, struct decimal least_percent,
            struct opportunity *out, size_t room);
