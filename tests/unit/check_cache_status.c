#include "cache/cache_status.h"
#include "suite.h"

static const struct {
    struct cache_status status;
    const char *age, *words;
} cases[] = {
    {{.result = CACHE_HIT, .age_ms = 2999, .ttl_ms = 1500}, "2", "trunkline; hit; ttl=1"},
    {{.result = CACHE_MISS, .stored = true}, "0", "trunkline; fwd=miss; stored"},
    {{.result = CACHE_MISS}, "0", "trunkline; fwd=miss"},
    {{.result = CACHE_MISS, .by_request = true, .stored = true},
     "0",
     "trunkline; fwd=request; stored"},
    {{.result = CACHE_COLLAPSED, .age_ms = 1000}, "1", "trunkline; fwd=miss; collapsed"},
    {{.result = CACHE_STALE, .age_ms = 31000, .forward_status = 503},
     "31",
     "trunkline; fwd=stale; fwd-status=503"},
    {{.result = CACHE_STALE, .failure = FAILURE_CONNECTION_REFUSED},
     "0",
     "trunkline; fwd=stale; detail=connection_refused"},
};

START_TEST(fields_of_responses)
{
    struct arena *a = arena_new();
    struct fields to = {0};
    cache_status_add(&cases[_i].status, &to, a);
    ck_assert_uint_eq(to.count, 2);
    ck_assert(span_is(fields_find(&to, SPAN("Age"))->value, span_of(cases[_i].age)));
    ck_assert_str_eq(fields_find(&to, SPAN("Cache-Status"))->value.at, cases[_i].words);
    ck_assert_ptr_nonnull(cache_result_name(cases[_i].status.result));
    arena_free(a);
}
END_TEST

START_TEST(no_part_in_it)
{
    struct fields to = {0};
    cache_status_add(&(struct cache_status){0}, &to, NULL);
    ck_assert_uint_eq(to.count, 0);
    ck_assert_ptr_null(cache_result_name(CACHE_NONE));
}
END_TEST

SUITE()
{
    LOOP(fields_of_responses, 0, COUNT_OF(cases));
    TEST(no_part_in_it);
}
