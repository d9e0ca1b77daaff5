/* Several pools as one: what /metrics shows of the hosts that have no label of their own.
 * Embedded in its owner; begins zeroed, and only grows. */
#pragma once

#include "upstream/pool.h"

struct pool_sum {
    size_t count; /* how many were added */
    struct pool_view view;
    struct upstream_stats stats;
};

/* Adds the counters and gauges of one pool; the view is only read. */
void pool_sum_add(struct pool_sum *, const struct pool_view *);

/* The sum as the view of a pool with that name; state, origin and breaker are NULL. Valid until
 * the sum changes. */
struct pool_view pool_sum_view(const struct pool_sum *, const char *name);

void pool_sum_clear(struct pool_sum *); /* frees its histograms; it is empty again */
