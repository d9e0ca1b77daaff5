/* What is counted of one upstream. Embedded in its pool; begins zeroed, and counters only grow.
 * stats.def has a row for each counter, which makes /stats, /metrics and their documentation. */
#pragma once

#include "base/failure.h"
#include "base/histogram.h"
#include "protocol/close_reason.h"
#include "protocol/conn.h"
#include "upstream/recent.h"

struct upstream_stats {
#define COUNTER(member, path, metric, label, meaning) uint64_t member;
#define TRAFFIC(member, path, metric, label, meaning)
#define PHASE(member, key, meaning) struct histogram member;
#include "upstream/stats.def"
    uint64_t closed[CLOSE_REASON_COUNT];
    uint64_t status[5]; /* 1xx … 5xx, of final and interim responses */
    uint64_t ended[6];  /* requests that ended: without the head of a response, 1xx … 5xx */
    uint64_t errors[FAILURE_COUNT];
    struct conn_traffic traffic;
    struct recent recent;
};

void stats_free(struct upstream_stats *);

/* Adds the counters of another, but not what is recent. */
void stats_add(struct upstream_stats *, const struct upstream_stats *from);

/* How a request ended. */
enum outcome { OUTCOME_SUCCEEDED, OUTCOME_FAILED, OUTCOME_ABANDONED };
