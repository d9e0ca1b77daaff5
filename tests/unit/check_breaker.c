#include "suite.h"
#include "upstream/breaker.h"

static const struct upstream_config settings = {
    .breaker_failures = 3, .breaker_min = 1000, .breaker_max = 5000};

#define DRAWN 200 /* a pause of exactly the configured length */

static void fail_often(struct breaker *b, unsigned times, uint64_t now)
{
    for (unsigned i = 0; i < times; i++)
        (void)!breaker_failed(b, &settings, now, DRAWN);
}

static bool allows(const struct breaker *b, uint64_t now, size_t probes)
{
    return breaker_when(b, probes, true) <= now;
}

START_TEST(test_opens_at_the_limit)
{
    struct breaker b = {0};
    ck_assert(allows(&b, 100, 0) && allows(&b, 100, 9));
    ck_assert_str_eq(breaker_word(&b, 3), "closed");
    ck_assert(!breaker_failed(&b, &settings, 100, DRAWN));
    ck_assert(!breaker_failed(&b, &settings, 100, DRAWN));
    ck_assert(!breaker_is_open(&b) && allows(&b, 100, 0));
    ck_assert(breaker_failed(&b, &settings, 100, DRAWN)); /* this failure opened it */
    ck_assert(breaker_is_open(&b));
    ck_assert_str_eq(breaker_word(&b, 0), "open");
    ck_assert(!allows(&b, 100, 0));
    ck_assert(!breaker_failed(&b, &settings, 100, DRAWN)); /* it was open */
}
END_TEST

/* Before it opens, only requests that are not urgent wait. */
START_TEST(test_who_hurries)
{
    struct breaker b = {0};
    ck_assert_uint_eq(breaker_when(&b, 0, false), 0);
    fail_often(&b, 1, 100);
    ck_assert_uint_eq(breaker_when(&b, 4, true), 0);
    ck_assert_uint_eq(breaker_when(&b, 4, false), b.retry_at);
    ck_assert_uint_gt(b.retry_at, 100);
    fail_often(&b, 2, 100);
    ck_assert_uint_eq(breaker_when(&b, 0, true), b.retry_at);
    ck_assert_uint_eq(breaker_when(&b, 1, true), UINT64_MAX);
}
END_TEST

START_TEST(test_success_in_between)
{
    struct breaker b = {0};
    fail_often(&b, 2, 100);
    breaker_succeeded(&b);
    fail_often(&b, 2, 100);
    ck_assert(!breaker_is_open(&b)); /* consecutive ones count */
}
END_TEST

START_TEST(test_one_probe)
{
    struct breaker b = {0};
    fail_often(&b, 3, 0);
    ck_assert(!allows(&b, b.retry_at - 1, 0));
    ck_assert(allows(&b, b.retry_at, 0));
    ck_assert(!allows(&b, b.retry_at, 1));
    ck_assert_str_eq(breaker_word(&b, 1), "half_open");
    breaker_succeeded(&b);
    ck_assert(allows(&b, 0, 5));
    ck_assert_str_eq(breaker_word(&b, 1), "closed");
}
END_TEST

/* min·2ⁿ up to max, each ±20 %, as it was drawn. */
START_TEST(test_pauses)
{
    static const uint64_t expected[] = {1000, 2000, 4000, 5000, 5000};
    static const struct {
        uint32_t random;
        uint64_t percent;
    } draws[] = {{0, 80}, {200, 100}, {400, 120}, {401, 80}, {UINT32_MAX - UINT32_MAX % 401, 80}};
    for (size_t i = 0; i < COUNT_OF(draws); i++) {
        struct breaker b = {0};
        fail_often(&b, 2, 10000);
        for (size_t n = 0; n < COUNT_OF(expected); n++) {
            (void)!breaker_failed(&b, &settings, 10000, draws[i].random);
            ck_assert_uint_eq(b.retry_at - 10000, expected[n] * draws[i].percent / 100);
        }
    }
}
END_TEST

START_TEST(test_pause_begins_anew)
{
    struct breaker b = {0};
    fail_often(&b, 9, 0);
    breaker_succeeded(&b);
    fail_often(&b, 3, 0);
    ck_assert_uint_eq(b.retry_at, 1000);
}
END_TEST

START_TEST(test_retry_after)
{
    struct breaker b = {.state = BREAKER_OPEN, .retry_at = 10000};
    ck_assert_uint_eq(breaker_retry_after(&b, 10000), 1);
    ck_assert_uint_eq(breaker_retry_after(&b, 20000), 1);
    ck_assert_uint_eq(breaker_retry_after(&b, 9999), 1);
    ck_assert_uint_eq(breaker_retry_after(&b, 9000), 1);
    ck_assert_uint_eq(breaker_retry_after(&b, 8999), 2);
    ck_assert_uint_eq(breaker_retry_after(&b, 5500), 5);
}
END_TEST

SUITE()
{
    TEST(test_opens_at_the_limit);
    TEST(test_who_hurries);
    TEST(test_success_in_between);
    TEST(test_one_probe);
    TEST(test_pauses);
    TEST(test_pause_begins_anew);
    TEST(test_retry_after);
}
