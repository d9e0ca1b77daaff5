/* The warning about our clock: when it comes, what it says, that it comes once, and that no more
 * responses are looked at than teach something. */
#include "upstream/clock_watch.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "suite.h"

static struct loop *loop;
static struct clock_watch watch;
static char lines[4000];
static int ends[2], saved;

static void begin(void)
{
    loop = loop_new();
    loop_hold(loop);
    watch = (struct clock_watch){0};
    ck_assert_int_eq(pipe(ends), 0);
    saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
}

/* What was logged. */
static const char *logged(void)
{
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t n = read(ends[0], lines, sizeof lines - 1);
    lines[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    return lines;
}

static void finish(void)
{
    loop_free(loop);
}

static unsigned count(const char *words)
{
    unsigned n = 0;
    for (const char *at = lines; (at = strstr(at, words)); at++)
        n++;
    return n;
}

/* A response of an origin whose clock is so many seconds ahead of ours. */
static void answer(int ahead_s)
{
    struct arena *a = arena_new();
    struct fields fields = {0};
    char date[64];
    struct tm tm;
    time_t then = (time_t)loop_wall_s(loop) + ahead_s;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&then, &tm));
    fields_add(&fields, a, SPAN("Date"), span_of(date));
    clock_watch_learn(&watch, loop, &fields, loop_clock_us(loop), "upstream ex");
    arena_free(a);
}

static void answers(int count, int ahead_s)
{
    for (int i = 0; i < count; i++) {
        answer(ahead_s);
        loop_skip(loop, 1370);
    }
}

START_TEST(a_clock_that_is_off_warns_once)
{
    answers(2, 7);
    ck_assert(!watch.is_off);
    answers(100, 7);
    ck_assert(watch.is_off);
    logged();
    ck_assert_uint_eq(count("warn"), 1);
    ck_assert_uint_eq(count("upstream ex: our clock is"), 1);
    ck_assert_uint_eq(count("behind the exchange's"), 1);
    ck_assert_uint_eq(count("-1021"), 1);
}
END_TEST

START_TEST(it_warns_again_once_it_was_well)
{
    answers(30, -7);
    ck_assert(watch.is_off);
    answers(30, 0);
    ck_assert(!watch.is_off);
    answers(30, -7);
    ck_assert(watch.is_off);
    logged();
    ck_assert_uint_eq(count("ahead of the exchange's"), 2);
    ck_assert_uint_eq(count("agrees with the exchange's again"), 1);
}
END_TEST

START_TEST(a_clock_that_is_right_is_no_news)
{
    answers(100, 0);
    ck_assert_str_eq(logged(), "");
    struct origin_clock_view v = clock_watch_view(&watch, loop);
    ck_assert_uint_eq(v.samples, 100);
    ck_assert_int_lt(v.error_us, 100000);
}
END_TEST

START_TEST(more_in_a_second_are_not_looked_at)
{
    for (int i = 0; i < 1000; i++)
        answer(0);
    ck_assert_uint_ge(clock_watch_view(&watch, loop).samples, 30);
    ck_assert_uint_le(clock_watch_view(&watch, loop).samples, 64);
    loop_skip(loop, 1000);
    answer(0);
    ck_assert_uint_eq(watch.looked, 1);
    logged();
}
END_TEST

START_TEST(without_a_date_nothing_is_known)
{
    struct fields none = {0};
    clock_watch_learn(&watch, loop, &none, loop_clock_us(loop), "upstream ex");
    ck_assert_uint_eq(clock_watch_view(&watch, loop).samples, 0);
    ck_assert_uint_eq(watch.looked, 0);
    logged();
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(a_clock_that_is_off_warns_once);
    TEST(it_warns_again_once_it_was_well);
    TEST(a_clock_that_is_right_is_no_news);
    TEST(more_in_a_second_are_not_looked_at);
    TEST(without_a_date_nothing_is_known);
}
