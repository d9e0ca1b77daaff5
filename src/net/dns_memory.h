/* Which addresses a name has had in the last ten minutes of answers, so that
 * lines to one that is gone can retire. Embedded in a cache entry; an empty one
 * holds no memory. Unknown until the first answer, then partial; complete once
 * ten minutes were seen, or once an answer shared nothing with the one before. */
#pragma once

#include "net/address.h"

#define DNS_MEMORY_MS (10 * 60 * 1000)
#define DNS_MEMORY_MAX 512 /* addresses; beyond, the one longest unnamed is forgotten */

struct dns_memory {
    struct dns_named {
        struct sockaddr_storage address;
        uint64_t last; /* when an answer last named it, ms */
    } * named;
    size_t count;
    bool started, complete;
    uint64_t first; /* answer, ms */
};

/* An answer came; `old` is the one before it (count 0: none). */
void dns_memory_add(struct dns_memory *, const struct dns_addresses *old,
                    const struct dns_addresses *new, uint64_t now);

/* True if the address is known not to be the name's any more. */
bool dns_memory_is_gone(const struct dns_memory *, const struct sockaddr *addr);
void dns_memory_free(struct dns_memory *);
