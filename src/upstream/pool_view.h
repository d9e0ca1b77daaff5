/* What /stats, /metrics and the other pages show of a pool: figures of one moment, summed over its
 * ways if there are exits. A plain value without states; what it points to belongs to the pool,
 * until it is described again. */
#pragma once

#include "upstream/clock_watch.h"
#include "upstream/ways.h"

struct pool_view {
    const char *name, *origin, *state, *breaker;
    bool listed, tls_verify;
    size_t idle, active, connecting, waiting, requests, tunnels;
    size_t max_connections;
    uint64_t max_wait_us;    /* the longest wait for a line in the last five minutes */
    int64_t learned_idle_ms; /* -1: nothing learned */
    struct gate_view gate;
    struct origin_clock_view clock;
    struct standing_view standing;      /* its state is also `state` */
    const struct circuit *circuit;      /* of the way that stands best */
    int64_t now_s;                      /* since 1970 */
    uint64_t now_us;                    /* loop_clock_us() */
    int64_t certificate_ends_s;         /* of the certificate seen last, since 1970; 0: none was */
    const struct ways *ways;            /* for ways_addresses(); NULL: it has none */
    const struct upstream_stats *stats; /* of all ways; */
    const struct upstream_stats *own;   /* of them, what no exit in `exits` has counted */
    const struct recent *recent;
    const struct way_view *exits;
    size_t exit_count; /* 0: there are no exits */
    const struct way_view *endpoints;
    size_t endpoint_count; /* 0: there are not several */
};

/* Fills in what comes from the ways: of one as it is; of several their sum, the state and breaker
 * of the best, the shortest hold, and each exit and each endpoint, which the looks keep. */
struct pool_looks;
void pool_view_ways(struct pool_view *, const struct ways *, struct pool_looks *);

struct pool_looks *pool_looks_new(void);
void pool_looks_free(struct pool_looks *);
