/* Our clock against an origin's, over clocks that a test makes up: that the true offset is always
 * within the error told, how soon it becomes narrow, and what steps, drift, caches and several
 * servers do. */
#include "http/origin_clock.h"

#include <stdlib.h>

#include "storm.h"
#include "suite.h"

#define S INT64_C(1000000)
#define EPOCH (INT64_C(1764230400) * S) /* the wall clock when the monotonic one shows 0 */

static struct origin_clock c;
static uint64_t now_us;
static int64_t wall_step_us; /* by which our wall clock was set */
static int64_t ahead_us;     /* ours, of the origin's */
static int64_t drift_ppm;

static void begin(void)
{
    c = (struct origin_clock){0};
    now_us = 17 * (uint64_t)S;
    wall_step_us = ahead_us = drift_ppm = 0;
}

static int64_t wall_us(void)
{
    return EPOCH + (int64_t)now_us + wall_step_us;
}

/* Not stepped when our wall clock is: the origin's. */
static int64_t origin_us(void)
{
    return EPOCH + (int64_t)now_us - ahead_us - (int64_t)now_us * drift_ppm / S;
}

static int64_t truth(void)
{
    return wall_us() - origin_us();
}

/* A request whose way there takes `there_us`, and whose response takes `back_us`. */
static void ask(uint64_t there_us, uint64_t back_us)
{
    uint64_t sent_us = now_us;
    now_us += there_us;
    int64_t date_s = origin_us() / S;
    now_us += back_us;
    origin_clock_add(&c, date_s, sent_us, now_us);
}

static struct origin_clock_view view(void)
{
    return origin_clock_view(&c, now_us, wall_us());
}

static bool is_true(void)
{
    struct origin_clock_view v = view();
    return v.samples == 0 || llabs(truth() - v.offset_us) <= v.error_us;
}

START_TEST(nothing_is_known_at_first)
{
    ck_assert_uint_eq(view().samples, 0);
    ck_assert_int_eq(view().offset_us, 0);
    struct origin_clock_view v = view();
    ck_assert_int_eq(origin_clock_surely_off(&v), 0);
}
END_TEST

START_TEST(one_response_knows_it_to_a_second)
{
    ahead_us = -7300000;
    ask(20000, 30000);
    ck_assert(is_true());
    struct origin_clock_view v = view();
    ck_assert_uint_eq(v.samples, 1);
    ck_assert(v.error_us >= (S + 60000) / 2 && v.error_us < (S + 60000) / 2 + 5000);
    ck_assert_int_gt(origin_clock_surely_off(&v), 6 * S);
}
END_TEST

/* As many as that at any times, and it is known to a tenth of a second. */
START_TEST(thirty_responses_know_it_well)
{
    ahead_us = 7300000;
    for (int i = 0; i < 29; i++) {
        ask(10000, 15000);
        now_us += 730000;
    }
    ck_assert(is_true());
    ck_assert_uint_eq(view().samples, 29);
    ck_assert_int_lt(view().error_us, 100000);
    ck_assert_int_lt(llabs(view().offset_us - 7300000), 100000);
}
END_TEST

/* Whatever the paths, the rate and the drift within reason: the truth is within the error. */
START_TEST(the_truth_is_within_the_error)
{
    storm_seed(_i);
    ahead_us = (int64_t)draw(20000) * 1000 - 10 * S;
    drift_ppm = (int64_t)draw(160) - 80;
    unsigned pause = 1 + draw(one_in(2) ? 3000000 : 60000000);
    unsigned path = 1 + draw(400000);
    for (int i = 0; i < 400; i++) {
        ask(draw(path), draw(path / 10 + 1));
        ck_assert_msg(is_true(), "%d: %lld, not %lld give or take %lld", i, (long long)truth(),
                      (long long)view().offset_us, (long long)view().error_us);
        now_us += draw(pause);
        ck_assert(is_true());
        if (one_in(50))
            wall_step_us += (int64_t)draw(4000000) - 2 * S;
    }
    ck_assert_uint_gt(view().samples, 0);
}
END_TEST

