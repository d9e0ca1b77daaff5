#include "upstream/timing.h"

#include "upstream/line.h"

static void add(struct timing *t, uint64_t waited_us, uint64_t held_us)
{
    uint64_t held = held_us < waited_us ? held_us : waited_us;
    t->hold_us += held;
    t->queue_us += waited_us - held;
    t->wait = TIMING_MOVES;
}

void timing_gave_up(struct timing *t, uint64_t paused_us, uint64_t now_us)
{
    uint64_t waited = now_us - t->waiting_us;
    if (t->wait != TIMING_MOVES)
        add(t, waited, t->wait == TIMING_HELD ? waited : paused_us);
}

static void begin(struct timing *t, uint64_t now_us)
{
    timing_gave_up(t, 0, now_us);
    t->waiting_us = now_us;
    if (t->lent_us)
        t->retried_us += t->waiting_us - t->lent_us;
    t->lent_us = 0;
}

void timing_held(struct timing *t, uint64_t now_us)
{
    begin(t, now_us);
    t->wait = TIMING_HELD;
}

void timing_waits(struct timing *t, uint64_t now_us)
{
    begin(t, now_us);
    t->wait = TIMING_WAITS;
}

/* The part of a phase that the request waited for; the last phase before the line was up
 * comes first. */
static uint64_t take(uint64_t phase_us, uint64_t *waited_us)
{
    uint64_t taken = phase_us < *waited_us ? phase_us : *waited_us;
    *waited_us -= taken;
    return taken;
}

/* Opening a fresh line is charged to its first request, but only the part of it that came
 * after the request did. */
static void charge(struct timing *t, const struct line_facts *facts)
{
    uint64_t waited_us = 0;
    if (!facts->reused && facts->up_us > t->waiting_us)
        waited_us = facts->up_us - t->waiting_us;
    t->tls_us = take(facts->tls_us, &waited_us);
    t->connect_us = take(facts->connect_us, &waited_us);
    t->dns_us = take(facts->dns_us, &waited_us);
}

/* Phases add up to the whole: what opening a fresh line took does not count as queue too. */
void timing_lent(struct timing *t, struct upstream_stats *stats, const struct line_facts *facts,
                 uint64_t paused_us, uint64_t now_us)
{
    uint64_t queued_before = t->queue_us;
    t->lent_us = now_us;
    t->reused = facts->reused;
    t->protocol = facts->protocol;
    charge(t, facts);
    uint64_t waited = t->lent_us - t->waiting_us, opening = t->dns_us + t->connect_us + t->tls_us;
    add(t, waited > opening ? waited - opening : 0, paused_us);
    histogram_add(&stats->hold, t->hold_us - t->counted_us);
    histogram_add(&stats->queue, t->queue_us - queued_before);
    recent_lent(&stats->recent, now_us, facts->reused);
    t->counted_us = t->hold_us;
}

void timing_answered(struct timing *t, struct upstream_stats *stats, uint64_t now_us)
{
    t->ttfb_us = now_us - t->lent_us;
    histogram_add(&stats->ttfb, t->ttfb_us);
}
