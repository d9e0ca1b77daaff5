/* The counters' names, and their histograms' memory. */
#include "upstream/stats.h"

#include <check.h>

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

int main(void)
{
    Suite *suite = suite_create("stats");
    TCase *all = tcase_create("all");
    tcase_add_test(all, reasons_have_names);
    tcase_add_test(all, histograms_are_freed);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