/* Our clock is set: what was learned stays, and the offset is right at once. */
START_TEST(our_clock_is_set)
{
    ahead_us = 3 * S;
    for (int i = 0; i < 30; i++) {
        ask(1000, 1000);
        now_us += 370000;
    }
    int64_t error = view().error_us;
    wall_step_us = -3 * S;
    ck_assert(is_true());
    ck_assert_int_eq(view().error_us, error);
    ck_assert_int_lt(llabs(view().offset_us), 100000);
}
END_TEST

START_TEST(the_origins_clock_is_set)
{
    for (int i = 0; i < 30; i++) {
        ask(1000, 1000);
        now_us += 370000;
    }
    ahead_us = 5 * S;
    for (int i = 0; i < 29; i++) {
        ask(1000, 1000);
        now_us += 370000;
    }
    ck_assert(is_true());
    ck_assert_int_lt(view().error_us, 200000);
    ck_assert_uint_eq(view().samples, 29);
}
END_TEST

/* One server of several, or a cache, that is seldom asked. */
START_TEST(odd_responses_teach_nothing)
{
    for (int i = 0; i < 200; i++) {
        ahead_us = i % 5 == 4 ? 60 * S : 0;
        ask(1000, 1000);
        now_us += 370000;
    }
    ahead_us = 0;
    ck_assert(is_true());
    ck_assert_int_lt(view().error_us, 100000);
}
END_TEST

START_TEST(it_is_forgotten_after_ten_minutes)
{
    ask(1000, 1000);
    now_us += 500 * (uint64_t)S;
    ck_assert_uint_eq(view().samples, 1);
    now_us += 101 * (uint64_t)S;
    ck_assert_uint_eq(view().samples, 0);
    ahead_us = 9 * S;
    ask(1000, 1000);
    ck_assert(view().samples == 1 && is_true());
}
END_TEST

START_TEST(absurd_times_are_ignored)
{
    origin_clock_add(&c, -1, 1, 2);
    origin_clock_add(&c, INT64_MAX, 1, 2);
    origin_clock_add(&c, 5, 2, 1);
    ck_assert_uint_eq(view().samples, 0);
    origin_clock_add(&c, 253402300799, now_us, now_us); /* the last second of 9999 */
    ck_assert_uint_eq(view().samples, 1);
}
END_TEST

static bool date_of(const char *name, const char *value, int64_t *date)
{
    struct arena *a = arena_new();
    struct fields fields = {0};
    fields_add(&fields, a, SPAN("Date"), SPAN("Sun, 06 Nov 1994 08:49:37 GMT"));
    if (name)
        fields_add(&fields, a, span_of(name), span_of(value));
    bool found = origin_clock_date(&fields, 784111777, date);
    arena_free(a);
    return found;
}

START_TEST(the_date_of_a_cache_does_not_count)
{
    int64_t date = 0;
    struct fields none = {0};
    ck_assert(date_of(NULL, NULL, &date));
    ck_assert_int_eq(date, 784111777);
    ck_assert(date_of("X-Cache", "Miss", &date));
    ck_assert(!date_of("age", "0", &date));
    ck_assert(!origin_clock_date(&none, 784111777, &date));
}
END_TEST

SUITE()
{
    FIXTURE(begin, NULL);
    TEST(nothing_is_known_at_first);
    TEST(one_response_knows_it_to_a_second);
    TEST(thirty_responses_know_it_well);
    STORM(the_truth_is_within_the_error, 200);
    TEST(our_clock_is_set);
    TEST(the_origins_clock_is_set);
    TEST(odd_responses_teach_nothing);
    TEST(it_is_forgotten_after_ten_minutes);
    TEST(absurd_times_are_ignored);
    TEST(the_date_of_a_cache_does_not_count);
}
