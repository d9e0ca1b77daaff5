/* Slow requests: which phase is named, what the line says, how many there are at most. */
#include "front/slow_log.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECOND 1000000ull
#define NOW (5000 * SECOND)

static int saved, ends[2];
static char lines[32000];
static struct record r;
static struct slow_log slow;

static void setup(void)
{
    slow = (struct slow_log){.limit_us = SECOND};
    r = (struct record){.client = "unix",
                        .method = SPAN("GET"),
                        .upstream = "binance",
                        .target = SPAN("/api/v3/time"),
                        .status = 200,
                        .sent = SENT_YES,
                        .total_us = 2 * SECOND};
    ck_assert_int_eq(pipe(ends), 0);
    saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
}

static void teardown(void)
{
    close(ends[0]);
}

/* What was logged so far, from after the first line's time; ends the capture. */
static const char *logged(void)
{
    size_t len = 0;
    ssize_t n;
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    while ((n = read(ends[0], lines + len, sizeof lines - 1 - len)) > 0)
        len += (size_t)n;
    lines[len] = '\0';
    return len ? lines + sizeof "2026-11-27T09:00:00.123Z" : lines;
}

/* In seconds after the request's beginning, 2 s ago; 0: not reached. */
static const struct {
    double waiting, lent;
    uint64_t dns_us, connect_us, tls_us, queue_us, ttfb_us;
    const char *phase;
    double took;
} cases[] = {
    {0, 0, 0, 0, 0, 0, 0, "hold", 2},
    {1.6, 1.7, 0, 0, 0, SECOND / 10, SECOND / 10, "hold", 1.6},
    {0.1, 0, 0, 0, 0, 0, 0, "queue", 1.9},
    {0.1, 1.6, 0, 0, 0, 15 * SECOND / 10, SECOND / 10, "queue", 1.5},
    {0.1, 1.6, 12 * SECOND / 10, SECOND / 10, SECOND / 10, 0, SECOND / 10, "dns", 1.2},
    {0.1, 1.6, 0, 12 * SECOND / 10, SECOND / 10, 0, SECOND / 10, "connect", 1.2},
    {0.1, 1.6, 0, SECOND / 10, 12 * SECOND / 10, 0, SECOND / 10, "tls", 1.2},
    {0.1, 0.2, 0, 0, 0, SECOND / 10, 17 * SECOND / 10, "ttfb", 1.7},
    {0.1, 0.2, 0, 0, 0, SECOND / 10, 0, "ttfb", 1.8}, /* no head ever came */
    {1.1, 0.9, 0, 0, 0, 0, 0, "hold", 1.1},           /* waits again, after an earlier try */
    {0.1, 0.2, 0, 0, 0, SECOND / 10, SECOND / 2, "body", 1.3},
};

START_TEST(the_longest_phase_is_named)
{
    uint64_t began = NOW - r.total_us, took;
    uint64_t waiting = (uint64_t)(cases[_i].waiting * 1e6), lent = (uint64_t)(cases[_i].lent * 1e6);
    r.trip = (struct trip){.waiting_us = waiting ? began + waiting : 0,
                           .lent_us = lent ? began + lent : 0,
                           .dns_us = cases[_i].dns_us,
                           .connect_us = cases[_i].connect_us,
                           .tls_us = cases[_i].tls_us,
                           .queue_us = cases[_i].queue_us,
                           .ttfb_us = cases[_i].ttfb_us};
    const char *phase = slow_phase(&r, NOW, &took);
    logged();
    ck_assert_str_eq(phase, cases[_i].phase);
    ck_assert_double_eq_tol((double)took / 1e6, cases[_i].took, 0.001);
}
END_TEST

START_TEST(one_line_for_a_slow_one)
{
    r.total_us = SECOND - 1;
    slow_log_look(&slow, &r, NOW);
    r.total_us = SECOND;
    slow_log_look(&slow, &r, NOW);
    slow.limit_us = 0;
    slow_log_look(&slow, &r, NOW);
    ck_assert_str_eq(logged(), "warn upstream binance: slow: 1.000 s, of it hold 1.000 s: GET "
                               "/api/v3/time from unix, status 200, error -, sent=yes\n");
}
END_TEST

/* One that never had an upstream, nor an answer; a target that does not end. */
START_TEST(what_is_not_there)
{
    static char target[5000];
    memset(target, 'a', sizeof target);
    r.upstream = NULL;
    r.status = 0;
    r.error = FAILURE_CONNECTION_TIMEOUT;
    r.sent = SENT_NO;
    r.target = (struct span){target, sizeof target};
    slow_log_look(&slow, &r, NOW);
    const char *line = logged();
    ck_assert_int_eq(strncmp(line, "warn upstream -: slow: 2.000 s", 30), 0);
    ck_assert_ptr_nonnull(strstr(line, "status 0, error connection_timeout, sent=no\n"));
    ck_assert_uint_lt(strlen(line), 450);
}
END_TEST

START_TEST(a_flood_is_cut)
{
    for (int i = 0; i < 500; i++)
        slow_log_look(&slow, &r, NOW + (uint64_t)i);
    slow_log_look(&slow, &r, NOW + SLOW_LOG_WHILE_US);
    size_t count = 0;
    for (const char *p = logged(); (p = strchr(p, '\n')); p++)
        count++;
    ck_assert_uint_eq(count, SLOW_LOG_LINES + 2);
    ck_assert_ptr_nonnull(strstr(lines, "warn slow_log: 480 more slow requests were not told\n"));
    ck_assert_uint_eq(slow.untold, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slow_log");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, the_longest_phase_is_named, 0, COUNT_OF(cases));
    tcase_add_test(t, one_line_for_a_slow_one);
    tcase_add_test(t, what_is_not_there);
    tcase_add_test(t, a_flood_is_cut);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
