/* Holds an answer's head back, before it is told on, for one of two reasons. To look how
 * the body begins: does a 200 say that it is a failure (error_prefix), does a 5xx or 408
 * to an order say that nothing was done (known_refusals), until when does the exchange
 * hold us off (hold_until_prefix)? And an answer to an order of at
 * most 64 KiB until its body is whole, so that one that is cut off can still become an
 * honest error (SPEC 11); never an event stream. Embedded in a fetch; passes head and body
 * on to the asker's events. Holding, then passing. */
#pragma once

#include "base/text.h"
#include "config/config.h"
#include "http/exchange.h"
#include "upstream/timing.h"

#define PEEK_HELD_MOST (64 * 1024)

#define PEEK_BAN_MOST 4096 /* bytes of a body that are searched for the end of a ban */

struct peek;

/* What it looks for; the settings live as long. */
struct peek_order {
    const struct upstream_config *settings;
    bool is_order;
    void (*on_seen)(struct peek *); /* the end of a ban, or that none is told: once for each
                                       answer, before its head goes on */
};

struct peek {
    struct peek_order order;
    const struct config_names *prefixes;  /* looked for in this answer; NULL: no more */
    bool bans;                            /* the end of one is looked for */
    bool whole;                           /* it is held until its body is */
    struct timing *timing;                /* where it says what it saw */
    const struct exchange_events *events; /* NULL: stopped */
    void *owner;
    struct arena *arena; /* of the head held; NULL: nothing is held */
    struct response head;
    struct text held, seen; /* the body so far, as it came, and decoded */
    struct decoder *decoder;
    int64_t ban_until_ms; /* of the wall clock, from the body; 0: none is told */
};

void peek_init(struct peek *, const struct peek_order *, struct timing *,
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
