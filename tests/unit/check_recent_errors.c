/* The most recent failures: the latest first, equal ones combined, and no more than there is room
 * for. */
#include "proxy/recent_errors.h"

#include <stdio.h>

#include "suite.h"

static struct recent_errors t;

static void setup(void)
{
    t = (struct recent_errors){0};
}

static void refused(const char *upstream, const char *words, time_t now)
{
    struct verdict v = verdict_make(FAILURE_CONNECTION_REFUSED, SENT_NO, "%s", words);
    recent_errors_add(&t, upstream, &v, 502, now);
}

START_TEST(the_latest_is_first)
{
    refused("a", "one", 1);
    refused(NULL, "two", 2);
    recent_errors_add_status(&t, "b", 503, 3);
    ck_assert_uint_eq(t.count, 3);
    ck_assert_str_eq(t.at[0].upstream, "b");
    ck_assert_str_eq(t.at[0].words, "the exchange answered with status 503");
    ck_assert_int_eq(t.at[0].error, FAILURE_NONE);
    ck_assert_int_eq(t.at[0].sent, SENT_YES);
    ck_assert_uint_eq(t.at[0].status, 503);
    ck_assert_str_eq(t.at[1].upstream, "");
    ck_assert_str_eq(t.at[2].words, "one");
    ck_assert_int_eq(t.at[2].error, FAILURE_CONNECTION_REFUSED);
    ck_assert_uint_eq(t.at[2].status, 502);
    ck_assert_int_eq(t.at[2].last, 1);
}
END_TEST

START_TEST(a_failure_by_its_body_is_told)
{
    recent_errors_add_status(&t, "kraken", 200, 3);
    ck_assert_str_eq(t.at[0].words,
                     "the exchange answered with status 200 and error_prefix in the body");
}
END_TEST

START_TEST(alike_ones_are_counted)
{
    struct verdict partial = verdict_make(FAILURE_CONNECTION_REFUSED, SENT_PARTIAL, "one");
    refused("a", "one", 1);
    refused("b", "one", 2);
    refused("a", "one", 3);
    refused("a", "one", 4);
    ck_assert_uint_eq(t.count, 2);
    ck_assert_str_eq(t.at[0].upstream, "a");
    ck_assert_uint_eq(t.at[0].count, 3);
    ck_assert_int_eq(t.at[0].last, 4);
    ck_assert_uint_eq(t.at[1].count, 1);
    recent_errors_add(&t, "a", &partial, 502, 5); /* another verdict is another failure */
    ck_assert_uint_eq(t.count, 3);
}
END_TEST

START_TEST(the_oldest_goes)
{
    char words[20];
    for (int i = 0; i < 3 * RECENT_ERRORS_MAX; i++) {
        snprintf(words, sizeof words, "number %d", i);
        refused("a", words, i);
    }
    ck_assert_uint_eq(t.count, RECENT_ERRORS_MAX);
    ck_assert_str_eq(t.at[0].words, "number 59");
    ck_assert_str_eq(t.at[RECENT_ERRORS_MAX - 1].words, "number 40");
    refused("a", "number 40", 100);
    ck_assert_uint_eq(t.count, RECENT_ERRORS_MAX);
    ck_assert_str_eq(t.at[0].words, "number 40");
    ck_assert_uint_eq(t.at[0].count, 2);
    ck_assert_str_eq(t.at[RECENT_ERRORS_MAX - 1].words, "number 41");
}
END_TEST

START_TEST(what_is_long_is_cut)
{
    char name[200];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    refused(name, name, 1);
    refused(name, name, 2);
    ck_assert_uint_eq(t.count, 1);
    ck_assert_uint_eq(strlen(t.at[0].upstream), sizeof t.at[0].upstream - 1);
    ck_assert_uint_eq(strlen(t.at[0].words), sizeof t.at[0].words - 1);
    ck_assert_uint_eq(t.at[0].count, 2);
}
END_TEST

SUITE()
{
    FIXTURE(setup, NULL);
    TEST(the_latest_is_first);
    TEST(a_failure_by_its_body_is_told);
    TEST(alike_ones_are_counted);
    TEST(the_oldest_goes);
    TEST(what_is_long_is_cut);
}
