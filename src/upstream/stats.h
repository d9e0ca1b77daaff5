/* What is counted of one upstream. Owned by its pool; counters only grow.
 * stats.def has a row for each: /stats, /metrics and their documentation come from there. */
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
    uint64_t status[5]; /* 1xx … 5xx of final and interim answers */
    uint64_t ended[6];  /* requests at their end: without an answer's head, 1xx … 5xx */
    uint64_t errors[FAILURE_COUNT];
    struct conn_traffic traffic;
    struct recent recent;
};

void stats_free(struct upstream_stats *);

/* Adds what another one counted, but for what is recent. */
void stats_add(struct upstream_stats *, const struct upstream_stats *from);

/* What a request tells of itself at its end (also the access log's line). */
enum outcome { OUTCOME_SUCCEEDED, OUTCOME_FAILED, OUTCOME_ABANDONED };
