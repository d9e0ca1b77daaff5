/* How many requests the next line is expected to carry, and how many lines are therefore needed. */
#include "suite.h"
#include "upstream/origin_traits.h"

static struct upstream_config settings(enum config_http2 http2, bool secure)
{
    return (struct upstream_config){.http2 = (int)http2, .secure = secure, .max_streams = 100};
}

START_TEST(test_at_first)
{
    static const struct {
        enum config_http2 http2;
        bool secure;
        int kind;
    } cases[] = {
        {HTTP2_AUTO, true, PROSPECT_UNKNOWN}, {HTTP2_AUTO, false, PROSPECT_ONE},
        {HTTP2_NEVER, true, PROSPECT_ONE},    {HTTP2_NEVER, false, PROSPECT_ONE},
        {HTTP2_ALWAYS, true, PROSPECT_MANY},  {HTTP2_ALWAYS, false, PROSPECT_MANY},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct origin_traits p;
        struct upstream_config u = settings(cases[i].http2, cases[i].secure);
        origin_traits_init(&p, &u);
        ck_assert_int_eq((int)p.kind, cases[i].kind);
    }
}
END_TEST

START_TEST(test_lines)
{
    struct origin_traits p;
    struct upstream_config u = settings(HTTP2_AUTO, true);
    origin_traits_init(&p, &u);
    ck_assert_uint_eq(origin_traits_lines(&p, &u, 50, 3), 50);
    origin_traits_learn(&p, true, CONN_UNSAID);
    ck_assert_uint_eq(origin_traits_streams(&p, &u), 100);
    ck_assert_uint_eq(origin_traits_lines(&p, &u, 0, 0), 0);
    ck_assert_uint_eq(origin_traits_lines(&p, &u, 1, 0), 1);
    ck_assert_uint_eq(origin_traits_lines(&p, &u, 100, 0), 1);
    ck_assert_uint_eq(origin_traits_lines(&p, &u, 101, 0), 2);
    ck_assert_uint_eq(origin_traits_lines(&p, &u, 101, 3), 4);
    ck_assert_uint_eq(origin_traits_lines(&p, &u, 3, 3), 3);
    origin_traits_learn(&p, true, 10);
    ck_assert_uint_eq(origin_traits_streams(&p, &u), 10);
    origin_traits_learn(&p, true,
                        CONN_UNSAID); /* nothing reported yet: the last limit is assumed */
    ck_assert_uint_eq(origin_traits_streams(&p, &u), 10);
    origin_traits_learn(&p, true, UINT32_MAX);
    ck_assert_uint_eq(origin_traits_streams(&p, &u), 100);
    origin_traits_learn(&p, false, 1);
    ck_assert_uint_eq(origin_traits_lines(&p, &u, 50, 3), 50);
}
END_TEST

START_TEST(test_holds)
{
    struct origin_traits p;
    struct upstream_config u = settings(HTTP2_AUTO, true);
    origin_traits_init(&p, &u);
    ck_assert_uint_eq(origin_traits_holds(&p), 0);
    origin_traits_dialled(&p, 1000);
    uint64_t until = origin_traits_holds(&p);
    ck_assert_uint_gt(until, 1400);
    ck_assert_uint_le(until, 2000);  /* for a moment, not for good */
    origin_traits_dialled(&p, 1300); /* the first one decides */
    ck_assert_uint_eq(origin_traits_holds(&p), until);
    origin_traits_failed(&p, 1100);
    ck_assert_uint_le(origin_traits_holds(&p), 1100);
    origin_traits_dialled(&p, 9000);
    ck_assert_uint_le(origin_traits_holds(&p), 1100); /* once is enough */
    origin_traits_init(&p, &u);
    origin_traits_dialled(&p, 1000);
    origin_traits_learn(&p, false, 1);
    ck_assert_uint_eq(origin_traits_holds(&p), 0);
    u.http2 = HTTP2_ALWAYS;
    origin_traits_init(&p, &u);
    origin_traits_dialled(&p, 1000);
    ck_assert_uint_eq(origin_traits_holds(&p), 0);
}
END_TEST

SUITE()
{
    TEST(test_at_first);
    TEST(test_lines);
    TEST(test_holds);
}
