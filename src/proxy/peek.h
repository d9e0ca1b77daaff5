/* Looks at how the body of a 200 begins, before its head is told on: does it say
 * that it is a failure (error_prefix)? Embedded in a fetch; passes head and body
 * on to the asker's events, late by a few bytes at most. Holding, then passing. */
#pragma once

#include "base/text.h"
#include "config/config.h"
#include "http/exchange.h"
#include "proxy/trip.h"

struct peek {
    const struct config_names *prefixes;
    struct trip *trip;                    /* where it says what it saw */
    const struct exchange_events *events; /* NULL: stopped */
    void *owner;
    struct arena *arena; /* of the head held; NULL: nothing is held */
    struct response head;
    struct text held, seen; /* the body so far, as it came, and decoded */
    struct decoder *decoder;
};

/* The prefixes live as long. */
void peek_init(struct peek *, const struct config_names *prefixes, struct trip *,
               const struct exchange_events *, void *owner);
void peek_head(struct peek *, const struct response *);
void peek_body(struct peek *, const char *data, size_t len);

/* Is there a head that was not told yet? */
bool peek_holds(const struct peek *);

/* Nothing more comes: what is held is told. The asker may have stopped it then. */
void peek_flush(struct peek *);

/* No event comes after; it may be called in one. Then free it, later. */
void peek_stop(struct peek *);
void peek_free(struct peek *);
