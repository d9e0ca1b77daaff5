/* The store: good answers by target, for all upstreams together. Bounded in bytes,
 * exactly; the answers longest unused go first. Whether one is fresh enough is its
 * user's business. Owned by `flights`. */
#pragma once

#include "cache/stored_response.h"

struct cache;

struct cache *cache_new(void);
void cache_free(struct cache *);

/* At most so many bytes from now on, keys and bookkeeping included. */
void cache_limit(struct cache *, size_t bytes);

/* What is stored under: `space` keeps upstreams apart. The target is borrowed. */
struct cache_key {
    uint64_t space;
    struct span target;
};

/* The answer that fits such a request, now the one used last; NULL: there is none.
 * Borrowed: take a reference to keep it. */
struct stored_response *cache_find(struct cache *, struct cache_key, const struct fields *asked);

/* Would it take this answer, with a body of that length? */
bool cache_takes(const struct cache *, struct cache_key, const struct stored_response *,
                 size_t length);

/* Answers of one target that differ by what they vary by: each is looked at for a request. */
#define CACHE_VARIANTS 32

/* Stores a whole answer in the place of the one for the same request, unless that came
 * later. One that is larger than the store is not kept; of more than CACHE_VARIANTS of a
 * target the one stored first goes. */
void cache_put(struct cache *, struct cache_key, struct stored_response *,
               const struct fields *asked);

/* Drops all that is stored for a target (RFC 9111 4.4). */
void cache_forget(struct cache *, struct cache_key);

/* Drops all but what is stored under these spaces. */
void cache_keep(struct cache *, const uint64_t *spaces, size_t count);

size_t cache_entries(const struct cache *);
size_t cache_bytes(const struct cache *);
