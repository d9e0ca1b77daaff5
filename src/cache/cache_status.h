/* The store's part in a response: what Cache-Status and Age tell (RFC 9211, RFC 9111 5.1),
 * what /stats counts and the access log names. Filled before the head is told to the
 * client. A plain value in the request's record; without states. */
#pragma once

#include "base/failure.h"
#include "http/message.h"

enum cache_result { CACHE_NONE, CACHE_HIT, CACHE_MISS, CACHE_STALE, CACHE_COLLAPSED };

struct cache_status {
    enum cache_result result; /* CACHE_NONE: the store had no part in it */
    bool by_request;          /* a miss because the client asked for one */
    bool stored;              /* the response is being stored */
    uint64_t age_ms, ttl_ms;
    enum sent sent;          /* can the request have reached the origin? */
    unsigned forward_status; /* stale: served instead of the origin's response with this
                                status; 0: instead of none */
    enum failure failure;    /* stale: served instead of this failure of ours */
};

/* "hit", or NULL for CACHE_NONE. */
const char *cache_result_name(enum cache_result);

/* Adds both fields to a head, with memory of the arena; nothing for CACHE_NONE. */
void cache_status_add(const struct cache_status *, struct fields *, struct arena *);
