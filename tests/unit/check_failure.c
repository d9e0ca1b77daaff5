/* Errors with the names of RFC 9209, and the verdicts made from them. */
#include "base/failure.h"

#include <string.h>

#include "suite.h"

START_TEST(names_and_statuses)
{
    ck_assert_str_eq(failure_name(FAILURE_CONNECTION_REFUSED), "connection_refused");
    ck_assert_str_eq(failure_name(FAILURE_PROXY_LOOP_DETECTED), "proxy_loop_detected");
    ck_assert_int_eq(failure_status(FAILURE_HTTP_RESPONSE_TIMEOUT), 504);
    ck_assert_int_eq(failure_status(FAILURE_DESTINATION_IP_PROHIBITED), 403);
    ck_assert_str_eq(sent_name(SENT_NO), "no");
    ck_assert_str_eq(sent_name(SENT_PARTIAL), "partial");
    ck_assert_str_eq(sent_name(SENT_YES), "yes");
    for (int f = 0; f < FAILURE_COUNT; f++)
        ck_assert_int_eq((int)strspn(failure_name((enum failure)f), "abcdefghijklmnopqrstuvwxyz_"),
                         (int)strlen(failure_name((enum failure)f)));
}
END_TEST

START_TEST(verdicts)
{
    struct verdict v = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_PARTIAL, "%s %d", "after", 9);
    ck_assert_int_eq(v.error, FAILURE_HTTP_REQUEST_ERROR);
    ck_assert_int_eq(v.sent, SENT_PARTIAL);
    ck_assert_str_eq(v.detail, "after 9");
    ck_assert_uint_eq(v.retry_after, 0);
    ck_assert_int_eq(verdict_status(&v), 400);
    v.status = 431;
    ck_assert_int_eq(verdict_status(&v), 431);
}
END_TEST

START_TEST(long_details_are_cut)
{
    struct verdict v = verdict_make(FAILURE_DNS_ERROR, SENT_NO, "%1000d", 1);
    ck_assert_uint_eq(strlen(v.detail), sizeof v.detail - 1);
}
END_TEST

SUITE()
{
    TEST(names_and_statuses);
    TEST(verdicts);
    TEST(long_details_are_cut);
}
