/* At what idle age does the origin close its connections? Learned from the last
 * closes it made, so that trunkline closes first and no request meets one.
 * Embedded in its owner. Observations lapse after an hour, so that it is learned
 * anew. */
#pragma once

#include "base/check.h"

#define IDLE_LEARN_SEEN 8

struct idle_learn {
    struct {
        uint64_t at_ms, age_ms;
    } seen[IDLE_LEARN_SEEN];
    unsigned count; /* of all so far; the newest is at (count - 1) % IDLE_LEARN_SEEN */
};

/* The origin closed a line that had been idle for `age_ms`. Under 100 ms says
 * nothing of a limit; several within a second are one event (a limit met by
 * many lines at once, or a restart), of which the longest age counts. */
void idle_learn_add(struct idle_learn *, uint64_t now_ms, uint64_t age_ms);

/* The smallest age of the last eight events within the hour; -1 before there are
 * two: a single close may be anything. */
int64_t idle_learn_ms(const struct idle_learn *, uint64_t now_ms);
