/* The states of a fetch (fetch.h), and what /requests shows of a request in those before it is tried.
 * Owned by fetch.c, which alone changes them. Those that wait may begin to wait anew, elsewhere. */
#pragma once

#include "base/state.h"
#include "http/progress.h"

#define FETCH_STATES(S)                                                                            \
    S(FETCH_GATHERING, "gathering", TO(FETCH_WITHHELD) | TO(FETCH_SERIALIZED) | TO(FETCH_ENDED))   \
    S(FETCH_WITHHELD, "withheld", TO(FETCH_SERIALIZED) | TO(FETCH_ENDED))                          \
    S(FETCH_SERIALIZED, "serialized", TO(FETCH_GATED) | TO(FETCH_ENDED))                           \
    S(FETCH_GATED, "gated", TO(FETCH_GATED) | TO(FETCH_QUEUED) | TO(FETCH_ENDED))                  \
    S(FETCH_QUEUED, "queued",                                                                      \
      TO(FETCH_GATED) | TO(FETCH_QUEUED) | TO(FETCH_NOTING) | TO(FETCH_TRYING) | TO(FETCH_ENDED))  \
    S(FETCH_NOTING, "noting",                                                                      \
      TO(FETCH_GATED) | TO(FETCH_QUEUED) | TO(FETCH_TRYING) | TO(FETCH_ENDED))                     \
    S(FETCH_TRYING, "trying",                                                                      \
      TO(FETCH_GATED) | TO(FETCH_QUEUED) | TO(FETCH_FOLLOWED) | TO(FETCH_ENDED))                   \
    S(FETCH_FOLLOWED, "followed", TO(FETCH_ENDED))                                                 \
    S(FETCH_ENDED, "ended", 0)
STATE_TYPE(fetch, FETCH_STATES)

/* What it waits for in the state that it enters is charged to its timing. */
static inline void fetch_state_charge(enum fetch_state to, struct timing *timing,
                                      const struct pool_waiter *waiter, uint64_t now_us)
{
    if (to == FETCH_WITHHELD || to == FETCH_SERIALIZED || to == FETCH_GATED)
        timing_held(timing, now_us);
    else if (to == FETCH_QUEUED)
        timing_waits(timing, now_us);
    else if (to == FETCH_ENDED)
        timing_gave_up(timing, pool_waiter_paused_us(waiter), now_us);
}

/* `connects`: while it is queued, a connection is being opened for it. */
static inline enum progress_state fetch_state_progress(enum fetch_state s, bool connects)
{
    static const enum progress_state states[] = {
        [FETCH_GATHERING] = PROGRESS_READING, [FETCH_WITHHELD] = PROGRESS_DUPLICATE,
        [FETCH_SERIALIZED] = PROGRESS_GATED,  [FETCH_GATED] = PROGRESS_GATED,
        [FETCH_QUEUED] = PROGRESS_QUEUED,     [FETCH_NOTING] = PROGRESS_SENDING};
    return s == FETCH_QUEUED && connects ? PROGRESS_CONNECTING : states[s];
}
