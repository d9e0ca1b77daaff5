/* serialize_by: requests with the same value in a header are sent one at a time, in order of
 * arrival, no matter on which connections they arrived (Kraken's nonces must arrive in order).
 * Requests with other values are not delayed. Owned by its pool. An entry is running (its request
 * may be in progress), waiting, or neither. */
#pragma once

#include "base/failure.h"
#include "base/span.h"
#include "net/loop.h"

struct serializer;

/* Embedded in its owner, which sets the fields above the line. */
struct serializer_entry {
    void *owner;
    void (*on_admitted)(void *owner);                        /* the entry runs now */
    void (*on_refused)(void *owner, const struct verdict *); /* 429, sent = no */
    /* ---- */
    struct serializer *serializer;
    struct serializer_queue *queue;
    struct link link;
    struct deadline deadline;
};

struct serializer *serializer_new(struct loop *);
void serializer_free(struct serializer *); /* no entry may be waiting or running */

/* True: the entry runs at once. False: it waits, and exactly one of its events comes later, unless
 * serializer_leave() is called first. It waits at most until `until_ms` (loop time), in which the
 * caller has to include serialize_timeout. The value is copied and never logged, since it is a
 * key. */
bool serializer_enter(struct serializer *, struct serializer_entry *, struct span value,
                      uint64_t until_ms) MUST_CHECK;

/* The entry is done, or no longer waits; the next one that waits runs later in this turn of the
 * loop. May be called if the entry neither waits nor runs. */
void serializer_leave(struct serializer_entry *);
