/* Which endpoint is asked, over simulated exchanges in simulated time: how many requests go to the
 * fastest, how many are probes, and how soon a change is noticed. */
#include <string.h>

#include "suite.h"
#include "upstream/endpoint_choice.h"

#define MOST 8

static struct endpoint_pace paces[MOST];
static struct endpoint_standing at[MOST];
static struct endpoint_race race;
static size_t count, asked[MOST];
static uint64_t speed_us[MOST], now_us, dials[MOST];
static unsigned noise; /* of a hundred answers, so many take 30 ms more */
static uint32_t seed;

static void begin(size_t n, const uint64_t *ms)
{
    memset(paces, 0, sizeof paces);
    memset(at, 0, sizeof at);
    memset(asked, 0, sizeof asked);
    memset(dials, 0, sizeof dials);
    race = (struct endpoint_race){0};
    count = n;
    noise = 0;
    seed = 1;
    now_us = 5000000;
    for (size_t i = 0; i < n; i++) {
        at[i] = (struct endpoint_standing){.is_warm = true, .pace = &paces[i]};
        speed_us[i] = ms[i] * 1000;
    }
}

static uint64_t took(size_t i)
{
    seed = seed * 1103515245 + 12345;
    return speed_us[i] + ((seed >> 16) % 100 < noise ? 30000 : 0);
}

static size_t choose(void)
{
    size_t cold, i = endpoint_fastest(&race, at, count, 0, true, now_us / 1000, &cold);
    if (cold != SIZE_MAX)
        dials[cold]++;
    return i;
}

/* One request after another, with a pause of so many microseconds between them. */
static size_t ask(uint64_t pause_us)
{
    size_t i = choose();
    uint64_t us = took(i);
    asked[i]++;
    now_us += us;
    endpoint_answered(&paces[i], us, now_us / 1000);
    now_us += pause_us;
    return i;
}

static void ask_times(size_t times, uint64_t pause_us)
{
    memset(asked, 0, sizeof asked);
    while (times--)
        ask(pause_us);
}

/* Until so much time is over, and so many requests. */
static void ask_until(uint64_t ms, size_t least, uint64_t pause_us)
{
    uint64_t end = now_us + ms * 1000;
    for (size_t n = 0; n < least || now_us < end; n++)
        ask(pause_us);
}

START_TEST(nearly_all_go_to_the_fastest_after_30_answers)
{
    begin(6, (uint64_t[]){50, 40, 60, 5, 70, 80});
    ask_times(30, 0);
    for (size_t rate = 0; rate < 4; rate++) {
        ask_times(400, (uint64_t[]){0, 1000, 20000, 200000}[rate]);
        ck_assert_uint_ge(asked[3], 380);
        ck_assert_uint_le(asked[3], 396);
    }
    for (size_t i = 0; i < 6; i++) /* in turn */
        ck_assert_uint_ge(asked[i], 3);
}
END_TEST

/* Whatever the rate, up to thousands of requests a second. */
START_TEST(probes_are_1_to_5_percent)
{
    static const uint64_t pauses[] = {100, 300, 1000, 3000, 10000, 40000, 300000, 2000000};
    for (size_t n = 2; n <= MOST; n++) {
        for (size_t p = 0; p < COUNT_OF(pauses); p++) {
            begin(n, (uint64_t[MOST]){0, 9, 9, 9, 9, 9, 9, 9});
            ask_times(30, pauses[p]);
            ask_times(2000, pauses[p]);
            ck_assert_uint_ge(2000 - asked[0], 19);
            ck_assert_uint_le(2000 - asked[0], 100);
        }
    }
}
END_TEST

