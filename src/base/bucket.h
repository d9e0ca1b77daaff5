/* A token bucket: tokens come evenly at a rate, a number of them is kept for a burst, each
 * request takes one. Embedded in its owner; it has tokens, has none, or has no rate and never
 * runs out. Counts parts of a token, so that nothing is lost to rounding: in any window of t ms
 * at most burst + rate·t tokens are taken. */
#pragma once

#include "base/check.h"

struct bucket {
    uint64_t flow; /* parts that come in a millisecond; 0: no rate */
    uint64_t cost; /* parts of a token */
    uint64_t most; /* parts that are kept */
    uint64_t level, at_ms;
};

/* `count` tokens come every `per_ms`; count 0: no rate. At most `burst` are kept; 0: `count`. A
 * bucket that had no rate is full then; another keeps the tokens it has. */
void bucket_configure(struct bucket *, unsigned count, uint64_t per_ms, unsigned burst,
                      uint64_t now_ms);
bool bucket_take(struct bucket *, uint64_t now_ms) MUST_CHECK;

/* When the n-th token from now can be taken (loop time, ms) if none is taken before `from_ms`;
 * never sooner than that. */
uint64_t bucket_when(const struct bucket *, uint64_t from_ms, uint64_t n);
