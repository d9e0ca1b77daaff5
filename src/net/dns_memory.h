/* Which addresses a name had in the answers of the last ten minutes, so that connections to an
 * address that is gone can be closed. Embedded in a cache entry; empty, it uses no memory. An
 * address is gone if no answer of ten minutes named it; or at once, if an answer shares no
 * address with the one before, unless the name was seen to rotate: an address came back within
 * ten minutes. */
#pragma once

#include "net/address.h"

#define DNS_MEMORY_MS (10 * 60 * 1000)
#define DNS_MEMORY_MAX 512 /* addresses; beyond that the one not named for longest is forgotten */

struct dns_memory {
    struct dns_named {
        struct sockaddr_storage address;
        uint64_t last; /* when an answer last named it, ms */
        bool replaced; /* by an answer that shared nothing with the one before */
    } * named;
    size_t count;
    bool started, was_whole; /* an answer has come; the newest one lacked nothing */
    bool replaced, rotates;  /* seen, ever */
    uint64_t first, latest;  /* answers, ms */
    uint64_t whole;          /* the latest one that lacked nothing */
};

/* An answer came. One that is not whole lacks a family, since that question failed: then an
 * address that it does not name is not absent. */
void dns_memory_add(struct dns_memory *, const struct dns_addresses *, bool is_whole, uint64_t now);

/* True if the address is known not to be the name's any more. */
bool dns_memory_is_gone(const struct dns_memory *, const struct sockaddr *addr);

void dns_memory_free(struct dns_memory *);
