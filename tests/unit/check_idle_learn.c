#include <check.h>

#include "upstream/idle_learn.h"

#define HOUR_MS (3600 * 1000)

static struct idle_learn learn;
static uint64_t now = 1000000;

static void begin(void)
{
    learn = (struct idle_learn){0};
}

/* An event of its own, long enough after the one before. */
static void closed_after(uint64_t age_ms)
{
    now += 5000;
    idle_learn_add(&learn, now, age_ms);
}

START_TEST(test_one_says_nothing)
{
    ck_assert_int_eq(idle_learn_ms(&learn, now), -1);
    closed_after(60000);
    ck_assert_int_eq(idle_learn_ms(&learn, now), -1);
    closed_after(61000);
    ck_assert_int_eq(idle_learn_ms(&learn, now), 60000);
}
END_TEST

START_TEST(test_young_ones_do_not_count)
{
    closed_after(99);
    closed_after(0);
    closed_after(5000);
    ck_assert_int_eq(idle_learn_ms(&learn, now), -1);
    closed_after(100);
    ck_assert_int_eq(idle_learn_ms(&learn, now), 100);
}
END_TEST

START_TEST(test_last_eight)
{
    closed_after(1000);
    for (int i = 0; i < 7; i++)
        closed_after(20000 + (uint64_t)i);
    ck_assert_int_eq(idle_learn_ms(&learn, now), 1000);
    closed_after(30000); /* pushes the first one out */
    ck_assert_int_eq(idle_learn_ms(&learn, now), 20000);
}
END_TEST

/* A limit met by many lines at once: one event, of which the longest age counts. */
START_TEST(test_burst_is_one)
{
    closed_after(10000);
    for (uint64_t i = 0; i < 20; i++)
        idle_learn_add(&learn, now + i * 10, 9000 + i * 100);
    ck_assert_int_eq(idle_learn_ms(&learn, now), -1);
    closed_after(12000);
    ck_assert_int_eq(idle_learn_ms(&learn, now), 10900);
}
END_TEST

START_TEST(test_lapses)
{
    closed_after(5000);
    uint64_t first = now;
    closed_after(7000);
    closed_after(8000);
    ck_assert_int_eq(idle_learn_ms(&learn, first + HOUR_MS), 5000);
    ck_assert_int_eq(idle_learn_ms(&learn, first + HOUR_MS + 1), 7000);
    ck_assert_int_eq(idle_learn_ms(&learn, now + HOUR_MS + 1), -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("idle_learn");
    TCase *c = tcase_create("all");
    tcase_add_checked_fixture(c, begin, NULL);
    tcase_add_test(c, test_one_says_nothing);
    tcase_add_test(c, test_young_ones_do_not_count);
    tcase_add_test(c, test_last_eight);
    tcase_add_test(c, test_burst_is_one);
    tcase_add_test(c, test_lapses);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
