#include "protocol/keep_alive.h"
#include "suite.h"

static const struct {
    const char *value;
    uint64_t rest_ms;
} cases[] = {
    {"timeout=5", 4000},
    {"timeout=5, max=100", 4000},
    {"max=100, timeout=60", 59000},
    {"max=100 ,Timeout = 3 ", 2000},
    {"timeout=\"20\"", 19000},
    {"timeout=2", 1000},
    {"timeout=1", 500}, /* at least half of it */
    {"timeout=0", 1},
    {"timeout=9, timeout=4", 3000},
    {"timeout=99999999999999999999999", UINT64_C(366) * 86400000 - 1000},
    {"", 0},
    {"max=100", 0},
    {"timeout", 0},
    {"timeout=", 0},
    {"timeout=-1", 0},
    {"timeout=5s", 0},
    {"timeout=1.5", 0},
    {"timeout=\"", 0},
    {"xtimeout=5", 0},
    {"5", 0},
};

START_TEST(test_values)
{
    struct field field = {SPAN("keep-alive"), span_of(cases[_i].value)};
    const struct fields fields = {.at = &field, .count = 1};
    ck_assert_uint_eq(keep_alive_rest_ms(&fields), cases[_i].rest_ms);
}
END_TEST

/* The shortest of several values applies; other parameters do not matter. */
START_TEST(test_several)
{
    struct field all[] = {{SPAN("Content-Type"), SPAN("timeout=2")},
                          {SPAN("Keep-Alive"), SPAN("timeout=30")},
                          {SPAN("Keep-Alive"), SPAN("timeout=nonsense")},
                          {SPAN("Keep-Alive"), SPAN("max=3, timeout=10")}};
    const struct fields fields = {.at = all, .count = COUNT_OF(all)}, none = {0};
    ck_assert_uint_eq(keep_alive_rest_ms(&fields), 9000);
    ck_assert_uint_eq(keep_alive_rest_ms(&none), 0);
}
END_TEST

SUITE()
{
    LOOP(test_values, 0, COUNT_OF(cases));
    TEST(test_several);
}
