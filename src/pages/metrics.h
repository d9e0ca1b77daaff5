/* The /metrics page: what is counted, in Prometheus' text format 0.0.4. Reads views
 * of pools and totals, piece by piece: it may have megabytes. Series are bounded:
 * see pools_snapshot_named(). */
#pragma once

#include "pages/page_stream.h"
#include "proxy/totals.h"
#include "upstream/pools.h"

struct metrics {
    const struct pools *pools;
    const struct bots *bots;
    struct client_counts clients;
    bool draining;
};

/* `m` is copied; what it points to lives as long as the page is made. */
struct page_source *metrics_new(const struct metrics *m);

/* A label's value, escaped as the format demands: \, " and line feed. */
void metrics_escape(struct text *, const char *value);
