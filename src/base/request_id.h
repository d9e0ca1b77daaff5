/* The id of one request: what its answer (Trunkline-Request), the access log, each line
 * of the log about it and /requests call it by. It begins with the life of the daemon,
 * which is unique to one start, so that no id is ever used again; a count follows.
 * The generator is owned by the daemon; an id is a plain value, empty until it is given. */
#pragma once

#include "base/check.h"

#define REQUEST_LIFE_SIZE 13 /* 12 characters and a NUL */
#define REQUEST_ID_SIZE 36   /* the life, "-", up to 20 digits and a NUL, rounded up */

struct request_id {
    char text[REQUEST_ID_SIZE];
};

struct request_ids {
    char life[REQUEST_LIFE_SIZE];
    struct request_id last; /* with the count 0 at first, which is not given */
    size_t digits;          /* of its count */
};

/* Makes the life from the wall clock (ms since 1970; 42 bits of it are used) and 18 of the
 * random bits. It is written in Crockford's base32, in lower case; lives of later starts
 * sort behind those of earlier ones. */
void request_ids_init(struct request_ids *, uint64_t wall_ms, uint32_t random);

/* Gives the next id, "06f3k9d2q4ab-17". Allocates nothing. */
void request_ids_next(struct request_ids *, struct request_id *);

/* The id as words for a log; "-" if it is empty or NULL. Borrowed from the id. */
const char *request_id_text(const struct request_id *);
