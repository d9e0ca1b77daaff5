/* Looks at how a response begins before its head is passed on, and so holds the head back,
 * for one of two reasons. To see what the body says: that a 200 is a failure
 * (error_prefix), that nothing was done for an order which a 5xx or 408 answers
 * (known_refusals), or until when the exchange bans us (hold_until_prefix). Or because it
 * answers an order: then head and body, of 64 KiB at most, wait for the end of the body,
 * so that a response that is cut off can still become an honest error (contract 11); an
 * event stream never waits. Embedded in the attempt; passes head and body on to the
 * events of the request's owner.
 * States: waiting (for the head), holding (it back), passing (everything on), stopped. */
#pragma once

#include "base/state.h"
#include "base/text.h"
#include "config/config.h"
#include "http/exchange.h"
#include "upstream/timing.h"

#define PEEK_HELD_MOST (64 * 1024)

#define PEEK_BAN_MOST 4096 /* bytes of a body that are searched for the end of a ban */

#define PEEK_STATES(S)                                                                             \
    S(PEEK_WAITING, "waiting", TO(PEEK_HOLDING) | TO(PEEK_PASSING) | TO(PEEK_STOPPED))             \
    S(PEEK_HOLDING, "holding", TO(PEEK_PASSING) | TO(PEEK_STOPPED))                                \
    S(PEEK_PASSING, "passing", TO(PEEK_STOPPED))                                                   \
    S(PEEK_STOPPED, "stopped", 0)
STATE_TYPE(peek, PEEK_STATES)

struct peek;

/* What it looks for. All of it is borrowed, and lives longer than the peek. */
struct peek_order {
    const struct upstream_config *settings;
    bool is_order;
    /* The body has said until when we are banned (ban_until_ms), or says nothing of that:
     * once for each response, before its head is passed on. */
    void (*on_seen)(struct peek *);
    const char *upstream; /* its name, and the request's id, for the log */
    const struct request_id *id;
};

struct peek {
    enum peek_state state;
    struct peek_order order;
    const struct config_names *prefixes;  /* looked for in this response; NULL: none, or no more */
    bool bans;                            /* the end of a ban is looked for */
    bool whole;                           /* the head is held until the body is whole */
    struct timing *timing;                /* where it records what it saw */
    const struct exchange_events *events; /* to which it passes on */
    void *owner;
    struct arena *arena; /* of the head held */
    struct response head;
    struct text held, seen; /* the body so far: as it came, and decoded */
    struct decoder *decoder;
    int64_t ban_until_ms; /* of the wall clock, from the body; 0: it says nothing */
};

/* Begins to wait for a head; what it passes on goes to `events` and `owner`. */
void peek_init(struct peek *, const struct peek_order *, struct timing *,
               const struct exchange_events *, void *owner);

/* From now on it goes to these instead. */
void peek_redirect(struct peek *, const struct exchange_events *, void *owner);

/* The head came; a piece of the body did (both borrowed). */
void peek_head(struct peek *, const struct response *);
void peek_body(struct peek *, const char *data, size_t len);

/* Has the head come, but not been passed on? */
bool peek_holds(const struct peek *);

/* The body is whole: what is held is passed on. In these events the owner may stop it. */
void peek_flush(struct peek *);

/* No event comes after this; it may be called in one. Then peek_free(), later than that
 * event. */
void peek_stop(struct peek *);
void peek_free(struct peek *);
