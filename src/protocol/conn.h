/* One established connection to an origin, whichever version of HTTP it speaks.
 * Owned by the pool's line, which closes it. It is idle, busy with as many exchanges as it has
 * capacity for, or gone: on_gone says so, and then it can only be closed. */
#pragma once

#include "base/request_id.h"
#include "http/exchange.h"
#include "net/stream.h"
#include "protocol/close_reason.h"

struct conn;

/* A request as it is to be sent; borrowed until conn_open() returns. */
struct conn_request {
    struct span method, target, authority;
    struct fields fields; /* end-to-end ones, without Host and framing */
    enum framing framing;
    uint64_t length;
    bool is_head;
    bool upgrades;               /* to websocket; only on a connection of its own */
    size_t header_limit;         /* bytes of the response's head */
    const struct request_id *id; /* for the log; valid until the exchange ends; or NULL */
};

struct conn_events {
    /* It may have more capacity: an exchange ended and left the connection usable, the
     * origin allows more of them, its stream accepts bytes again, or, after a doubt, the
     * origin was heard from. */
    void (*on_room)(void *owner);
    /* It has less capacity, or none, although nothing was opened: the origin allows
     * fewer exchanges or sent GOAWAY, its stream is full, or the connection is doubted. */
    void (*on_full)(void *owner);
    /* It will carry nothing more; what was open on it has ended or failed, or does so
     * now. It is to be closed, for this reason. */
    void (*on_gone)(void *owner, enum close_reason why, const char *detail);
};

struct conn_ops {
    struct exchange *(*open)(struct conn *, const struct conn_request *,
                             const struct exchange_events *, void *owner);
    size_t (*capacity)(const struct conn *);
    size_t (*load)(const struct conn *);
    bool (*is_quiet)(struct conn *, uint64_t within_us);
    void (*close)(struct conn *);
    struct stream *(*surrender)(struct conn *, struct span *ahead); /* NULL: it cannot */
};

#define CONN_UNSAID SIZE_MAX /* the origin has not said yet how many exchanges it allows */

/* What all connections of an upstream have carried; owned by the pool. Bytes are plaintext. */
struct conn_traffic {
    uint64_t bytes_sent, bytes_received;
    size_t streams, streams_peak; /* exchanges open on HTTP/2 connections; the most at once */
};

/* The owner sets the fields up to `log_id` right after creation, and reads the others. */
struct conn {
    const struct conn_ops *ops;
    const struct conn_events *events;
    void *owner;
    struct conn_traffic *traffic; /* counts bytes and streams */
    const char *log_object;       /* whose it is, as in log.h; valid as long as its exchanges */
    uint64_t log_id;              /* its own number in the log; or 0 */
    const char *protocol;         /* "http/1.1", "h2": for the access log */
    bool shares;                  /* carries many exchanges at once */
    size_t allowed;               /* exchanges at once that the origin allows; or CONN_UNSAID */
    uint64_t rest_most_ms;        /* how long it may be idle, as the origin said; 0: it did not */
    bool doubted;                 /* it may be dead: it has no capacity until the origin is heard */
    uint64_t awaited_until;       /* if doubted, how long to wait for it (loop time, ms) */
    bool wants_http1;             /* the origin asked for HTTP/1.1 instead (RFC 9113 7) */
};

/* Begins a request; the connection must have capacity. The exchange's events go to `owner`,
 * who owns the exchange. What is written before exchange_finish() in the same turn
 * of the loop is sent together with the head. */
static inline struct exchange *conn_open(struct conn *c, const struct conn_request *r,
                                         const struct exchange_events *events, void *owner)
{
    return c->ops->open(c, r, events, owner);
}

/* How many more exchanges it can begin now; 0 when busy, blocked, doubted or gone. */
static inline size_t conn_capacity(const struct conn *c)
{
    return c->ops->capacity(c);
}

/* How many exchanges are open on it. */
static inline size_t conn_load(const struct conn *c)
{
    return c->ops->load(c);
}

/* False if the origin sent bytes, or closed, and this was not read yet; see stream_is_quiet(). */
static inline bool conn_is_quiet(struct conn *c, uint64_t within_us)
{
    return c->ops->is_quiet(c, within_us);
}

/* Closes it (with a GOAWAY where that is due). An exchange open on it must have ended or
 * been cancelled. No event comes after; frees itself. Safe to call twice. */
static inline void conn_close(struct conn *c)
{
    c->ops->close(c);
}

/* Within on_head of a 101, which only `upgrades` allows: returns the connection's stream,
 * paused and without events, which is the caller's from here on. `ahead`: the bytes that
 * came behind the head, borrowed until on_head returns. The exchange is over, and the
 * connection gone. */
static inline struct stream *conn_surrender(struct conn *c, struct span *ahead)
{
    CHECK(c->ops->surrender != NULL);
    return c->ops->surrender(c, ahead);
}
