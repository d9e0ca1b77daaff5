/* One origin's lines: lends them to requests, opens more up to the cap, and
 * lets waiters in first come, first served.
 * Owned by `pools`. What is lent is a slot: the right to one exchange on one
 * line. The pool is up, paused, draining (answers no new request) or retired
 * (gone from the configuration: it ends with its last request). */
#pragma once

#include "base/failure.h"
#include "budget/gate.h"
#include "budget/serializer.h"
#include "config/config.h"
#include "upstream/lines.h"
#include "upstream/pool_verb.h"
#include "upstream/stats.h"

struct pool;

/* What a pool is made for; copied. */
struct pool_origin {
    const char *name;      /* the block's, or the authority of an unlisted host */
    const char *origin;    /* "https://api.binance.com:443" */
    const char *authority; /* for Host: no default port */
    const char *next_hop;  /* "api.binance.com:443" */
    bool listed;
};

/* Takes the connector over, pins the snapshot; begins to open min_idle lines.
 * `settings` lives in the snapshot, or (unlisted) as long as the pool.
 * `on_empty` is called when a retired pool has ended: then free it. */
struct pool *pool_new(struct loop *, struct connector *, struct config *snapshot,
                      const struct upstream_config *settings, const struct pool_origin *,
                      void (*on_empty)(void *owner, struct pool *), void *owner);

/* Closes all lines. No request may be on it. */
void pool_free(struct pool *);

/* New settings for the same origin. With `renew` its lines are replaced as they
 * fall idle (address or TLS changed), else they are kept. */
void pool_configure(struct pool *, struct config *snapshot, const struct upstream_config *,
                    bool renew);

/* Another origin of the same name: what is under way ends where it is, lines are
 * replaced, and who waits goes there, as soon as the operator lets it (a pause or a drain
 * lasts). Its budget and its counters stay, its name too. */
void pool_redirect(struct pool *, struct config *snapshot, const struct upstream_config *,
                   const struct pool_origin *);

/* Ends with its last request; nothing new may be asked of it. Those who wait in a pause
 * are refused: it is not lifted by going. */
void pool_retire(struct pool *);

/* The daemon drains: idle lines close, requests under way are still served; those that
 * wait in a pause after POOL_RESUME. Idempotent. */
void pool_drain(struct pool *);

/* An operator's verb. A retired pool takes none. */
void pool_command(struct pool *, enum pool_verb);

/* The asker sets is_order, rides_alone, wants_new, yields, id, owner and the two events; the rest is
 * the pool's. */
struct pool_waiter {
    struct link link;
    struct link order; /* on the pool's orders */
    struct link alone; /* on the pool's loners: it still hopes for a line of its own */
    struct deadline deadline;
    struct pool *pool;
    uint64_t since_us, since_ms, until_ms;
    uint64_t unpaused_us; /* pool_pause_clock() when it came */
    bool is_order;        /* rides only on a line found quiet at this moment */
    bool rides_alone;     /* on a line of its own, where there is one or may be one soon */
    bool wants_new;       /* on a line that has carried nothing (RFC 9110 15.5.20) */
    bool yields;          /* it has another answer, and waits for no probe of an open circuit */
    const struct request_id *id; /* for the log; NULL: none */
    struct task refusal;         /* a refusal found inside pool_acquire, told outside it */
    struct verdict why;
    void *owner;
    void (*on_line)(void *owner, struct line *);             /* lent */
    void (*on_refused)(void *owner, const struct verdict *); /* nothing was lent; sent = no */
};

/* Asks for a slot. Returns one lent at once if there is one, else NULL: then
 * exactly one of the waiter's events comes later, unless pool_forget(). The
 * wait is bounded by `until_ms` (loop time) and the pool's queue_timeout. What is
 * lent is to be used at once, by line_open(). */
struct line *pool_acquire(struct pool *, struct pool_waiter *, uint64_t until_ms);
void pool_forget(struct pool_waiter *);

/* How long (ms) one that holds a line may leave its answer unread, so that everybody who
 * waits for one, and whom no line under way will serve, has one in time: 2 s for all of
 * them together, 500 ms if an order is among them. UINT64_MAX: nobody waits. */
uint64_t pool_patience(const struct pool *);

/* One that held a line with its answer unread was given up. */
void pool_gave_way(struct pool *);

/* How much of its wait until now, or until it was told of its end just now, fell into
 * pauses of the pool; in µs. */
uint64_t pool_paused_us(const struct pool_waiter *);

/* Is a connection being opened for a waiting one, rather than all being busy? */
bool pool_connects_for(const struct pool_waiter *);

/* What a waiting one would be refused with now. */
struct verdict pool_refusal(const struct pool_waiter *);

/* A request is under way from here on (it need not have a line), until leave:
 * the gauge, and what keeps a retired pool alive. */
void pool_enter(struct pool *, struct link *request);
void pool_leave(struct pool *, struct link *request);

/* Likewise of what goes on for requests (a fetch may outlast the one that began it). */
void pool_hold(struct pool *, struct link *fetch);
void pool_release(struct pool *, struct link *fetch);

/* A tunnel to the origin, counted while it is open; what holds the pool is a hold. */
void pool_add_tunnel(struct pool *, struct link *tunnel);
void pool_remove_tunnel(struct pool *, struct link *tunnel);

/* May what needs no line of the pool (CONNECT, an upgrade) be begun now? It does not
 * wait: paused and draining refuse it. */
bool pool_admits(const struct pool *, struct verdict *why) MUST_CHECK;

/* Is the origin known to be reached, since lines to it rest here? */
bool pool_vouches(const struct pool *);

/* A TCP connection to the origin was dialled for a tunnel that needs none: it becomes
 * a line, if there is room. Taken over in either case. */
void pool_adopt(struct pool *, struct stream *, const struct dial_report *);

/* A client goes past the pool, to an origin it was configured for: warned of once. */
void pool_warn_bypassed(struct pool *);

struct gate *pool_gate(struct pool *);             /* its budget with the exchange */
struct serializer *pool_serializer(struct pool *); /* serialize_by */

/* Tells pools apart, for good: never used again by another. */
uint64_t pool_id(const struct pool *);
bool pool_is_draining(const struct pool *); /* answers no new request */
bool pool_is_stopped(const struct pool *);  /* an operator paused it, or drains it */

/* What /stats shows of it beside its counters; strings live until the loop turns. */
struct pool_view {
    const char *name, *origin, *state, *breaker;
    bool listed, tls_verify;
    size_t idle, active, connecting, waiting, requests, tunnels;
    size_t max_connections;
    uint64_t max_wait_us;    /* the longest wait for a line in the last five minutes */
    int64_t learned_idle_ms; /* -1: nothing learned */
    struct gate_view gate;
    const struct upstream_stats *stats;
};
void pool_describe(const struct pool *, struct pool_view *);

struct upstream_stats *pool_stats(struct pool *);
const struct upstream_config *pool_settings(const struct pool *);
const struct pool_origin *pool_origin(const struct pool *);
struct connector *pool_connector(struct pool *);
bool pool_floor_tried(const struct pool *); /* min_idle lines came up, or one failed */
size_t pool_requests(const struct pool *);
size_t pool_waiting(const struct pool *); /* for a line */
size_t pool_lines(const struct pool *);
