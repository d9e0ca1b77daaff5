/* The store's part in an answer: what Cache-Status and Age tell (RFC 9211, RFC
 * 9111 5.1), what /stats counts and the access log names. Filled before the
 * answer's head is told. A plain value. */
#pragma once

#include "base/failure.h"
#include "http/message.h"

enum cache_result { CACHE_NONE, CACHE_HIT, CACHE_MISS, CACHE_STALE, CACHE_COLLAPSED };

struct cache_status {
    enum cache_result result; /* CACHE_NONE: the request had no part in it */
    bool by_request;          /* a miss because the client asked for one */
    bool stored;              /* the answer is being stored */
    uint64_t age_ms, ttl_ms;
    enum sent sent;          /* can the request have reached the origin? */
    unsigned forward_status; /* stale: the origin's, instead of which it is served; 0: none */
    enum failure failure;    /* stale: ours, likewise */
};

/* "hit", or NULL for CACHE_NONE. */
const char *cache_result_name(enum cache_result);

/* Adds both fields; nothing for CACHE_NONE. */
void cache_status_add(const struct cache_status *, struct fields *, struct arena *);
