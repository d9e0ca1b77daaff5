/* Targets whose last answer could not be shared (a cookie, private, too large): others
 * asked for at the same time had better not wait for it, they would only be slower (SPEC
 * 11). Embedded in the flights; begins zeroed. Each is remembered for a minute, by a hash
 * in one of a fixed number of places, where a later one takes an earlier one's. */
#pragma once

#include "cache/cache.h"

#define UNSHARED_TARGETS 1024
#define UNSHARED_MS UINT64_C(60000)

struct unshared {
    struct {
        uint64_t hash, until_ms;
    } at[UNSHARED_TARGETS];
};

/* An answer to such a request came, which could be shared or could not. */
void unshared_note(struct unshared *, struct cache_key, bool shared, uint64_t now_ms);

/* Could its last answer not be shared? */
bool unshared_has(const struct unshared *, struct cache_key, uint64_t now_ms);
