#include "proxy/trip.h"

#include "net/loop.h"
#include "upstream/line.h"

void trip_waits(struct trip *t)
{
    t->waiting_us = clock_us();
}

/* Phases add up: what a fresh line took to open is not told as queue again. */
void trip_lent(struct trip *t, struct upstream_stats *stats, const struct line_facts *facts)
{
    t->lent_us = clock_us();
    t->reused = facts->reused;
    t->protocol = facts->protocol;
    t->dns_us = facts->reused ? 0 : facts->dns_us;
    t->connect_us = facts->reused ? 0 : facts->connect_us;
    t->tls_us = facts->reused ? 0 : facts->tls_us;
    uint64_t waited = t->lent_us - t->waiting_us, opening = t->dns_us + t->connect_us + t->tls_us;
    t->queue_us = waited > opening ? waited - opening : 0;
    histogram_add(&stats->queue, t->queue_us);
}

void trip_answered(struct trip *t, struct upstream_stats *stats)
{
    t->ttfb_us = clock_us() - t->lent_us;
    histogram_add(&stats->ttfb, t->ttfb_us);
}
