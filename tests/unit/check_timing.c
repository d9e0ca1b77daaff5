#include "net/loop.h"
#include "suite.h"
#include "upstream/line.h"
#include "upstream/timing.h"

#define START_US 1000000000

static struct upstream_stats stats;
static uint64_t now_us;

static void begin(void)
{
    stats = (struct upstream_stats){0};
    now_us = START_US;
}

static void finish(void)
{
    stats_free(&stats);
}

static struct line_facts opened(uint64_t up_us)
{
    return (struct line_facts){
        .dns_us = 10, .connect_us = 20, .tls_us = 30, .up_us = up_us, .protocol = "h2"};
}

/* A line that has just been established is lent to a request that arrived `waited_us` before. */
static struct timing lend(bool reused, uint64_t waited_us)
{
    struct line_facts facts = opened(now_us);
    facts.reused = reused;
    struct timing t = {0};
    timing_waits(&t, now_us - waited_us);
    timing_lent(&t, &stats, &facts, 0, now_us);
    return t;
}

/* For a line that was opened, or was being opened, before the request arrived, only the time after
 * the arrival is charged. */
START_TEST(test_overlap)
{
    static const struct {
        int64_t came_before_up_us;
        uint64_t dns_us, connect_us, tls_us;
    } cases[] = {
        {-5000000, 0, 0, 0}, {0, 0, 0, 0},     {12, 0, 0, 12},
        {30, 0, 0, 30},      {35, 0, 5, 30},   {50, 0, 20, 30},
        {57, 7, 20, 30},     {60, 10, 20, 30}, {1000000, 10, 20, 30},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct line_facts facts = opened(now_us - 10000000);
        struct timing t = {0};
        timing_waits(&t, facts.up_us - (uint64_t)cases[i].came_before_up_us);
        timing_lent(&t, &stats, &facts, 0, now_us);
        ck_assert_uint_eq(t.dns_us, cases[i].dns_us);
        ck_assert_uint_eq(t.connect_us, cases[i].connect_us);
        ck_assert_uint_eq(t.tls_us, cases[i].tls_us);
        uint64_t opening = t.dns_us + t.connect_us + t.tls_us;
        ck_assert_uint_eq(t.queue_us, now_us - t.waiting_us - opening); /* they add up */
    }
}
END_TEST

/* The phases add up to the total: time spent opening the line is not counted as queue as well. */
START_TEST(test_fresh)
{
    struct timing t = lend(false, 1000060);
    ck_assert(!t.reused);
    ck_assert_str_eq(t.protocol, "h2");
    ck_assert_uint_eq(t.dns_us, 10);
    ck_assert_uint_eq(t.connect_us, 20);
    ck_assert_uint_eq(t.tls_us, 30);
    ck_assert_uint_eq(t.queue_us, 1000000);
    ck_assert_uint_eq(stats.queue.count, 1);
    t = lend(false, 0); /* the line was opened before the request arrived */
    ck_assert_uint_eq(t.dns_us + t.connect_us + t.tls_us + t.queue_us, 0);
}
END_TEST

/* The time taken to open a line is reported only for the request that waited for it. */
START_TEST(test_reused)
{
    struct timing t = lend(true, 70);
    ck_assert(t.reused);
    ck_assert_uint_eq(t.dns_us + t.connect_us + t.tls_us, 0);
    ck_assert_uint_eq(t.queue_us, 70);
}
END_TEST

START_TEST(test_answered)
{
    struct timing t = lend(true, 0);
    timing_answered(&t, &stats, now_us + 500);
    ck_assert_uint_eq(t.ttfb_us, 500);
    ck_assert_uint_eq(stats.ttfb.count, 1);
}
END_TEST

static const struct line_facts used = {.reused = true, .protocol = "http/1.1"};

/* Time at the gate and behind other requests counts as hold, as does a pause; the rest of a wait
 * counts as queue. */
START_TEST(test_hold)
{
    struct timing t = {0};
    timing_held(&t, now_us);         /* for its turn */
    timing_held(&t, now_us += 2000); /* at the gate */
    ck_assert_uint_eq(t.hold_us, 2000);
    timing_waits(&t, now_us += 3000);
    ck_assert_uint_eq(t.hold_us, 5000);
    timing_lent(&t, &stats, &used, 70000, now_us += 100000);
    ck_assert_uint_eq(t.hold_us, 75000);
    ck_assert_uint_eq(t.queue_us, 30000);
    ck_assert_uint_eq(stats.hold.count, 1);
    ck_assert_uint_eq(stats.hold.sum_us, t.hold_us);
    ck_assert_uint_eq(stats.queue.sum_us, t.queue_us);
    timing_gave_up(&t, 0, now_us + 1); /* the request does not wait */
    ck_assert_uint_eq(t.hold_us, 75000);
}
END_TEST

/* A pause is not longer than the wait; time spent opening the line is not counted as hold as
 * well. */
START_TEST(test_hold_adds_up)
{
    struct line_facts fresh = opened(now_us);
    struct timing t = {0};
    timing_waits(&t, now_us - 1000000);
    timing_lent(&t, &stats, &fresh, 5000000, now_us);
    ck_assert_uint_eq(t.queue_us, 0);
    ck_assert_uint_eq(t.hold_us, 1000000 - 60);
}
END_TEST

START_TEST(test_gave_up)
{
    struct timing t = {0};
    timing_gave_up(&t, 0, now_us);
    ck_assert_uint_eq(t.hold_us + t.queue_us, 0);
    timing_held(&t, now_us);
    timing_gave_up(&t, 0, now_us += 1000000);
    ck_assert(t.hold_us == 1000000 && t.queue_us == 0);
    t.hold_us = 0;
    timing_waits(&t, now_us);
    timing_gave_up(&t, 400000, now_us + 1000000);
    ck_assert(t.hold_us == 400000 && t.queue_us == 600000);
    ck_assert_uint_eq(stats.hold.count + stats.queue.count, 0); /* they got no line */
}
END_TEST

/* The waiting time adds up over all tries and is counted once; a failed try is reported
 * separately. */
START_TEST(test_tries)
{
    struct timing t = {0};
    timing_held(&t, now_us);
    timing_waits(&t, now_us += 300000);
    timing_lent(&t, &stats, &used, 0, now_us);
    timing_waits(&t, now_us += 500000);
    ck_assert(t.retried_us == 500000 && t.lent_us == 0);
    timing_lent(&t, &stats, &used, 0, now_us += 200000);
    ck_assert(t.hold_us == 300000 && t.queue_us == 200000);
    ck_assert_uint_eq(stats.hold.sum_us, t.hold_us);
    ck_assert_uint_eq(stats.queue.sum_us, t.queue_us);
    ck_assert_uint_eq(stats.queue.count, 2);
    timing_waits(&t, now_us += 1000);
    timing_lent(&t, &stats, &used, 0, now_us += 40000);
    ck_assert_uint_eq(t.queue_us, 240000);
    ck_assert_uint_eq(stats.queue.sum_us, t.queue_us);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(test_fresh);
    TEST(test_overlap);
    TEST(test_reused);
    TEST(test_answered);
    TEST(test_hold);
    TEST(test_hold_adds_up);
    TEST(test_gave_up);
    TEST(test_tries);
}
