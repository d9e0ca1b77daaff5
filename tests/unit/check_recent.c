/* Five minutes in steps of five seconds: what is counted in which step, and what is forgotten. */
#include "upstream/recent.h"

#include "suite.h"

#define STEP RECENT_STEP_US

static struct recent r;
static struct recent_step steps[RECENT_STEPS];

static void setup(void)
{
    r = (struct recent){0};
}

static void teardown(void)
{
    recent_free(&r);
}

/* The number that ended in the step that is `back` steps before the last one. */
static uint64_t ended(unsigned back)
{
    return steps[RECENT_STEPS - 1 - back].ended;
}

static uint64_t ended_in_all(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < RECENT_STEPS; i++)
        sum += steps[i].ended;
    return sum;
}

/* In the last five minutes, including the current step. */
START_TEST(the_longest_wait)
{
    uint64_t now = 1000 * STEP + 1;
    ck_assert_uint_eq(recent_max_wait_us(&r, 0), 0);
    ck_assert_uint_eq(recent_max_wait_us(&r, now), 0);
    recent_waited(&r, now, 700);
    recent_waited(&r, now, 300);
    ck_assert_uint_eq(recent_max_wait_us(&r, now), 700);
    recent_waited(&r, now + 30 * STEP, 500);
    ck_assert_uint_eq(recent_max_wait_us(&r, now + 30 * STEP), 700);
    ck_assert_uint_eq(recent_max_wait_us(&r, now + (RECENT_STEPS - 1) * STEP), 700);
    ck_assert_uint_eq(recent_max_wait_us(&r, now + RECENT_STEPS * STEP), 500);
    ck_assert_uint_eq(recent_max_wait_us(&r, now + (RECENT_STEPS + 29) * STEP), 500);
    ck_assert_uint_eq(recent_max_wait_us(&r, now + (RECENT_STEPS + 30) * STEP), 0);
    recent_waited(&r, now + (RECENT_STEPS + 31) * STEP, 0);
    ck_assert_uint_eq(recent_max_wait_us(&r, now + (RECENT_STEPS + 31) * STEP), 0);
}
END_TEST

START_TEST(nothing_yet)
{
    recent_read(&r, 0, steps);
    ck_assert_uint_eq(ended_in_all(), 0);
    recent_read(&r, 1000 * STEP, steps);
    ck_assert_uint_eq(ended_in_all(), 0);
    ck_assert_uint_eq(steps[0].answered, 0);
}
END_TEST

/* The current step is reported once it is over, even if there was no request since. */
START_TEST(a_step_is_told_when_it_is_past)
{
    uint64_t now = 1000 * STEP + 1;
    recent_ended(&r, now);
    recent_answered(&r, now, 3000);
    recent_ended(&r, now + 1);
    recent_failed(&r, now + 1);
    recent_read(&r, now + 2, steps);
    ck_assert_uint_eq(ended_in_all(), 0);
    recent_read(&r, now + STEP, steps);
    ck_assert_uint_eq(ended(0), 2);
    ck_assert_uint_eq(steps[RECENT_STEPS - 1].failed, 1);
    ck_assert_uint_eq(steps[RECENT_STEPS - 1].answered, 1);
    ck_assert_uint_eq(steps[RECENT_STEPS - 1].p50_us, 3000);
    ck_assert_uint_eq(steps[RECENT_STEPS - 1].p99_us, 3000);
    recent_read(&r, now + 4 * STEP, steps);
    ck_assert_uint_eq(ended(3), 2);
    ck_assert_uint_eq(ended_in_all(), 2);
    recent_read(&r, now + RECENT_STEPS * STEP, steps);
    ck_assert_uint_eq(steps[0].ended, 2);
    recent_read(&r, now + (RECENT_STEPS + 1) * STEP, steps);
    ck_assert_uint_eq(ended_in_all(), 0);
}
END_TEST

/* Durations of one step do not affect the next. */
START_TEST(durations_are_of_their_step)
{
    uint64_t now = 77 * STEP;
    for (unsigned i = 0; i < 98; i++)
        recent_answered(&r, now, 1000);
    recent_answered(&r, now, 500000);
    recent_answered(&r, now, 500000);
    recent_answered(&r, now + STEP, 20);
    recent_read(&r, now + 2 * STEP, steps);
    ck_assert_uint_eq(steps[RECENT_STEPS - 2].answered, 100);
    ck_assert_uint_le(steps[RECENT_STEPS - 2].p50_us, 1020);
    ck_assert_uint_ge(steps[RECENT_STEPS - 2].p99_us, 490000);
    ck_assert_uint_eq(steps[RECENT_STEPS - 1].p99_us, 20);
}
END_TEST

