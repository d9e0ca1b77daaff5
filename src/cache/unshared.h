/* Targets whose last response could not be shared (a cookie, private, too large): further
 * requests for them would only lose time by waiting for it (contract 11), as in a cache
 * that knows "hit for miss". Each is remembered for a minute, by a hash, in one of a fixed
 * number of places; a later target takes the place of an earlier one. Embedded in the
 * coalescer; begins zeroed, without states. */
#pragma once

#include "cache/cache.h"

#define UNSHARED_TARGETS 1024
#define UNSHARED_MS UINT64_C(60000)

struct unshared {
    struct {
        uint64_t hash, until_ms;
    } at[UNSHARED_TARGETS];
};

/* The response to such a request came, and could be shared or not. `now_ms` is
 * loop_age_clock(). */
void unshared_note(struct unshared *, struct cache_key, bool shared, uint64_t now_ms);

/* Is it known that the last response could not be shared? */
bool unshared_has(const struct unshared *, struct cache_key, uint64_t now_ms);
