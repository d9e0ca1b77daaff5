/* Slow requests, one warning each in the daemon's log, with the phase that took
 * the time. Embedded in its owner; begins zeroed. So many lines in a while, the
 * rest is counted and told with the next one. */
#pragma once

#include "proxy/record.h"

#define SLOW_LOG_LINES 20
#define SLOW_LOG_WHILE_US (10ull * 1000 * 1000)

struct slow_log {
    uint64_t limit_us; /* from here on a request is slow; 0: none is */
    uint64_t since_us; /* when the first of `lines` was written */
    unsigned lines;
    uint64_t untold;
};

/* A request that ended now (loop_clock_us()); the record is borrowed. */
void slow_log_look(struct slow_log *, const struct record *, uint64_t now_us);

/* Where its time went: the name of the longest phase, and how long that was: one of those
 * of /stats; `retried`, tries before the last; or `body`, of the request or the answer. */
const char *slow_phase(const struct record *, uint64_t now_us, uint64_t *took_us);
