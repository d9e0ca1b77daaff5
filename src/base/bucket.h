/* A token bucket: tokens come evenly at a rate, so many are kept for a burst,
 * each request takes one. No rate: it never runs dry.
 * Embedded in its owner; counts parts of a token, so that nothing is lost to
 * rounding. In any window of t ms at most burst + rate·t are taken. */
#pragma once

#include "base/check.h"

struct bucket {
    uint64_t flow; /* parts that come in a millisecond; 0: no rate */
    uint64_t cost; /* parts of a token */
    uint64_t most; /* parts that are kept */
    uint64_t level, at_ms;
};

/* `count` tokens come every `per_ms`; count 0: no rate. A new one is full; one that has
 * a rate keeps the tokens it has. burst 0: `count`. */
void bucket_configure(struct bucket *, unsigned count, uint64_t per_ms, unsigned burst,
                      uint64_t now_ms);
bool bucket_take(struct bucket *, uint64_t now_ms) MUST_CHECK;

/* When the n-th token from now can be taken if none is before `from_ms`; never
 * before that. */
uint64_t bucket_when(const struct bucket *, uint64_t from_ms, uint64_t n);
