/* Learns after how long the origin closes idle connections, from its closes that agree, so that
 * trunkline closes first and no request meets a close. Embedded in `lines`. It knows nothing,
 * or a limit that holds for an hour: then it is to be learned again. */
#pragma once

#include "base/check.h"

#define IDLE_LEARN_SEEN 16

/* Closes within a second: several lines reached the limit, or the origin restarted. */
struct idle_close {
    uint64_t at_ms, least_ms, most_ms; /* when the first came (loop time); their idle times */
    bool used;                         /* all of these lines had carried a request */
};

struct idle_learn {
    struct idle_close seen[IDLE_LEARN_SEEN];
    unsigned count;      /* of all so far; the newest is at (count - 1) % IDLE_LEARN_SEEN */
    uint64_t learned_ms; /* 0: nothing */
    uint64_t until_ms;   /* when that lapses */
};

/* The origin closed a line that had been idle for `age_ms`, and had carried a request before
 * (`used`) or not. Closes agree if they came more than a second apart, on lines that had become
 * idle more than a second apart, after idle times that differ by less than 20 %; all closes
 * within one second count as one, or as none if their idle times disagree. Three closes after
 * 2 s or more that agree are believed. Closes after a shorter time are common after a restart
 * or a fault: of those six must agree, on lines that were used, each of which became idle only
 * after the close before. True: a limit is known now, and none was before. */
bool idle_learn_add(struct idle_learn *, uint64_t now_ms, uint64_t age_ms, bool used);

/* The limit: the shortest idle time of the closes that agree, in ms; -1: none is known. */
int64_t idle_learn_ms(const struct idle_learn *, uint64_t now_ms);
