/* Which closes of idle lines count as the origin's idle limit, and which as accidents. */
#include "storm.h"
#include "suite.h"
#include "upstream/idle_learn.h"

#define HOUR_MS (3600 * 1000)

static struct idle_learn learn;
static uint64_t now = 10 * HOUR_MS;

static void begin(void)
{
    learn = (struct idle_learn){0};
}

/* A line became idle well after the previous close, and was closed after this time. */
static bool closed_at(uint64_t age_ms)
{
    now += age_ms + 5000;
    return idle_learn_add(&learn, now, age_ms, true);
}

static int64_t known(void)
{
    return idle_learn_ms(&learn, now);
}

START_TEST(test_three_that_agree)
{
    ck_assert(!closed_at(61000));
    ck_assert(!closed_at(60000));
    ck_assert_int_eq(known(), -1);
    ck_assert(closed_at(65000)); /* reported once */
    ck_assert_int_eq(known(), 60000);
    ck_assert(!closed_at(59000));
    ck_assert_int_eq(known(), 59000);
}
END_TEST

/* Less than 20 %. */
START_TEST(test_what_disagrees)
{
    closed_at(50000);
    closed_at(55000);
    closed_at(60000);
    ck_assert_int_eq(known(), -1);
    closed_at(59999);
    ck_assert_int_eq(known(), 50000);
    begin();
    closed_at(20000);
    closed_at(300000); /* other closes in between do not matter */
    closed_at(21000);
    closed_at(4000);
    closed_at(20500);
    ck_assert_int_eq(known(), 20000);
}
END_TEST

START_TEST(test_young_ones)
{
    for (int i = 0; i < 5; i++)
        ck_assert(!closed_at(700));
    ck_assert_int_eq(known(), -1);
    ck_assert(closed_at(710));
    ck_assert_int_eq(known(), 700);
    begin();
    for (int i = 0; i < 20; i++)
        closed_at(99); /* does not count */
    ck_assert_int_eq(known(), -1);
    for (int i = 0; i < 20; i++) { /* lines that min_idle opened and no request used */
        now += 3000;
        idle_learn_add(&learn, now, 500, false);
    }
    ck_assert_int_eq(known(), -1);
    for (int i = 0; i < 20; i++) { /* they were idle at the previous close: one restart */
        now += 400;
        idle_learn_add(&learn, now, 500 + 400 * (uint64_t)i, true);
    }
    ck_assert_int_eq(known(), -1);
    begin();
    closed_at(1990);
    closed_at(2000);
    closed_at(2010);
    closed_at(2020);
    ck_assert_int_eq(known(), 2000);
}
END_TEST

/* A restart closes many lines at once, with idle times of all lengths. */
START_TEST(test_restarts)
{
    for (uint64_t n = 0; n < 6; n++) {
        now += 120000;
        for (uint64_t i = 0; i < 8; i++)
            idle_learn_add(&learn, now + i * 100, 3000 + i * 2000, true);
    }
    ck_assert_int_eq(known(), -1);
}
END_TEST

/* A restart that takes some time: lines that became idle together are closed one after the
 * other. */
START_TEST(test_a_slow_restart)
{
    for (uint64_t i = 0; i < 12; i++) {
        now += 1500;
        idle_learn_add(&learn, now, 300000 + i * 1500, true);
    }
    ck_assert_int_eq(known(), -1);
}
END_TEST

/* If many lines reach the limit at once, that counts as one observation, but it does count. */
START_TEST(test_lines_together)
{
    for (uint64_t n = 0; n < 3; n++) {
        ck_assert_int_eq(known(), -1);
        now += 40000;
        for (uint64_t i = 0; i < 5; i++)
            idle_learn_add(&learn, now + i, 30000 + i, n == 0);
    }
    ck_assert_int_eq(known(), 30000);
}
END_TEST

START_TEST(test_lapses)
{
    closed_at(5000);
    uint64_t first = now;
    closed_at(5200);
    closed_at(5100);
    ck_assert_int_eq(idle_learn_ms(&learn, first + HOUR_MS), 5000);
    ck_assert_int_eq(idle_learn_ms(&learn, first + HOUR_MS + 1), -1);
    closed_at(5300);
    ck_assert_int_eq(idle_learn_ms(&learn, first + HOUR_MS + 1), 5000);
    now = first + HOUR_MS; /* the first one expires with the next; the others still agree */
    closed_at(5400);
    ck_assert_int_eq(known(), 5100);
    now += 2 * HOUR_MS;
    ck_assert_int_eq(known(), -1);
    closed_at(5000);
    closed_at(5000);
    ck_assert_int_eq(known(), -1); /* learned again */
    ck_assert(closed_at(5000));
}
END_TEST

/* Random closes: a learned limit is always the idle time of a close seen within the last hour. */
START_TEST(test_random)
{
    storm_seed(_i);
    uint64_t ages[2000], times[2000];
    for (size_t i = 0; i < COUNT_OF(ages); i++) {
        now += draw(300000);
        ages[i] = draw(100000);
        times[i] = now;
        idle_learn_add(&learn, now, ages[i], draw(2));
        bool found = known() < 0;
        for (size_t k = 0; k <= i && !found; k++)
            found = ages[k] == (uint64_t)known() && now - times[k] <= HOUR_MS;
        ck_assert(found);
    }
}
END_TEST

SUITE()
{
    FIXTURE(begin, NULL);
    TEST(test_three_that_agree);
    TEST(test_what_disagrees);
    TEST(test_young_ones);
    TEST(test_restarts);
    TEST(test_a_slow_restart);
    TEST(test_lines_together);
    TEST(test_lapses);
    STORM(test_random, 4);
}
