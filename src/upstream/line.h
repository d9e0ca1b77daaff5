/* One line: a connection to an origin, from the dial to the close, with its number, its age,
 * its uses and the deadline that ends its rest. Owned by what made it (`lines`, or the
 * one request of dedicated.h), until line_close(); then it frees itself at the end of the
 * loop's turn. It is connecting, up, idle, lent, lent alone or closed; which list it is on is
 * its owner's business. */
#pragma once

#include "base/state.h"
#include "net/address.h"
#include "net/loop.h"
#include "upstream/connector.h"
#include "upstream/stats.h"

/* Up: established, and its owner is about to place it. Lent alone: to a request that shares
 * it with no other. */
#define LINE_STATES(S)                                                                             \
    S(LINE_CONNECTING, "connecting", TO(LINE_UP) | TO(LINE_CLOSED))                                \
    S(LINE_UP, "up", TO(LINE_IDLE) | TO(LINE_LENT) | TO(LINE_LENT_ALONE) | TO(LINE_CLOSED))        \
    S(LINE_IDLE, "idle", TO(LINE_LENT) | TO(LINE_LENT_ALONE) | TO(LINE_CLOSED))                    \
    S(LINE_LENT, "lent", TO(LINE_LENT) | TO(LINE_IDLE) | TO(LINE_CLOSED))                          \
    S(LINE_LENT_ALONE, "lent alone", TO(LINE_LENT) | TO(LINE_IDLE) | TO(LINE_CLOSED))              \
    S(LINE_CLOSED, "closed", 0)
STATE_TYPE(line, LINE_STATES)

struct line;

struct line_events {
    void (*on_up)(void *owner, struct line *); /* it is established: to be lent or to rest */
    void (*on_failed)(void *owner, struct line *, enum failure, const char *detail);
    void (*on_room)(void *owner, struct line *); /* an exchange ended, or it can carry more */
    void (*on_full)(void *owner, struct line *); /* it can carry less, or nothing */
    void (*on_gone)(void *owner, struct line *, enum close_reason, const char *detail);
    void (*on_due)(void *owner, struct line *, enum close_reason); /* too old, or idle too long */
};

/* What the lines of one origin have in common; borrowed as long as any of them. */
struct line_env {
    struct loop *loop;
    struct connector *connector;
    struct upstream_stats *stats;
    const char *object; /* for the log: "upstream NAME" */
};

/* What a request may know of the line it was lent; a copy. */
struct line_facts {
    uint64_t number;                     /* in the log: " line=17" */
    char address[ADDRESS_TEXT];          /* of the other end: "192.0.2.1:443", "unix socket" */
    bool reused;                         /* it had carried a request before the present one */
    uint64_t dns_us, connect_us, tls_us; /* of its opening, one after the other, */
    uint64_t up_us;                      /* which ended then (loop_clock_us()) */
    const char *protocol;                /* "http/1.1", "h2"; NULL: it is not established */
};

/* Begins to dial; `why` says for whom, in the log ("an order"). The settings are borrowed for
 * the call. One of on_up and on_failed comes later, unless line_close() is called first;
 * after on_failed it is only to be closed. */
struct line *line_new(const struct line_env *, const struct upstream_config *, const char *why,
                      const struct line_events *, void *owner);

/* Likewise over a TCP connection that was dialled before, which is taken over. */
struct line *line_adopt(const struct line_env *, const struct upstream_config *,
                        const struct line_events *, void *owner, struct stream *,
                        const struct dial_report *);

/* Its owner's lists. line_of() is NULL of NULL; line_move() takes it off the list that it is
 * on, if any, and appends it to another. */
struct link *line_link(struct line *);
struct line *line_of(struct link *);
void line_move(struct line *, struct list *to);

uint64_t line_number(const struct line *); /* from 1 on, never the same twice in a loop's life */
const struct connect_report *line_report(const struct line *); /* once it is up */
unsigned line_generation(const struct line *);                 /* a mark for its owner's use */
void line_set_generation(struct line *, unsigned);

/* Lends it: one use is counted. `alone`: to nobody else until it rests again. */
void line_lend(struct line *, bool alone);

/* Takes back one that was lent a moment ago and was not used: the use does not count, and on_room
 * comes later in this turn. */
void line_return(struct line *);

/* A line that was lent is kept for its request until line_claim(), over turns of the loop: in its load
 * and its room that counts as an exchange. Embedded in its owner; `line` becomes NULL if the line is
 * closed meanwhile. */
struct line_hold {
    struct line *line;
    struct link link;
};
void line_keep(struct line *, struct line_hold *);

/* Ends that. The line, lent as before; or NULL: it was closed, or cannot carry the request any more
 * (a byte or its end has come unasked), and is given back. */
struct line *line_claim(struct line_hold *) MUST_CHECK;

/* Ends it without use, as line_return() does. Fine if nothing is kept. */
void line_unkeep(struct line_hold *);

/* Others may join the request it was lent to alone. False: it has no room for them, and
 * nothing has changed. `most`: see line_room(). */
bool line_open_up(struct line *, size_t most);

/* How many more exchanges it can carry: `most` at once if it shares, one if it does not. How
 * many it carries. */
size_t line_room(const struct line *, size_t most);
size_t line_load(const struct line *);
bool line_shares(const struct line *);     /* does it carry many exchanges at once? */
size_t line_allowed(const struct line *);  /* how many the origin allows, or CONN_UNSAID */
bool line_is_doubted(const struct line *); /* it may be dead, which is known in a moment */

/* Until when a line in doubt is worth waiting for (loop time, ms), as one that connects is; 0
 * for any other. */
uint64_t line_awaited_until(const struct line *);
bool line_wants_http1(const struct line *); /* its origin would rather speak HTTP/1.1 */

/* Is nothing unread, as of at most `within_us` ago? See stream_is_quiet(). */
bool line_is_quiet(struct line *, uint64_t within_us);

/* For how long something has been unread each time line_is_quiet() was asked; ms. */
uint64_t line_unread_ms(const struct line *);

/* Takes it back as idle: on_due comes after `idle_ms`, or sooner if the origin keeps it for
 * less, or when it is too old. */
void line_rest(struct line *, uint64_t idle_ms);
bool line_is_old(const struct line *); /* max_age has come */
unsigned line_uses(const struct line *);
uint64_t line_idle_ms(const struct line *); /* 0: it is not idle */

/* The exchange for which it was lent, to be opened in the same turn of the loop; its end
 * brings on_room or on_gone by itself. */
struct exchange *line_open(struct line *, const struct conn_request *,
                           const struct exchange_events *, void *owner);
struct stream *line_surrender(struct line *, struct span *ahead); /* see conn_surrender() */
void line_describe(const struct line *, struct line_facts *);

/* What a page shows of it; the strings are valid until the loop turns. */
struct line_view {
    uint64_t number;
    const char *state;    /* "connecting", "idle", "active" (it carries requests), "doubted" */
    const char *address;  /* of the other end; "": not known yet */
    const char *protocol; /* "http/1.1", "h2"; NULL: it is not established */
    uint64_t age_ms;      /* since it was established, before that since the dial began */
    uint64_t idle_ms;     /* how long it has carried nothing; 0: it does */
    unsigned uses;        /* requests that it has carried, those under way included */
    size_t load;          /* those under way */
};
void line_view(const struct line *, struct line_view *);

/* Closes what it has (dial, handshake, connection), and logs why, how old it is and what it
 * was used for. `reason` is a word of close_reason.def; NULL: it never was established, or
 * ends with its owner. No event comes after. A second call does nothing. */
void line_close(struct line *, const char *reason, const char *detail);
