/* The queue of the requests that wait for a line of one origin: first come, first served.
 * Embedded in its pool. A waiter is queued, about to be refused, or neither (it has a line,
 * was refused, or gave up); the queue itself is open or paused (then nothing is lent, and
 * no request is refused because of the origin). */
#pragma once

#include "base/failure.h"
#include "base/request_id.h"
#include "upstream/lines_take.h"

struct pool_queue {
    unsigned magic;
    struct loop *loop;
    struct lines *lines;
    const struct upstream_config *settings;
    struct recent *recent;
    struct list waiters; /* all of them, the one that came first at the front */
    struct list orders;  /* of them, those of orders */
    struct list loners;  /* of them, those that still hope for a line of their own */
    size_t want_new;     /* of them, those that want a line that has carried nothing */
    size_t gave_way;     /* slow readers given up, since (loop time, ms): */
    uint64_t gave_way_ms;
    bool serving;   /* a waiter is being told of its line */
    bool suspended; /* the waiters are about to be recalled */
    bool paused;
    uint64_t paused_us;      /* all pauses that have ended; of the present one see */
    uint64_t pause_began_us; /* (loop_clock_us()) */
};

/* The owner sets the fields up to `on_refused`; the rest is the queue's. Lives inside the
 * request that waits. */
struct pool_waiter {
    bool is_order;               /* only on a line found quiet at this moment */
    bool rides_alone;            /* on a line of its own, if there is or soon may be one */
    bool wants_new;              /* on a line that has carried nothing (RFC 9110 15.5.20) */
    bool yields;                 /* it has another answer: it waits for no probe of the circuit */
    const struct request_id *id; /* for the log, valid as long as it waits; or NULL */
    void *owner;
    void (*on_line)(void *owner, struct line *);             /* lent */
    void (*on_refused)(void *owner, const struct verdict *); /* nothing was lent; sent = no */
    /* It may have to wait elsewhere now: it forgets this wait, or does nothing and stays. */
    void (*on_recall)(void *owner);
    /* ---- */
    struct pool_queue *queue; /* NULL: it never asked */
    struct link link;         /* on the queue's waiters, */
    struct link order;        /* orders, */
    struct link alone;        /* loners */
    struct deadline deadline;
    uint64_t since_us, since_ms, until_ms;
    uint64_t unpaused_us; /* the pauses that there had been when it came */
    struct task refusal;  /* of one that is refused at once: told outside that call */
    struct verdict why;
};

/* The lines, the settings and the figures are borrowed for its life. */
void pool_queue_init(struct pool_queue *, struct loop *, struct lines *,
                     const struct upstream_config *, struct recent *);
void pool_queue_configure(struct pool_queue *, const struct upstream_config *);

/* A pause begins or ends. Its end serves no waiter by itself: see pool_queue_serve(). */
void pool_queue_pause(struct pool_queue *, bool paused);

/* A hold has begun, or the way is leaving: until pool_queue_recall() nothing is lent to those that
 * wait. That tells on_recall to all of them; the caller serves the queue after it. */
void pool_queue_suspend(struct pool_queue *);
void pool_queue_recall(struct pool_queue *);

/* Asks for a line, lent: returned at once if there is one, else NULL: then exactly one of the
 * waiter's events comes later, unless pool_waiter_forget(). The wait is bounded by `until_ms`
 * (loop time) and queue_timeout. A line is to be used at once, by line_open(). */
struct line *pool_queue_ask(struct pool_queue *, struct pool_waiter *, uint64_t until_ms);

/* Instead of asking: the waiter is refused, later in this turn of the loop. */
void pool_queue_turn_away(struct pool_queue *, struct pool_waiter *, const struct verdict *);

/* Refuses all waiters, now. */
void pool_queue_refuse_all(struct pool_queue *, const struct verdict *);

/* Lends what can be lent, and dials for the rest: after any change. Dials alone. */
void pool_queue_serve(struct pool_queue *);
void pool_queue_dial(struct pool_queue *);

/* A dial failed: so do the waiters for which it was, if there is nothing else to wait for. */
void pool_queue_dial_failed(struct pool_queue *, enum failure why, const char *detail);

/* See pool_patience() and pool_gave_way(). */
uint64_t pool_queue_patience(const struct pool_queue *);
void pool_queue_gave_way(struct pool_queue *);

/* destination_unavailable (503, sent = no), with the time after which the circuit is tried. */
struct verdict pool_queue_unavailable(const struct pool_queue *, const char *why);

/* It waits no more, and hears nothing. Fine in any state, and of one that never asked. */
void pool_waiter_forget(struct pool_waiter *);

/* How much of its wait until now, or until it was told of its end just now, fell into pauses;
 * in µs. */
uint64_t pool_waiter_paused_us(const struct pool_waiter *);

/* Is a connection being opened for it, rather than all being busy? */
bool pool_waiter_connects(const struct pool_waiter *);

/* What it would be refused with now. */
struct verdict pool_waiter_refusal(const struct pool_waiter *);
