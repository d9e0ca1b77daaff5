/* One line of a pool, from the first dial to the close: connecting, idle, busy,
 * then closed. Knows its age, its uses and its deadline; which list it is on is
 * its owner's business (`lines`). Frees itself after line_close(). */
#pragma once

#include "net/loop.h"
#include "upstream/connector.h"
#include "upstream/stats.h"

struct line;

struct line_events {
    void (*on_up)(void *owner, struct line *); /* it is established */
    void (*on_failed)(void *owner, struct line *, enum failure, const char *detail);
    void (*on_room)(void *owner, struct line *); /* an exchange ended, or it can carry more */
    void (*on_full)(void *owner, struct line *); /* it can carry less, or nothing */
    void (*on_gone)(void *owner, struct line *, enum close_reason, const char *detail);
    void (*on_due)(void *owner, struct line *, enum close_reason); /* too old, or idle too long */
};

struct line_facts {
    bool reused;                         /* it had carried a request before the present one */
    uint64_t dns_us, connect_us, tls_us; /* of its opening, one after the other; */
    uint64_t up_us;                      /* which ended then (loop_clock_us()) */
    const char *protocol;
};

/* Begins to dial. `link` is for its owner's lists. */
struct line *line_new(struct loop *, struct connector *, const struct upstream_config *,
                      struct upstream_stats *, const struct line_events *, void *owner);

/* Likewise over a TCP connection that was dialled before, which is taken over. */
struct line *line_adopt(struct loop *, struct connector *, const struct upstream_config *,
                        struct upstream_stats *, const struct line_events *, void *owner,
                        struct stream *, const struct dial_report *);
struct link *line_link(struct line *);
struct line *line_of(struct link *); /* the line of a link, NULL of NULL */

const struct connect_report *line_report(const struct line *);
unsigned line_generation(const struct line *); /* a mark for its owner's use */
void line_set_generation(struct line *, unsigned);

/* Lends it: one use is counted. `alone`: to nobody else until it rests again. */
void line_lend(struct line *, bool alone);

/* Others may join the one it was lent to alone. False: it has no room for them. */
bool line_open_up(struct line *, size_t most);

/* How many more it can carry, `most` at once if it shares; how many it carries. */
size_t line_room(const struct line *, size_t most);
size_t line_load(const struct line *);
bool line_shares(const struct line *);     /* does it carry many at once? */
size_t line_allowed(const struct line *);  /* so many, says the origin; or CONN_UNSAID */
bool line_is_doubted(const struct line *); /* it may be dead, which is known in a moment */

/* Until when one in doubt is worth waiting for (loop time, ms), as one that connects is; 0
 * of any other. */
uint64_t line_awaited_until(const struct line *);
bool line_wants_http1(const struct line *); /* its origin would rather speak HTTP/1.1 */
bool line_is_quiet(struct line *);          /* nothing unread; one system call */

/* For how long something was unread each time that it was asked. */
uint64_t line_unread_ms(const struct line *);

/* Takes it back as idle: on_due comes after `idle_ms`, or sooner if the origin keeps it
 * for less, or when it is too old. */
void line_rest(struct line *, uint64_t idle_ms);
bool line_is_old(const struct line *); /* max_age has come */
unsigned line_uses(const struct line *);
uint64_t line_idle_ms(const struct line *);

/* The exchange for which it was lent; its end brings on_room or on_gone by itself. */
struct exchange *line_open(struct line *, const struct conn_request *,
                           const struct exchange_events *, void *owner);
struct stream *line_surrender(struct line *, struct span *ahead); /* see conn_surrender() */
void line_describe(const struct line *, struct line_facts *);

/* Closes what it has (dial, handshake, connection). No event comes after. */
void line_close(struct line *);
