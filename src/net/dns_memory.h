/* Which addresses a name had in the answers of the last ten minutes, so that connections to an
 * address that is gone can be closed. Embedded in a cache entry; while empty, it uses no memory. An
 * address is gone if no answer in ten minutes has contained it; or at once, if an answer has no
 * address in common with the one before. The latter does not apply to a name that was seen to
 * rotate, which means that an address came back within ten minutes. */
#pragma once

#include "net/address.h"

#define DNS_MEMORY_MS (10 * 60 * 1000)
#define DNS_MEMORY_MAX                                                                             \
    512 /* addresses; if there are more, the one not seen for the longest time is dropped */

struct dns_memory {
    struct dns_named {
        struct sockaddr_storage address;
        uint64_t last; /* when an answer last contained it, ms */
        bool replaced; /* replaced by an answer that shared no address with the one before */
    } * named;
    size_t count;
    bool started, was_whole; /* there was an answer; the newest one was complete */
    bool replaced, rotates;  /* was ever seen */
    uint64_t first, latest;  /* answers, ms */
    uint64_t whole;          /* the latest complete one */
};

/* Records an answer. One that is not whole lacks a family because that query failed: an address
 * missing from it does not count as absent. */
void dns_memory_add(struct dns_memory *, const struct dns_addresses *, bool is_whole, uint64_t now);

/* Returns true if the address is known to belong to the name no longer. */
bool dns_memory_is_gone(const struct dns_memory *, const struct sockaddr *addr);

void dns_memory_free(struct dns_memory *);
