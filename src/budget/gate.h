/* One upstream's budget with its exchange: a token bucket (rate, burst), the weight that the
 * exchange says is used up (weight_header), and the holds it asked for (429, 418 and the like).
 * Decides which request may be sent now, which waits, and which is refused because it could not
 * be sent in time. Owned by its pool; reads the pool's settings at each use.
 *
 * A waiter is in one of two lanes, orders or the rest, and there ready (it waits for a token) or
 * held. Orders go before the rest; within a lane it is first come, first served, except that a
 * waiter under a hold of its own (one credential's) delays no other. What a request costs does
 * not grow with the number of waiters: all of them are looked at only when a hold begins or
 * ends, and at most ten times a second when their places have become worse. */
#pragma once

#include "base/failure.h"
#include "base/request_id.h"
#include "base/span.h"
#include "config/config.h"
#include "net/loop.h"

struct gate;

/* Lives inside its owner, which sets what is above the line; the rest is the gate's. */
struct gate_waiter {
    bool is_order;       /* POST, PUT, PATCH, DELETE: ahead of the rest */
    bool is_private;     /* bears a credential */
    uint64_t credential; /* a hash of its API key (api_key.h); 0: none */
    bool yields;         /* it has another answer: refused at once rather than held */
    void *owner;
    void (*on_pass)(void *owner);                            /* send it now */
    void (*on_refused)(void *owner, const struct verdict *); /* 429, sent = no */
    /* ---- */
    struct gate *gate;
    struct link link;
    uint64_t number; /* in the order in which they came */
    struct deadline deadline;
    struct task refusal;
    struct verdict why;
};

struct gate *gate_new(struct loop *, const struct upstream_config *);
void gate_configure(struct gate *, const struct upstream_config *); /* a reload */
void gate_free(struct gate *);                                      /* no request may wait */

/* True: it may be sent at once (a token is taken). False: exactly one of the waiter's events
 * comes later, unless gate_forget(). It waits at most until `until_ms` (loop time). If it
 * cannot pass by then, or with on_limit = refuse, it is refused at once (though never from
 * inside this call): 429 http_request_denied, with the seconds left for Retry-After. */
bool gate_pass(struct gate *, struct gate_waiter *, uint64_t until_ms) MUST_CHECK;
void gate_forget(struct gate_waiter *);

/* What a waiter would be refused with now. */
struct verdict gate_refusal(const struct gate_waiter *);

/* Would such a request be held now, by a hold or by the weight used up? (Waiting for the rate is
 * not being held.) */
bool gate_holds(const struct gate *, const struct gate_waiter *);

/* Does a response with this status hold requests (retry_after, hold_status)? */
bool gate_heeds(const struct upstream_config *, unsigned status);

/* What such a response asks for, and whose request it answers. */
struct gate_limit {
    unsigned status;
    int64_t asked_ms; /* for how long; 0: not at all; GATE_NOT_TOLD: it does not say */
    bool is_private;
    uint64_t credential;
    const char *bot;             /* Trunkline-Client; NULL: none */
    struct span path;            /* redacted */
    const struct request_id *id; /* of that request, for the log; NULL: none */
};
#define GATE_NOT_TOLD (-1)
void gate_limit(struct gate *, const struct gate_limit *);

/* What a response says of the weight used (the value of weight_header), at `now_s` of the wall
 * clock: it counts until the next full minute. Returns by how much the weight has grown. */
uint64_t gate_weigh(struct gate *, struct span weight, int64_t now_s);

/* An operator ends all holds, those by weight as well. */
void gate_resume(struct gate *);

#define GATE_HOLDS_SHOWN 16
struct gate_view {
    uint64_t rate_held, rate_refused; /* requests that waited, that were refused; since start */
    int64_t weight_used;              /* in this minute; -1: it was never told */
    uint64_t held_ms;                 /* until a public request would not be held; 0: it is not */
    struct gate_hold {
        const char *held; /* which requests: "public", "all", "credential" */
        unsigned status;
        const char *bot, *path; /* of the request that caused it; "": not known */
        uint64_t left_ms;
    } holds[GATE_HOLDS_SHOWN]; /* strings are valid until the gate changes */
    size_t hold_count;         /* of these */
};
void gate_describe(const struct gate *, struct gate_view *);
