/* What the daemon as a whole has counted: requests, bots and recent errors, beside the
 * statistics of each upstream. Owned by the proxy; written by tallies (and by the proxy, for
 * clients that never got as far as a request), read by the pages. Plain values without
 * states; all counters only grow. */
#pragma once

#include "proxy/bots.h"
#include "proxy/recent_errors.h"
#include "proxy/under_way.h"
#include "upstream/recent.h"

/* Every request that came is under way, or counted by one of the three. */
struct totals {
    struct under_way under_way;
    uint64_t succeeded, failed, abandoned;
    struct recent_errors recent_errors;
    struct bots bots;
    struct recent unrouted; /* what ended without an upstream, which has statistics of its own */
};

/* Client connections: open now; since the start. */
struct client_counts {
    size_t open;
    uint64_t accepted, rejected;
};

/* Responses in the store now, and the bytes they occupy. */
struct store_counts {
    size_t entries, bytes;
};
