/* What of one request can have reached the exchange, over all its tries: the one fact
 * from which `sent`, `retried`, `abandoned` and `unknown` follow (SPEC 11). It only
 * grows: a try adds what was handed to a connection for it and could not be taken
 * back, or nothing if HTTP/2 vouches that it was not acted on (REFUSED_STREAM, above
 * the last id of a GOAWAY; RFC 9113 8.7). A plain value, embedded in its fetch. */
#pragma once

#include "http/exchange.h"

struct delivery {
    enum sent sent;     /* by the tries that are over */
    bool left;          /* something of one of them had been handed to a connection */
    bool leaves;        /* the present try is known to have left */
    uint64_t *repeated; /* counts each try that left after an earlier one had */
};

void delivery_init(struct delivery *, uint64_t *repeated);

/* By now, with the present try (NULL: there is none). */
enum sent delivery_sent(const struct delivery *, const struct exchange *present);

/* The present try was answered, so it has left. Idempotent. */
void delivery_answered(struct delivery *);

/* The present try is over. `sent`: by it alone, after all that could be taken back was;
 * `undone`: it had left, and the origin vouches that it did nothing of it. */
void delivery_end_try(struct delivery *, enum sent sent, bool undone);

/* Gives the present try up, if there is one. `late`: its time is up. */
void delivery_give_up(struct delivery *, struct exchange **present, bool late);

/* The never-twice rule (SPEC 4), of a try that failed so: (a) nothing of it left, (b) the
 * origin vouches that nothing was done of it, or (c) a harmless request (`is_harmless`: a
 * safe one on a reused line) ended without a byte of an answer. Every earlier try was one
 * of these, or there would have been no further one: so it holds for all of them. */
bool delivery_may_repeat(const struct verdict *, bool is_harmless);
