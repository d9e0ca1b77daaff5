#include "upstream/recent.h"

void recent_begin(struct recent *r, uint64_t now_us)
{
    r->began_us = now_us;
}

/* The open step as it would be if it ended now. */
static struct recent_step closed(const struct recent *r)
{
    struct recent_step s = r->open;
    s.p50_us = histogram_percentile(&r->durations, 0.5);
    s.p99_us = histogram_percentile(&r->durations, 0.99);
    return s;
}

static void put(struct recent *r, uint64_t number, struct recent_step step)
{
    histogram_packed_free(&r->took[number % RECENT_STEPS]);
    r->past[number % RECENT_STEPS] = step;
}

/* From here on the step of this time is the open one; steps in between were empty. */
static void move_to(struct recent *r, uint64_t now_us)
{
    uint64_t number = now_us / RECENT_STEP_US;
    if (number <= r->number)
        return;
    uint64_t passed = number - r->number;
    put(r, r->number, closed(r));
    histogram_pack(&r->durations, &r->took[r->number % RECENT_STEPS]);
    for (uint64_t i = 1; i < passed && i <= RECENT_STEPS; i++)
        put(r, r->number + i, (struct recent_step){0});
    r->number = number;
    r->open = (struct recent_step){0};
    histogram_clear(&r->durations);
}

void recent_ended(struct recent *r, uint64_t now_us)
{
    move_to(r, now_us);
    r->open.ended++;
    r->ended_us = now_us;
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

void recent_unknown(struct recent *r, uint64_t now_us)
{
    move_to(r, now_us);
    r->open.unknown++;
}

void recent_stale(struct recent *r, uint64_t now_us)
{
    move_to(r, now_us);
    r->open.stale++;
}

void recent_lent(struct recent *r, uint64_t now_us, bool reused)
{
    move_to(r, now_us);
    r->open.lent++;
    r->open.reused += reused;
}

void recent_waited(struct recent *r, uint64_t now_us, uint64_t waited_us)
{
    move_to(r, now_us);
    if (waited_us > r->open.max_wait_us)
        r->open.max_wait_us = waited_us;
}

/* The step that is `back` steps before the one of this time; NULL: it is empty. */
static const struct recent_step *step_at(const struct recent *r, uint64_t now_us, uint64_t back)
{
    uint64_t now = now_us / RECENT_STEP_US, number = now - back;
    if (back > now || number > r->number || r->number - number >= RECENT_STEPS)
        return NULL;
    return number == r->number ? &r->open : &r->past[number % RECENT_STEPS];
}

uint64_t recent_max_wait_us(const struct recent *r, uint64_t now_us)
{
    uint64_t most = 0;
    for (uint64_t back = 0; back < RECENT_STEPS; back++) {
        const struct recent_step *s = step_at(r, now_us, back);
        most = s && s->max_wait_us > most ? s->max_wait_us : most;
    }
    return most;
}

static void add_counts(struct recent_step *to, const struct recent_step *from)
{
    to->ended += from->ended;
    to->failed += from->failed;
    to->answered += from->answered;
    to->unknown += from->unknown;
    to->stale += from->stale;
    to->lent += from->lent;
    to->reused += from->reused;
    if (from->max_wait_us > to->max_wait_us)
        to->max_wait_us = from->max_wait_us;
}

void recent_sum_add(struct recent_sum *sum, const struct recent *r, uint64_t now_us)
{
    for (uint64_t back = 0; back < RECENT_STEPS; back++) {
        const struct recent_step *s = step_at(r, now_us, back);
        if (s)
            add_counts(&sum->all, s);
    }
}

static uint64_t covered_us(const struct recent *r, uint64_t now_us)
{
    uint64_t now = now_us / RECENT_STEP_US;
    uint64_t first_us = now < RECENT_STEPS ? 0 : (now - (RECENT_STEPS - 1)) * RECENT_STEP_US;
    return now_us - (r->began_us > first_us ? r->began_us : first_us);
}

void recent_sum(const struct recent *r, uint64_t now_us, struct recent_sum *sum)
{
    struct histogram all = {0};
    *sum = (struct recent_sum){.covered_us = covered_us(r, now_us)};
    recent_sum_add(sum, r, now_us);
    for (uint64_t back = 0; sum->all.answered && back < RECENT_STEPS; back++) {
        const struct recent_step *s = step_at(r, now_us, back);
        if (s == &r->open)
            histogram_add_all(&all, &r->durations);
        else if (s)
            histogram_add_packed(&all, &r->took[s - r->past]);
    }
    sum->all.p50_us = histogram_percentile(&all, 0.5);
    sum->all.p99_us = histogram_percentile(&all, 0.99);
    histogram_free(&all);
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
    for (size_t i = 0; i < RECENT_STEPS; i++)
        histogram_packed_free(&r->took[i]);
}
