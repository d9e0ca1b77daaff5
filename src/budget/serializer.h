/* serialize_by: requests that bear the same value of a header go one at a time,
 * in the order they came, whatever connection they came on (Kraken's nonces must
 * not overtake each other). Others are not held up. Owned by its pool. */
#pragma once

#include "base/failure.h"
#include "base/span.h"
#include "net/loop.h"

struct serializer;

/* The asker sets owner and events; lives inside it. It has its turn, waits, or
 * neither. */
struct serializer_entry {
    void *owner;
    void (*on_admitted)(void *owner);
    void (*on_refused)(void *owner, const struct verdict *); /* 429, sent = no */
    /* ---- */
    struct serializer *serializer;
    struct serializer_queue *queue;
    struct link link;
    struct deadline deadline;
};

struct serializer *serializer_new(struct loop *);
void serializer_free(struct serializer *); /* nobody may wait or run */

/* True: it is its turn at once. False: exactly one of its events comes later,
 * unless serializer_leave(). It waits at most until `until_ms` (loop time); how long for
 * the one before is the caller's business (serialize_timeout). The value is
 * copied and never logged: it is a key. */
bool serializer_enter(struct serializer *, struct serializer_entry *, struct span value,
                      uint64_t until_ms) MUST_CHECK;

/* It is done, or gave up waiting: the next one's turn comes, later in this turn
 * of the loop. Fine if it neither waits nor runs. */
void serializer_leave(struct serializer_entry *);