/* The fastest slows down, or another becomes faster than it, by much or by little. */
START_TEST(a_change_is_followed_within_5_s_and_30_requests)
{
    for (size_t n = 2; n <= 6; n++) {
        for (size_t better = 0; better < n; better++) {
            begin(n, (uint64_t[]){60, 70, 10, 80, 90, 100});
            ask_times(200, 3000);
            speed_us[better] = 3000;
            ask_until(5000, 30, 3000);
            ask_times(100, 3000);
            ck_assert_uint_ge(asked[better], 95);
        }
    }
    begin(6, (uint64_t[]){5, 8, 20, 30, 40, 50});
    ask_times(200, 10000);
    speed_us[0] = 900000;
    ask_until(5000, 30, 10000);
    ask_times(100, 10000);
    ck_assert_uint_ge(asked[1], 95);
    speed_us[0] = 5000;
    ask_until(5000, 30, 10000);
    ask_times(100, 10000);
    ck_assert_uint_ge(asked[0], 95);
}
END_TEST

/* Two endpoints and a slow client: 30 requests take longer than 5 s. */
START_TEST(a_slow_client_finds_it_within_30_requests)
{
    begin(2, (uint64_t[]){20, 100});
    ask_times(30, 1000000);
    speed_us[1] = 4000;
    ask_times(30, 1000000);
    ask_times(40, 1000000);
    ck_assert_uint_ge(asked[1], 38);
}
END_TEST

START_TEST(a_single_delay_changes_nothing)
{
    begin(3, (uint64_t[]){20, 10, 30});
    ask_times(60, 1000);
    endpoint_answered(&paces[1], 3000000, now_us / 1000);
    ck_assert_uint_eq(ask(0), 1);
    noise = 10;
    ask_times(2000, 1000);
    ck_assert_uint_ge(asked[1], 1800);
}
END_TEST

START_TEST(equals_do_not_alternate)
{
    size_t changes = 0, last;
    begin(3, (uint64_t[]){10, 10, 10});
    ask_times(40, 1000);
    last = race.best;
    for (size_t i = 0; i < 500; i++) {
        ask(1000);
        changes += race.best != last;
        last = race.best;
    }
    ck_assert_uint_eq(changes, 0);
}
END_TEST

/* Each is asked three times, the first of them first. */
START_TEST(it_begins_by_learning)
{
    begin(3, (uint64_t[]){10, 20, 5});
    for (size_t i = 0; i < 9; i++)
        ck_assert_uint_eq(ask(0), i % 3);
    ck_assert_uint_eq(ask(0), 2);
    begin(3, (uint64_t[]){10, 20, 5}); /* though no answer has come yet */
    for (size_t i = 0; i < 9; i++)
        ck_assert_uint_eq(choose(), i % 3);
    ck_assert_uint_eq(choose(), 0);
}
END_TEST

START_TEST(one_that_is_down_gets_nothing)
{
    begin(3, (uint64_t[]){10, 5, 20});
    ask_times(40, 1000);
    at[1].is_open = true;
    ask_times(100, 1000);
    ck_assert_uint_eq(asked[1], 0);
    ck_assert_uint_ge(asked[0], 95);
    at[0].is_open = at[2].is_open = true;
    ck_assert_uint_eq(choose(), 0); /* all are: the first, */
    at[2].may_probe = true;
    ck_assert_uint_eq(choose(), 2); /* or one whose circuit may be tried */
    at[1].is_open = false;
    ck_assert_uint_eq(choose(), 1);
}
END_TEST

START_TEST(failures_count_as_slow)
{
    begin(2, (uint64_t[]){5, 40});
    ask_times(40, 1000);
    endpoint_failed(&paces[0], 0, now_us / 1000);
    ck_assert_uint_eq(ask(0), 1);
    ask_until(5000, 30, 1000); /* it is well again */
    ask_times(40, 1000);
    ck_assert_uint_ge(asked[0], 38);
    for (int i = 0; i < 6; i++)
        endpoint_erred(&paces[0], 100, now_us / 1000);
    ck_assert_uint_eq(ask(0), 1);
}
END_TEST

