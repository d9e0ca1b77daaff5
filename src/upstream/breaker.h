/* The circuit of one upstream: counts consecutive failures to get a connection and says when
 * to try again. It guards dialling only: connections that are open serve on. Embedded in its
 * owner (`lines`), begins zeroed. Closed or open; open, it is half open while a probe, a line
 * that connects, is under way. */
#pragma once

#include "base/state.h"
#include "config/config.h"

#define BREAKER_STATES(S)                                                                          \
    S(BREAKER_CLOSED, "closed", TO(BREAKER_OPEN))                                                  \
    S(BREAKER_OPEN, "open", TO(BREAKER_CLOSED))
STATE_TYPE(breaker, BREAKER_STATES)

struct breaker {
    enum breaker_state state;
    const char *object; /* for the log, its owner's; NULL: it has no name */
    unsigned failures;  /* consecutive */
    unsigned openings;  /* since the last success: the n of min·2ⁿ */
    uint64_t retry_at;  /* loop time, ms: no background dial before; open: none at all */
};

static inline bool breaker_is_open(const struct breaker *b)
{
    return b->state == BREAKER_OPEN;
}

/* The time (loop time, ms) before which no line is dialled; 0: now. UINT64_MAX: not while a
 * probe is under way (`probes`: how many lines connect). `urgent`: a request waits and no line
 * is established, so that a failure which did not open the circuit is no reason to hold back. */
uint64_t breaker_when(const struct breaker *, size_t probes, bool urgent);

/* A connection failed, or succeeded. True: this failure opened the circuit. `random`
 * (loop_random()) draws the pause, breaker_min to breaker_max, within ±20 %. */
bool breaker_failed(struct breaker *, const struct upstream_config *, uint64_t now_ms,
                    uint32_t random);
void breaker_succeeded(struct breaker *);

/* "closed", "open" or "half_open", as /stats shows it. */
const char *breaker_word(const struct breaker *, size_t probes);

/* Seconds until it may be tried, at least 1: for Retry-After. */
unsigned breaker_retry_after(const struct breaker *, uint64_t now_ms);
