/* The store: good responses by target, of all upstreams together, for as many bytes as it
 * is allowed; the ones unused for longest go first. Whether one is fresh enough is for its
 * user to judge. Owned by the coalescer; without states. */
#pragma once

#include "cache/stored_response.h"

struct cache;

struct cache *cache_new(void);
void cache_free(struct cache *);

/* Sets its bound: at most so many bytes from now on, keys and bookkeeping included. At
 * first it is 0. */
void cache_limit(struct cache *, size_t bytes);

/* What a response is stored under: `space` (the pool's id) keeps upstreams apart. The
 * target is borrowed. */
struct cache_key {
    uint64_t space;
    struct span target;
};

/* The response that answers a request with the fields `asked`, which now counts as the
 * one used last; NULL: there is none. Borrowed: take a reference to keep it. */
struct stored_response *cache_find(struct cache *, struct cache_key, const struct fields *asked);

/* Is there room for this response, with a body of that length? */
bool cache_takes(const struct cache *, struct cache_key, const struct stored_response *,
                 size_t length);

/* The responses that one target may have, which differ by what they vary by: a request
 * for the target is compared with each of them. */
#define CACHE_VARIANTS 32

/* Stores a whole response in place of the one for the same request, unless that one came
 * later; a reference is taken. A response larger than the store is not kept. If a target
 * has CACHE_VARIANTS already, the one stored first goes. */
void cache_put(struct cache *, struct cache_key, struct stored_response *,
               const struct fields *asked);

/* Drops all that is stored for a target (RFC 9111 4.4). */
void cache_forget(struct cache *, struct cache_key);

/* Drops all but what is stored under these spaces. */
void cache_keep(struct cache *, const uint64_t *spaces, size_t count);

/* How many responses it has, and the bytes that they and the bookkeeping take. */
size_t cache_entries(const struct cache *);
size_t cache_bytes(const struct cache *);
