/* How long a request's way to its origin took, in the phases of /stats: those of its last
 * try, and all of its waits. "Hold" is a wait that an operator or a rule imposed: in
 * serialize_by's queue, at the gate, in a pause; "queue" is the wait for a line. A plain
 * value, owned by the request's record: the fetch writes it and counts it into its
 * upstream's histograms, others read it. It moves, is held, or waits for a line. */
#pragma once

#include "upstream/stats.h"

struct line_facts;

struct timing {
    enum { TIMING_MOVES, TIMING_HELD, TIMING_WAITS } wait;
    uint64_t waiting_us, lent_us; /* loop_clock_us(): began that wait, got a line; 0: not yet */
    bool reused;                  /* the line had carried a request before */
    bool refused;                 /* a 200 that says it is a failure (error_prefix) */
    bool known_refusal;           /* a 5xx whose body says that nothing was done (known_refusals) */
    bool unseen;                  /* its coding hides whether it is one of these */
    const char *protocol;         /* of the line; NULL: none */
    /* The exit it left by, or waits for; the endpoint of several that it went to, and as the next hop.
     * NULL: none. They live as long as the pool. */
    const char *exit, *endpoint, *next_hop;
    uint64_t hold_us, queue_us; /* of all tries */
    uint64_t retried_us;        /* in tries before the last, each from its line on */
    uint64_t counted_us;        /* of hold_us: counted in the histogram already */
    uint64_t dns_us, connect_us, tls_us, ttfb_us;
    uint64_t weight; /* by which the exchange's weight header grew, of all tries */
};

/* It begins to be held, or to wait for a line; the wait before that is over. Here and
 * below, `now_us` is loop_clock_us(). */
void timing_held(struct timing *, uint64_t now_us);
void timing_waits(struct timing *, uint64_t now_us);

/* It got a line; `paused_us` of the wait fell into a pause. What opening that line took
 * counts as this request's only as far as the request waited for it. Then: the head of
 * the response came. */
void timing_lent(struct timing *, struct upstream_stats *, const struct line_facts *,
                 uint64_t paused_us, uint64_t now_us);
void timing_answered(struct timing *, struct upstream_stats *, uint64_t now_us);

/* It stops waiting without a line; `paused_us` as above. Fine if it does not wait. */
void timing_gave_up(struct timing *, uint64_t paused_us, uint64_t now_us);
