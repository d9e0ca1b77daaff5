/* The names of the counters, and the memory of their histograms. */
#include "upstream/stats.h"

#include "suite.h"

START_TEST(reasons_have_names)
{
    ck_assert_str_eq(close_reason_name(CLOSE_IDLE_TIMEOUT), "idle_timeout");
    ck_assert_str_eq(close_reason_name(CLOSE_DNS_CHANGE), "dns_change");
    ck_assert_str_eq(close_reason_name(CLOSE_DRAIN), "drain");
}
END_TEST

START_TEST(histograms_are_freed)
{
    struct upstream_stats s = {0};
    stats_free(&s);
    histogram_add(&s.total, 5);
    histogram_add(&s.queue, 5);
    histogram_add(&s.dns, 5);
    histogram_add(&s.connect, 5);
    histogram_add(&s.tls, 5);
    histogram_add(&s.ttfb, 5);
    stats_free(&s);
    ck_assert_ptr_null(s.ttfb.buckets);
}
END_TEST

START_TEST(another_is_added)
{
    struct upstream_stats a = {0}, b = {0};
    uint64_t n = 1;
#define COUNTER(member, path, metric, label, meaning) b.member = n++;
#define PHASE(member, key, meaning) histogram_add(&b.member, n++);
#include "upstream/stats.def"
    b.closed[CLOSE_DRAIN] = n++;
    b.status[4] = n++;
    b.ended[5] = n++;
    b.errors[FAILURE_COUNT - 1] = n++;
    stats_add(&a, &b);
    stats_add(&a, &b);
    n = 1;
#define COUNTER(member, path, metric, label, meaning) ck_assert_uint_eq(a.member, 2 * n++);
#define PHASE(member, key, meaning)                                                                \
    ck_assert_uint_eq(a.member.count, 2);                                                          \
    ck_assert_uint_eq(a.member.sum_us, 2 * n++);
#include "upstream/stats.def"
    ck_assert_uint_eq(a.closed[CLOSE_DRAIN], 2 * n++);
    ck_assert_uint_eq(a.status[4], 2 * n++);
    ck_assert_uint_eq(a.ended[5], 2 * n++);
    ck_assert_uint_eq(a.errors[FAILURE_COUNT - 1], 2 * n++);
    stats_free(&a);
    stats_free(&b);
}
END_TEST

SUITE()
{
    TEST(reasons_have_names);
    TEST(histograms_are_freed);
    TEST(another_is_added);
}
