/* The circuit of one upstream: counts consecutive failures to get a connection
 * and says when to try again. It guards dialling only; open lines serve on.
 * Embedded in its owner. Closed, open, or half open (a probe is under way). */
#pragma once

#include "config/config.h"

struct breaker {
    unsigned failures; /* consecutive */
    unsigned openings; /* since the last success: the n of min·2ⁿ */
    bool open;
    uint64_t retry_at; /* loop time, ms: no background dial before, open: none at all */
};

/* The time before which no line is dialled; 0: now. UINT64_MAX: not while a probe is
 * under way (`probes`: attempts that are). `urgent`: somebody waits and no line is
 * established, so a failure that did not open it is no reason to hold back. */
uint64_t breaker_when(const struct breaker *, size_t probes, bool urgent);

/* True if this failure opened it (again). `random` (loop_random()) draws the pause
 * within ±20 %. */
bool breaker_failed(struct breaker *, const struct upstream_config *, uint64_t now_ms,
                    uint32_t random);
void breaker_succeeded(struct breaker *);

/* "closed", "open" or "half_open". */
const char *breaker_state(const struct breaker *, size_t probes);

/* Seconds until it may be tried, at least 1: for Retry-After. */
unsigned breaker_retry_after(const struct breaker *, uint64_t now_ms);
