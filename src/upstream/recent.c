#include "upstream/recent.h"

#include <string.h>

/* The open step as it would be if it ended now. */
static struct recent_step closed(const struct recent *r)
{
    struct recent_step s = r->open;
    s.p50_us = histogram_percentile(&r->durations, 0.5);
    s.p99_us = histogram_percentile(&r->durations, 0.99);
    return s;
}

/* From here on the step of this time is the open one; steps in between were empty. */
static void move_to(struct recent *r, uint64_t now_us)
{
    uint64_t number = now_us / RECENT_STEP_US;
    if (number <= r->number)
        return;
    uint64_t passed = number - r->number;
    r->past[r->number % RECENT_STEPS] = closed(r);
    for (uint64_t i = 1; i < passed && i < RECENT_STEPS; i++)
        r->past[(r->number + i) % RECENT_STEPS] = (struct recent_step){0};
    if (passed > RECENT_STEPS)
        memset(r->past, 0, sizeof r->past);
    r->number = number;
    r->open = (struct recent_step){0};
    histogram_clear(&r->durations);
}

void recent_ended(struct recent *r, uint64_t now_us)
{
    move_to(r, now_us);
    r->open.ended++;
}

void recent_failed(struct recent *r, uint64_t now_us)
{
    move_to(r, now_us);
    r->open.failed++;
}

void recent_answered(struct recent *r, uint64_t now_us, uint64_t took_us)
{
    move_to(r, now_us);
    r->open.answered++;
    histogram_add(&r->durations, took_us);
}

void recent_waited(struct recent *r, uint64_t now_us, uint64_t waited_us)
{
    move_to(r, now_us);
    if (waited_us > r->open.max_wait_us)
        r->open.max_wait_us = waited_us;
}

uint64_t recent_max_wait_us(const struct recent *r, uint64_t now_us)
{
    uint64_t now = now_us / RECENT_STEP_US, most = 0;
    for (uint64_t back = 0; back < RECENT_STEPS && back <= now; back++) {
        uint64_t number = now - back, waited = 0;
        if (number == r->number)
            waited = r->open.max_wait_us;
        else if (number < r->number && r->number - number < RECENT_STEPS)
            waited = r->past[number % RECENT_STEPS].max_wait_us;
        most = waited > most ? waited : most;
    }
    return most;
}

void recent_read(const struct recent *r, uint64_t now_us, struct recent_step steps[RECENT_STEPS])
{
    uint64_t now = now_us / RECENT_STEP_US;
    for (uint64_t i = 0; i < RECENT_STEPS; i++) {
        uint64_t number = now - RECENT_STEPS + i;
        steps[i] = (struct recent_step){0};
        if (now < RECENT_STEPS - i || number > r->number || r->number - number > RECENT_STEPS)
            continue;
        steps[i] = number == r->number ? closed(r) : r->past[number % RECENT_STEPS];
    }
}

void recent_free(struct recent *r)
{
    histogram_free(&r->durations);
}
