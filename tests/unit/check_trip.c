#include <check.h>

#include "net/loop.h"
#include "proxy/trip.h"
#include "upstream/line.h"

static struct upstream_stats stats;

static void begin(void)
{
    stats = (struct upstream_stats){0};
}

static void finish(void)
{
    stats_free(&stats);
}

static struct trip lend(bool reused, uint64_t waited_us)
{
    struct line_facts facts = {reused, 10, 20, 30, "http/1.1"};
    struct trip t = {0};
    trip_waits(&t);
    t.waiting_us -= waited_us;
    trip_lent(&t, &stats, &facts);
    return t;
}

/* Phases add up: what opening took is not told as queue again. */
START_TEST(test_fresh)
{
    struct trip t = lend(false, 1000060);
    ck_assert(!t.reused);
    ck_assert_str_eq(t.protocol, "http/1.1");
    ck_assert_uint_eq(t.dns_us, 10);
    ck_assert_uint_eq(t.connect_us, 20);
    ck_assert_uint_eq(t.tls_us, 30);
    ck_assert_uint_ge(t.queue_us, 1000000);
    ck_assert_uint_eq(stats.queue.count, 1);
    ck_assert_uint_eq(lend(false, 0).queue_us, 0); /* the line was opened before it came */
}
END_TEST

/* What opening the line took is told of the request that waited for it alone. */
START_TEST(test_reused)
{
    struct trip t = lend(true, 70);
    ck_assert(t.reused);
    ck_assert_uint_eq(t.dns_us + t.connect_us + t.tls_us, 0);
    ck_assert_uint_ge(t.queue_us, 70);
}
END_TEST

START_TEST(test_answered)
{
    struct trip t = lend(true, 0);
    t.lent_us -= 500;
    trip_answered(&t, &stats);
    ck_assert_uint_ge(t.ttfb_us, 500);
    ck_assert_uint_eq(stats.ttfb.count, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("trip");
    TCase *c = tcase_create("all");
    tcase_add_checked_fixture(c, begin, finish);
    tcase_add_test(c, test_fresh);
    tcase_add_test(c, test_reused);
    tcase_add_test(c, test_answered);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
