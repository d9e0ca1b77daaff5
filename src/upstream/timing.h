/* What a request's way to its origin took, in the phases of /stats: those of its last
 * try, and what it waited in all. Hold is what an operator or a rule made it wait: for
 * its turn, at the gate, in a pause; queue is the wait for a line. Written by the fetch as it goes, counted into its upstream's
 * histograms there, read by whoever tells of it. A plain value. */
#pragma once

#include "upstream/stats.h"

struct line_facts;

struct timing {
    enum { TIMING_MOVES, TIMING_HELD, TIMING_WAITS } wait;
    uint64_t waiting_us, lent_us; /* loop_clock_us(): began that wait, got a line; 0: not yet */
    bool reused;
    bool refused;               /* a 200 that says it is a failure (error_prefix) */
    bool known_refusal;         /* a 5xx whose body says that nothing was done (known_refusals) */
    bool unseen;                /* in a coding in which that cannot be seen */
    const char *protocol;       /* of the line; NULL: none */
    uint64_t hold_us, queue_us; /* of all tries */
    uint64_t retried_us;        /* from a line lent to the end of tries before the last */
    uint64_t counted_us;        /* of hold_us, in the histogram already */
    uint64_t dns_us, connect_us, tls_us, ttfb_us;
    uint64_t weight; /* by which the exchange's weight header grew, of all tries */
};

/* It begins to be held, or to wait for a line; what it waited for before is over. Here and
 * below, `now_us` is loop_clock_us(). */
void timing_held(struct timing *, uint64_t now_us);
void timing_waits(struct timing *, uint64_t now_us);

/* It got a line (of whose opening it is charged what it waited for); `paused_us` of the
 * wait fell into a pause. The head of the answer came. */
void timing_lent(struct timing *, struct upstream_stats *, const struct line_facts *,
                 uint64_t paused_us, uint64_t now_us);
void timing_answered(struct timing *, struct upstream_stats *, uint64_t now_us);

/* It waits no more, and got nothing; likewise. Fine if it does not wait. */
void timing_gave_up(struct timing *, uint64_t paused_us, uint64_t now_us);
