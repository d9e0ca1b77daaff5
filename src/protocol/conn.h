/* One established line to an origin, whatever HTTP it speaks.
 * Owned by the pool's line. It carries as many exchanges at once as it has
 * capacity for; it is idle, busy or gone (said by on_gone; then only to be
 * closed). */
#pragma once

#include "http/exchange.h"
#include "net/stream.h"
#include "protocol/close_reason.h"

struct conn;

/* A request as it goes on the line; borrowed until conn_open() returns. */
struct conn_request {
    struct span method, target, authority;
    struct fields fields; /* end-to-end ones, without Host and framing */
    enum framing framing;
    uint64_t length;
    bool is_head;
    bool upgrades;       /* to websocket; only on a line of its own */
    size_t header_limit; /* bytes of the response's head */
};

struct conn_events {
    /* There is more room: an exchange ended and left the line clean, the origin
     * allows more of them, its stream takes bytes again, or a line in doubt has proved
     * itself. */
    void (*on_room)(void *owner);
    /* There is less room, or none, although nothing was opened: the origin
     * allows fewer exchanges or says farewell, its stream is full, or the line is in doubt. */
    void (*on_full)(void *owner);
    /* The line can carry nothing more; what was open on it has ended or
     * failed, or does so now. It is to be closed, for this reason. */
    void (*on_gone)(void *owner, enum close_reason why, const char *detail);
};

struct conn_ops {
    struct exchange *(*open)(struct conn *, const struct conn_request *,
                             const struct exchange_events *, void *owner);
    size_t (*capacity)(const struct conn *);
    size_t (*load)(const struct conn *);
    bool (*is_quiet)(struct conn *);
    void (*close)(struct conn *);
    struct stream *(*surrender)(struct conn *, struct span *ahead); /* NULL: it cannot */
};

#define CONN_UNSAID SIZE_MAX /* how many the origin allows: it has not told yet */

/* What all connections of an upstream carried; the pool's. Bytes are plaintext. */
struct conn_traffic {
    uint64_t bytes_sent, bytes_received;
    size_t streams, streams_peak; /* exchanges open on HTTP/2 connections; the most at once */
};

struct conn {
    const struct conn_ops *ops;
    const struct conn_events *events;
    void *owner;
    const char *protocol;         /* "http/1.1", "h2": for the access log */
    bool shares;                  /* carries many exchanges at once */
    size_t allowed;               /* so many, says the origin; or CONN_UNSAID */
    uint64_t rest_most_ms;        /* may it rest idle, by the origin's word; 0: no word */
    bool doubted;                 /* it may be dead: lent to nobody until something comes */
    uint64_t awaited_until;       /* in doubt, it is worth waiting for till then (loop time, ms) */
    bool wants_http1;             /* the origin wants HTTP/1.1 spoken (RFC 9113 7) */
    struct conn_traffic *traffic; /* where bytes and streams are counted */
};

/* Begins a request; it must have capacity. Small bodies may follow at once:
 * what is written before exchange_finish() goes out with the head, in one piece. */
static inline struct exchange *conn_open(struct conn *c, const struct conn_request *r,
                                         const struct exchange_events *events, void *owner)
{
    return c->ops->open(c, r, events, owner);
}

/* How many more exchanges it takes now; 0 when busy, blocked, in doubt or gone. */
static inline size_t conn_capacity(const struct conn *c)
{
    return c->ops->capacity(c);
}

/* How many exchanges are open on it. */
static inline size_t conn_load(const struct conn *c)
{
    return c->ops->load(c);
}

/* False if the origin sent something, or an end, that was not read yet. */
static inline bool conn_is_quiet(struct conn *c)
{
    return c->ops->is_quiet(c);
}

/* Closes the line (politely where idle). An exchange open on it must have been
 * cancelled or ended. No event comes after; frees itself. */
static inline void conn_close(struct conn *c)
{
    c->ops->close(c);
}

/* Within on_head with 101, which `upgrades` alone allows: the line's stream, paused
 * and without listener, is yours; `ahead` is what it had read behind the head,
 * borrowed until on_head returns. The exchange is over, the line gone. */
static inline struct stream *conn_surrender(struct conn *c, struct span *ahead)
{
    CHECK(c->ops->surrender != NULL);
    return c->ops->surrender(c, ahead);
}