/* A request that has tried one goes to another, and is no probe. */
START_TEST(moved_ones_take_the_best_of_the_rest)
{
    size_t cold;
    begin(3, (uint64_t[]){5, 40, 20});
    ask_times(200, 1000);
    race.since = 1000;
    ck_assert_uint_eq(endpoint_fastest(&race, at, 3, 1, false, now_us / 1000, &cold), 2);
    ck_assert_uint_eq(endpoint_fastest(&race, at, 3, 5, false, now_us / 1000, &cold), 1);
    ck_assert_uint_eq(endpoint_fastest(&race, at, 3, 7, false, now_us / 1000, &cold), SIZE_MAX);
    ck_assert_uint_eq(race.since, 1000);
}
END_TEST

/* A probe waits for no connection: it goes where there is one, and the other gets one for the next. */
START_TEST(a_cold_one_is_dialled_before_it_is_probed)
{
    begin(3, (uint64_t[]){5, 40, 20});
    ask_times(30, 1000);
    at[1].is_warm = at[2].is_warm = false;
    ask_times(1000, 10000);
    ck_assert_uint_eq(asked[0], 1000);
    ck_assert_uint_gt(dials[1], 0);
    ck_assert_uint_gt(dials[2], 0);
    at[2].is_warm = true;
    ask_times(100, 10000);
    ck_assert_uint_ge(asked[2], 1);
    ck_assert_uint_le(asked[2], 5);
}
END_TEST

START_TEST(others_go_to_the_first)
{
    begin(4, (uint64_t[]){50, 40, 30, 20});
    ck_assert_uint_eq(endpoint_first(at, 4, 0), 0);
    ck_assert_uint_eq(endpoint_first(at, 4, 1), 1);
    at[1].is_open = true;
    ck_assert_uint_eq(endpoint_first(at, 4, 1), 2);
    ck_assert_uint_eq(endpoint_first(at, 4, 13), 1);
    ck_assert_uint_eq(endpoint_first(at, 4, 15), SIZE_MAX);
    at[0].is_open = at[2].is_open = at[3].is_open = true;
    ck_assert_uint_eq(endpoint_first(at, 4, 0), 0);
    at[3].may_probe = true;
    ck_assert_uint_eq(endpoint_first(at, 4, 0), 3);
}
END_TEST

/* However many ask, each of the others is asked once in a round, or with one request of a hundred. */
START_TEST(there_are_no_more_probes_than_needed)
{
    begin(3, (uint64_t[]){5, 50, 50});
    ask_times(30, 1000);
    ask_until(5 * ENDPOINT_ROUND_MS, 0, 1000); /* until what it has learned lately is in */
    memset(asked, 0, sizeof asked);
    ask_until(5 * ENDPOINT_ROUND_MS, 0, 1000);
    size_t total = asked[0] + asked[1] + asked[2], by_time = 2 * 5;
    size_t most = by_time > total / (ENDPOINT_PROBE_AT_LEAST + 1)
                      ? by_time
                      : total / (ENDPOINT_PROBE_AT_LEAST + 1);
    ck_assert_uint_le(asked[1] + asked[2], most + 2);
}
END_TEST

SUITE()
{
    TEST(nearly_all_go_to_the_fastest_after_30_answers);
    TEST(probes_are_1_to_5_percent);
    TEST(there_are_no_more_probes_than_needed);
    TEST(a_change_is_followed_within_5_s_and_30_requests);
    TEST(a_slow_client_finds_it_within_30_requests);
    TEST(a_single_delay_changes_nothing);
    TEST(equals_do_not_alternate);
    TEST(it_begins_by_learning);
    TEST(one_that_is_down_gets_nothing);
    TEST(failures_count_as_slow);
    TEST(moved_ones_take_the_best_of_the_rest);
    TEST(a_cold_one_is_dialled_before_it_is_probed);
    TEST(others_go_to_the_first);
}
