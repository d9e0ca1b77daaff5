/* A token bucket: tokens are added evenly at a rate, up to a maximum kept for a burst, and each
 * request takes one. Embedded in its owner; it has tokens, has none, or has no rate and never runs
 * out. Counts parts of a token, so that nothing is lost to rounding: in any window of t ms at most
 * burst + rate·t tokens are taken. */
#pragma once

#include "base/check.h"

struct bucket {
    uint64_t flow; /* parts added per millisecond; 0: no rate */
    uint64_t cost; /* parts of a token */
    uint64_t most; /* the most parts that are kept */
    uint64_t level, at_ms;
};

/* Sets the rate to `count` tokens every `per_ms`; count 0 means no rate. At most `burst` tokens are
 * kept; 0 means `count`. A bucket that had no rate before becomes full; any other keeps the tokens
 * it has. */
void bucket_configure(struct bucket *, unsigned count, uint64_t per_ms, unsigned burst,
                      uint64_t now_ms);

/* Leaves it `tokens` (also parts of one), at most as many as it keeps. */
void bucket_set(struct bucket *, double tokens, uint64_t now_ms);

/* The tokens it has, parts of one too; only with a rate. */
double bucket_level(const struct bucket *, uint64_t now_ms);
bool bucket_take(struct bucket *, uint64_t now_ms) MUST_CHECK;

/* How many whole tokens there are; only with a rate. */
uint64_t bucket_tokens(const struct bucket *, uint64_t now_ms);

/* The time (loop time, ms) at which the n-th token from now can be taken, if none is taken before
 * `from_ms`; never earlier than `from_ms`. */
uint64_t bucket_when(const struct bucket *, uint64_t from_ms, uint64_t n);
