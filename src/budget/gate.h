/* One upstream's budget with its exchange: a token bucket (rate, burst), the
 * weight the exchange says is used up (weight_header), and holds it asked for
 * (429, 418 and the like). Decides who may be sent now, who waits, and who
 * is refused because it could not be sent in time.
 * Owned by its pool; reads the pool's settings at each use. Waiters stand in two lanes,
 * orders before the rest; within each first come, first served, but one that is held
 * alone (others are not) holds up nobody else. What a request costs does not grow with
 * the number of waiters: they are all looked at only where a hold begins or ends, and
 * at most ten times a second where their places have become worse. */
#pragma once

#include "base/failure.h"
#include "base/request_id.h"
#include "base/span.h"
#include "config/config.h"
#include "net/loop.h"

struct gate;

/* The asker sets what is above the line; the rest is the gate's. */
struct gate_waiter {
    bool is_order;       /* POST, PUT, PATCH, DELETE: ahead of the rest */
    bool is_private;     /* bears a credential */
    uint64_t credential; /* a hash of its API key (api_key.h); 0: none */
    bool yields;         /* rather refused at once than held: it has another answer */
    void *owner;
    void (*on_pass)(void *owner);                            /* send it now */
    void (*on_refused)(void *owner, const struct verdict *); /* 429, sent = no */
    /* ---- */
    struct gate *gate;
    struct link link;
    uint64_t number; /* of its coming */
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

/* Would such a request be held now, by a hold or the weight used up (the rate is
 * no hold)? */
bool gate_holds(const struct gate *, const struct gate_waiter *);

/* Does an answer of that status hold requests (hold_status)? */
bool gate_heeds(const struct upstream_config *, unsigned status);

/* What an answer that is heeded asks for, and whose request it was. */
struct gate_limit {
    unsigned status;
    int64_t asked_ms; /* how long, from now on; 0: no more; GATE_NOT_TOLD: it does not say */
    bool is_private;
    uint64_t credential;
    const char *bot;             /* NULL: it did not say */
    struct span path;            /* redacted */
    const struct request_id *id; /* of the request that was answered so, for the log; NULL: none */
};
#define GATE_NOT_TOLD (-1)
void gate_limit(struct gate *, const struct gate_limit *);

/* What an answer says of the weight used (the header's value), at `now_s` of the wall
 * clock (for "the next full minute"). Returns by how much it has grown with it. */
uint64_t gate_weigh(struct gate *, struct span weight, int64_t now_s);

/* An operator ends all holds, and what the weight holds. */
void gate_resume(struct gate *);

#define GATE_HOLDS_SHOWN 16
struct gate_view {
    uint64_t rate_held, rate_refused; /* requests that waited, that were refused; since start */
    int64_t weight_used;              /* in this minute; -1: never told */
    uint64_t held_ms;                 /* time left until a quote would not be held; 0: none */
    struct gate_hold {
        const char *held; /* whom: "public", "all", "credential" */
        unsigned status;
        const char *bot, *path; /* of its cause; "": not known */
        uint64_t left_ms;
    } holds[GATE_HOLDS_SHOWN]; /* strings live until the gate is told more */
    size_t hold_count;         /* of these */
};
void gate_describe(const struct gate *, struct gate_view *);
