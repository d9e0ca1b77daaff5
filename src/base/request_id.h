/* The id of one request: it identifies the request in its response (Trunkline-Request), in the
 * access log, in every log line about it and in /requests. It begins with the life of the daemon, a
 * string unique to one start, so that no id is ever reused; a count follows. The generator is owned
 * by the daemon; an id is a plain value, empty until one is assigned. */
#pragma once

#include "base/check.h"

#define REQUEST_LIFE_SIZE 13 /* 12 characters and a NUL */
#define REQUEST_ID_SIZE 36   /* the life, "-", up to 20 digits and a NUL, rounded up */

struct request_id {
    char text[REQUEST_ID_SIZE];
};

struct request_ids {
    char life[REQUEST_LIFE_SIZE];
    struct request_id last; /* initially with count 0, which is never assigned */
    size_t digits;          /* of its count */
};

/* Derives the life from the wall clock (ms since 1970; 42 bits of it are used) and 18 of the random
 * bits. It is written in Crockford's base32, in lower case; lives of later starts sort behind those
 * of earlier ones. */
void request_ids_init(struct request_ids *, uint64_t wall_ms, uint32_t random);

/* Writes the next id, "06f3k9d2q4ab-17". Allocates nothing. */
void request_ids_next(struct request_ids *, struct request_id *);

/* The id as text for a log line; "-" if it is empty or NULL. Borrowed from the id. */
const char *request_id_text(const struct request_id *);