START_TEST(pauses_are_empty)
{
    uint64_t now = 500 * STEP;
    for (unsigned i = 0; i < 200; i++)
        recent_ended(&r, now + i * STEP);
    now += 199 * STEP;
    recent_read(&r, now, steps);
    ck_assert_uint_eq(ended_in_all(), RECENT_STEPS);
    recent_ended(&r, now + 3 * STEP); /* two empty steps */
    recent_read(&r, now + 4 * STEP, steps);
    ck_assert_uint_eq(ended(0), 1);
    ck_assert_uint_eq(ended(1), 0);
    ck_assert_uint_eq(ended(2), 0);
    ck_assert_uint_eq(ended(3), 1);
    ck_assert_uint_eq(ended_in_all(), RECENT_STEPS - 2);
    recent_ended(&r, now + 1000 * STEP); /* longer than everything that is kept */
    recent_read(&r, now + 1001 * STEP, steps);
    ck_assert_uint_eq(ended_in_all(), 1);
    recent_ended(&r, now + 1000 * STEP + RECENT_STEPS * STEP);
    recent_read(&r, now + 1001 * STEP + RECENT_STEPS * STEP, steps);
    ck_assert_uint_eq(ended_in_all(), 1);
}
END_TEST

/* Of the open step and 59 past ones: all counts, and percentiles of all durations rather than of
 * the steps' percentiles. */
START_TEST(the_sum_of_five_minutes)
{
    struct recent_sum sum;
    uint64_t now = 1000 * STEP + 1;
    recent_begin(&r, now);
    recent_sum(&r, now, &sum);
    ck_assert_uint_eq(sum.covered_us, 0);
    ck_assert_uint_eq(sum.all.ended + sum.all.p99_us, 0);
    for (unsigned i = 0; i < 98; i++)
        recent_answered(&r, now, 1000);
    recent_ended(&r, now);
    recent_failed(&r, now);
    recent_unknown(&r, now);
    recent_lent(&r, now, false);
    now += STEP;
    recent_answered(&r, now, 500000);
    recent_answered(&r, now, 500000);
    recent_ended(&r, now);
    recent_stale(&r, now);
    recent_lent(&r, now, true);
    recent_sum(&r, now + 2, &sum);
    ck_assert_uint_eq(sum.covered_us, STEP + 2);
    ck_assert_uint_eq(sum.all.ended, 2);
    ck_assert_uint_eq(sum.all.failed, 1);
    ck_assert_uint_eq(sum.all.unknown, 1);
    ck_assert_uint_eq(sum.all.stale, 1);
    ck_assert_uint_eq(sum.all.lent, 2);
    ck_assert_uint_eq(sum.all.reused, 1);
    ck_assert_uint_eq(sum.all.answered, 100);
    ck_assert_uint_ge(sum.all.p50_us, 1000);
    ck_assert_uint_le(sum.all.p50_us, 1020);
    ck_assert_uint_eq(sum.all.p99_us, 500000);
    ck_assert_uint_eq(r.ended_us, now);
    recent_sum(&r, now + (RECENT_STEPS - 1) * STEP, &sum); /* the first step is forgotten */
    ck_assert_uint_eq(sum.covered_us, (RECENT_STEPS - 1) * STEP + 1);
    ck_assert_uint_eq(sum.all.answered, 2);
    ck_assert_uint_ge(sum.all.p50_us, 500000);
    recent_sum(&r, now + RECENT_STEPS * STEP, &sum);
    ck_assert_uint_eq(sum.all.ended + sum.all.answered + sum.all.p50_us, 0);
}
END_TEST

/* The counts of two, of which the durations are not added. */
START_TEST(sums_of_two)
{
    struct recent_sum sum;
    struct recent other = {0};
    recent_ended(&r, STEP);
    recent_ended(&other, 2 * STEP);
    recent_answered(&other, 2 * STEP, 70);
    recent_sum(&r, 2 * STEP, &sum);
    recent_sum_add(&sum, &other, 2 * STEP);
    ck_assert_uint_eq(sum.all.ended, 2);
    ck_assert_uint_eq(sum.all.p99_us, 0);
    recent_free(&other);
}
END_TEST

/* What a step held is freed when the step is reused, however late. */
START_TEST(packed_durations_do_not_pile_up)
{
    struct recent_sum sum;
    uint64_t now = 900 * STEP;
    for (unsigned i = 0; i < 3 * RECENT_STEPS; i++)
        recent_answered(&r, now + i * STEP, 10 + i);
    now += (3 * RECENT_STEPS - 1) * STEP;
    recent_sum(&r, now, &sum);
    ck_assert_uint_eq(sum.all.answered, RECENT_STEPS);
    ck_assert_uint_eq(sum.all.p99_us, 10 + 3 * RECENT_STEPS - 1);
    recent_answered(&r, now + 500 * STEP, 5);
    for (size_t i = 0; i < RECENT_STEPS; i++)
        ck_assert_ptr_null(r.took[i].at);
    recent_sum(&r, now + 500 * STEP, &sum);
    ck_assert_uint_eq(sum.all.answered, 1);
    ck_assert_uint_eq(sum.all.p50_us, 5);
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(nothing_yet);
    TEST(the_longest_wait);
    TEST(a_step_is_told_when_it_is_past);
    TEST(durations_are_of_their_step);
    TEST(pauses_are_empty);
    TEST(the_sum_of_five_minutes);
    TEST(sums_of_two);
    TEST(packed_durations_do_not_pile_up);
}
