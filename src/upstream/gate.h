/* One upstream's budget with its exchange: a token bucket (rate, burst), the
 * weight the exchange says is used up (weight_header), and holds it asked for
 * (429 or 418 with Retry-After). Decides who may be sent now, who waits, and who
 * is refused because it could not be sent in time.
 * Owned by its pool; reads the pool's settings at each use. A waiter is on one of
 * two lists, orders before the rest; within each first come, first served, but
 * one that is held alone (same credential) holds up nobody else. */
#pragma once

#include "base/failure.h"
#include "base/span.h"
#include "config/config.h"
#include "net/loop.h"

struct gate;

/* The asker sets what is above the line; the rest is the gate's. */
struct gate_waiter {
    bool is_order;       /* POST, PUT, PATCH, DELETE: ahead of the rest */
    bool is_private;     /* bears a credential */
    uint64_t credential; /* a hash of its first credential; 0: none */
    bool yields;         /* rather refused at once than held: it has another answer */
    void *owner;
    void (*on_pass)(void *owner);                            /* send it now */
    void (*on_refused)(void *owner, const struct verdict *); /* 429, sent = no */
    /* ---- */
    struct gate *gate;
    struct link link;
    struct deadline deadline;
    struct task refusal;
    struct verdict why;
};

struct gate *gate_new(struct loop *, const struct upstream_config *);
void gate_configure(struct gate *, const struct upstream_config *); /* a reload */
void gate_free(struct gate *);                                      /* nobody may wait */

/* True: it may be sent at once (a token is taken). False: exactly one of the
 * waiter's events comes later, unless gate_forget(). It waits until `until_ms`
 * (loop time) at most; if it is known that it cannot pass by then, or with
 * on_limit = refuse, it is refused at once (but never from inside this call):
 * 429 http_request_denied with the seconds left. */
bool gate_pass(struct gate *, struct gate_waiter *, uint64_t until_ms) MUST_CHECK;
void gate_forget(struct gate_waiter *);

/* What a waiting one would be refused with now. */
struct verdict gate_refusal(const struct gate_waiter *);

/* Would such a request be held now, by a pause or the weight used up (the rate is
 * no hold)? */
bool gate_holds(const struct gate *, const struct gate_waiter *);

/* What an answer says of the budget: its status, the value of Retry-After and of
 * the weight header (len 0: not there), and whose request it was. `now_s` is the
 * wall clock (for HTTP dates, and for "the next full minute"). */
struct gate_answer {
    unsigned status;
    struct span retry_after, weight;
    bool is_private;
    uint64_t credential;
    int64_t now_s;
};
/* Returns by how much the weight used has grown with it. */
uint64_t gate_learn(struct gate *, const struct gate_answer *);

struct gate_view {
    uint64_t rate_held, rate_refused; /* requests that waited, that were refused; since start */
    int64_t weight_used;              /* in this minute; -1: never told */
    uint64_t held_ms;                 /* time left until a quote would not be held; 0: none */
};
void gate_describe(const struct gate *, struct gate_view *);
