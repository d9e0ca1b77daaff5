/* Slow requests: one warning each in the daemon's log, with the phase that took the longest.
 * Embedded in its owner; begins zeroed. At most SLOW_LOG_LINES in SLOW_LOG_WHILE_US; beyond
 * that requests are counted, and the next line reports how many were left out. */
#pragma once

#include "proxy/record.h"

#define SLOW_LOG_LINES 20
#define SLOW_LOG_WHILE_US (10ull * 1000 * 1000)

struct slow_log {
    uint64_t limit_us; /* a request that takes so long is slow; 0: none is */
    uint64_t since_us; /* when the first of `lines` was written */
    unsigned lines;
    uint64_t left_out;
};

/* Warns of a request that has just ended if it was slow. `now_us` is loop_clock_us(); the
 * record is borrowed. */
void slow_log_look(struct slow_log *, const struct record *, uint64_t now_us);

/* The name of the phase that took the longest, and how long it took (us): one of the phases
 * of /stats, `retried` (the attempts before the last), or `body` (of the request or the
 * response). */
const char *slow_phase(const struct record *, uint64_t now_us, uint64_t *took_us);
