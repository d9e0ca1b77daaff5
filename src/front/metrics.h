/* The /metrics page: what is counted, in Prometheus' text format 0.0.4. Pure:
 * reads views of pools and totals, appends to a text its caller owns. Series are
 * bounded: see pools_each_named(). */
#pragma once

#include "base/text.h"
#include "proxy/ledger.h"
#include "upstream/pools.h"

struct metrics {
    const struct pools *pools;
    const struct bots *bots;
    struct client_counts clients;
    bool draining;
};

void metrics_write(struct text *, const struct metrics *);

/* A label's value, escaped as the format demands: \, " and line feed. */
void metrics_escape(struct text *, const char *value);
