/* What a request's way to its origin took: of its last try, in the phases of
 * /stats. Written by the fetch as it goes, counted into its upstream's
 * histograms there, read by whoever tells of it. A plain value. */
#pragma once

#include "upstream/stats.h"

struct line_facts;

struct trip {
    uint64_t waiting_us, lent_us; /* clock_us(): began to wait for a line, got one; 0: not yet */
    bool reused;
    bool refused;         /* a 200 that says it is a failure (error_prefix) */
    bool known_refusal;   /* a 5xx whose body says that nothing was done (known_refusals) */
    bool unseen;          /* in a coding in which that cannot be seen */
    const char *protocol; /* of the line; NULL: none */
    uint64_t queue_us, dns_us, connect_us, tls_us, ttfb_us;
    uint64_t weight; /* by which the exchange's weight header grew, of all tries */
};

/* It begins to wait for a line; it got one (of whose opening it is charged what it waited
 * for); the head of the answer came. */
void trip_waits(struct trip *);
void trip_lent(struct trip *, struct upstream_stats *, const struct line_facts *);
void trip_answered(struct trip *, struct upstream_stats *);
