/* Which paths are trunkline's own, and which names that takes from upstreams. */
#include "config/own_path.h"
#include "suite.h"

START_TEST(pages_are_found)
{
    for (enum own_path i = 0; i < OWN_PATH_NONE; i++)
        ck_assert_int_eq(own_path_of(span_of(own_path_text(i))), i);
    ck_assert_int_eq(own_path_of(SPAN("/stats")), OWN_STATS);
    ck_assert_int_eq(own_path_of(SPAN("/")), OWN_DASHBOARD);
    ck_assert_int_eq(own_path_of(SPAN("/stats/")), OWN_PATH_NONE);
    ck_assert_int_eq(own_path_of(SPAN("/Stats")), OWN_PATH_NONE);
    ck_assert_int_eq(own_path_of(SPAN("stats")), OWN_PATH_NONE);
    ck_assert_int_eq(own_path_of(SPAN("")), OWN_PATH_NONE);
}
END_TEST

START_TEST(names_are_reserved)
{
    static const char *const reserved[] = {"stats",  "requests",  "connections", "metrics",
                                           "reload", "upstreams", "healthz",     "http",
                                           "https",  "ws",        "wss"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        ck_assert_msg(own_path_reserves(reserved[i]), "%s", reserved[i]);
    ck_assert(!own_path_reserves("kraken") && !own_path_reserves("stat"));
    ck_assert(!own_path_reserves("stats2") && !own_path_reserves("wsx"));
}
END_TEST

SUITE()
{
    TEST(pages_are_found);
    TEST(names_are_reserved);
}
