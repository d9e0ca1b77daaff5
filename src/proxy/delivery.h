/* What of one request can have reached the origin, over all its tries: the one fact that
 * `sent`, `retried`, `abandoned` and `unknown` follow from (contract 11). It only grows: a
 * try adds what was handed to a connection for it and could not be taken back, or nothing
 * if HTTP/2 guarantees that it was not processed (REFUSED_STREAM, a stream above the last
 * id of a GOAWAY; RFC 9113 8.7). A plain value without states, embedded in its fetch. */
#pragma once

#include "http/exchange.h"

struct delivery {
    enum sent sent;     /* by the tries that are over */
    bool left;          /* something of one of them had been handed to a connection */
    bool leaves;        /* the present try is known to have been handed to one */
    uint64_t *repeated; /* incremented by each try that was, after an earlier one was */
};

/* Nothing has been sent yet. */
void delivery_init(struct delivery *, uint64_t *repeated);

/* By now, the present try included (NULL: there is none). */
enum sent delivery_sent(const struct delivery *, const struct exchange *present);

/* The present try got a response, so the origin has the request. Idempotent. */
void delivery_answered(struct delivery *);

/* The present try is over. `sent`: by it alone, after all that could be taken back was
 * taken back; `undone`: the origin guarantees that it did not process what it got. */
void delivery_end_try(struct delivery *, enum sent sent, bool undone);

/* Cancels the present try, if there is one, and accounts for it. `late`: its time is up. */
void delivery_give_up(struct delivery *, struct exchange **present, bool late);

/* The never-twice rule (contract 4), for a try that failed so. It may be repeated if
 * (a) nothing of it was sent, (b) the origin says that it did nothing of it (`undone`: as
 * above, and by HTTP_1_1_REQUIRED, which leaves `sent` as it is; RFC 9113 7), or
 * (c) a harmless request (`is_harmless`: a safe one on a reused connection) ended without a
 * byte of a response. Every earlier try was one of these too, or there would have been no
 * later one: so the rule holds for all of them together. */
bool delivery_may_repeat(const struct verdict *, bool is_harmless);
