/* At what idle age does the origin close its connections? Learned from closes it made
 * that agree, so that trunkline closes first and no request meets one.
 * Embedded in its owner. What was seen lapses after an hour, so that the limit is
 * learned anew. */
#pragma once

#include "base/check.h"

#define IDLE_LEARN_SEEN 16

/* Closes within a second: a limit that several lines met, or a restart. */
struct idle_close {
    uint64_t at_ms, least_ms, most_ms; /* the first one's time; their idle ages */
    bool used;                         /* each line had carried a request */
};

struct idle_learn {
    struct idle_close seen[IDLE_LEARN_SEEN];
    unsigned count;      /* of all so far; the newest is at (count - 1) % IDLE_LEARN_SEEN */
    uint64_t learned_ms; /* 0: nothing */
    uint64_t until_ms;   /* when that lapses */
};

/* The origin closed a line that had been idle for `age_ms`, and had carried a request
 * before that or not. Closes agree if they were more than a second apart, of lines that
 * had come to rest more than a second apart, at ages that differ by less than 20 %; all
 * closes of one second count as one, and as none if they disagree. Three closes at 2 s
 * or more that agree are believed. Younger ones are so common after a restart or a fault
 * that six are wanted, of lines that were used, each at rest only after the last close.
 * True if now something is known and nothing was before. */
bool idle_learn_add(struct idle_learn *, uint64_t now_ms, uint64_t age_ms, bool used);

/* The smallest age of those that agree; -1: nothing is known. */
int64_t idle_learn_ms(const struct idle_learn *, uint64_t now_ms);
