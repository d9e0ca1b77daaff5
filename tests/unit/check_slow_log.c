/* Slow requests: which phase is named, what the line says, how many there are at most. */
#include "front/slow_log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"

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

#define TENTHS (SECOND / 10)

/* `lent`: how many seconds after its beginning, which is 2 s ago, the request got a connection;
 * 0: it got none. */
static const struct {
    double lent;
    uint64_t hold, queue, dns, connect, tls, ttfb, retried; /* tenths of a second */
    enum cache_result cache;
    const char *phase;
    double took;
} cases[] = {
    {0, 0, 0, 0, 0, 0, 0, 0, CACHE_NONE, "body", 2}, /* the request's */
    {0, 0, 0, 0, 0, 0, 0, 0, CACHE_COLLAPSED, "ttfb", 2},
    {0, 19, 0, 0, 0, 0, 0, 0, CACHE_NONE, "hold", 1.9},
    {1.7, 15, 1, 0, 0, 0, 1, 0, CACHE_NONE, "hold", 1.5},
    {0, 3, 16, 0, 0, 0, 0, 0, CACHE_NONE, "queue", 1.6},
    {1.6, 0, 15, 0, 0, 0, 1, 0, CACHE_NONE, "queue", 1.5},
    {1.6, 0, 0, 12, 1, 1, 1, 0, CACHE_NONE, "dns", 1.2},
    {1.6, 0, 0, 0, 12, 1, 1, 0, CACHE_NONE, "connect", 1.2},
    {1.6, 0, 0, 0, 1, 12, 1, 0, CACHE_NONE, "tls", 1.2},
    {0.2, 0, 1, 0, 0, 0, 17, 0, CACHE_MISS, "ttfb", 1.7},
    {0.2, 0, 1, 0, 0, 0, 0, 0, CACHE_NONE, "ttfb", 1.8}, /* no head arrived */
    {0, 0, 9, 0, 0, 0, 0, 11, CACHE_NONE, "retried", 1.1},
    {0.2, 0, 1, 0, 0, 0, 5, 0, CACHE_NONE, "body", 1.4},
};

START_TEST(the_longest_phase_is_named)
{
    uint64_t began = NOW - r.total_us, took;
    uint64_t lent = (uint64_t)(cases[_i].lent * 1e6);
    r.cache.result = cases[_i].cache;
    r.timing = (struct timing){.lent_us = lent ? began + lent : 0,
                               .hold_us = cases[_i].hold * TENTHS,
                               .queue_us = cases[_i].queue * TENTHS,
                               .dns_us = cases[_i].dns * TENTHS,
                               .connect_us = cases[_i].connect * TENTHS,
                               .tls_us = cases[_i].tls * TENTHS,
                               .ttfb_us = cases[_i].ttfb * TENTHS,
                               .retried_us = cases[_i].retried * TENTHS};
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
    ck_assert_str_eq(logged(), "warn upstream binance: slow: 1.000 s, of it body 1.000 s: GET "
                               "/api/v3/time from unix, status 200, error -, sent=yes id=-\n");
}
END_TEST

/* A request without upstream and response, and one with a very long target. */
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
    ck_assert_ptr_nonnull(strstr(line, "status 0, error connection_timeout, sent=no id=-\n"));
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
    ck_assert_ptr_nonnull(strstr(lines, "warn slow_log: 480 more slow requests were not logged\n"));
    ck_assert_uint_eq(slow.left_out, 0);
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    LOOP(the_longest_phase_is_named, 0, COUNT_OF(cases));
    TEST(one_line_for_a_slow_one);
    TEST(what_is_not_there);
    TEST(a_flood_is_cut);
}
