#include "cache/cache_policy.h"
#include "config_fixture.h"
#include "http/framing.h"
#include "suite.h"

static struct config *config;
static struct arena *arena;

static void begin(void)
{
    config = parse_good("upstream a { url = https://a.example fresh = 10s stale_if_error = 20s\n"
                        "coalesce = yes cache_max_object = 5k }\n"
                        "upstream off { url = https://off.example }");
    arena = arena_new();
}

static void finish(void)
{
    config_unref(config);
    arena_free(arena);
    forget();
}

/* `fields`: "Name: value\n" each. */
static struct fields fields_of(const char *text)
{
    struct fields fields = {0};
    struct span rest = span_of(text);
    while (rest.len) {
        struct span line = span_first(rest, span_find(rest, '\n'));
        size_t colon = span_find(line, ':');
        fields_add(&fields, arena, span_first(line, colon), span_trim(span_from(line, colon + 1)));
        rest = span_from(rest, line.len + 1);
    }
    return fields;
}

static struct cache_policy ask(const char *upstream, const char *method, const char *fields)
{
    struct request *r = arena_alloc(arena, sizeof *r);
    struct verdict why;
    *r = (struct request){.arena = arena, .method = span_of(method), .minor = 1};
    r->fields = fields_of(fields);
    fields_add(&r->fields, arena, SPAN("Host"), SPAN("a"));
    ck_assert_msg(framing_of_request(r, &why), "%s", why.detail);
    return cache_policy_of(find(config, upstream), r, false);
}

START_TEST(what_the_operator_allows)
{
    struct cache_policy s =
        ask("a", "GET", "Accept: */*\nsec-fetch-mode: cors\nTRUNKLINE-Timeout: 1s");
    ck_assert(s.allowed && s.coalesce && !s.is_head && !s.bypasses && !s.is_conditional);
    ck_assert_uint_eq(s.fresh_ms, 10000);
    ck_assert_uint_eq(s.stale_ms, 30000);
    ck_assert_uint_eq(s.max_object, 5120);
    ck_assert(ask("a", "HEAD", "").is_head);
    ck_assert(!ask("off", "GET", "").allowed);
}
END_TEST

/* A request that is not known to be public is private. */
START_TEST(what_is_never_shared)
{
    static const char *const fields[] = {"Range: bytes=0-1",  "X-Anything: 1",
                                         "Content-Length: 1", "Transfer-Encoding: chunked",
                                         "Secret-Sec-: 1",    "Cache-Control: max-age=5, No-Store"};
    struct request get = {.arena = arena, .method = SPAN("GET"), .is_safe = true};
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        ck_assert_msg(!ask("a", "GET", fields[i]).allowed, "%s", fields[i]);
    ck_assert(!ask("a", "POST", "Content-Length: 0").allowed);
    ck_assert(!ask("a", "OPTIONS", "").allowed);
    ck_assert(!ask("a", "TRACE", "").allowed);
    ck_assert(!cache_policy_of(find(config, "a"), &get, true).allowed);
    ck_assert(cache_policy_of(find(config, "a"), &get, false).allowed);
}
END_TEST

static const struct {
    const char *fields;
    bool bypasses;
    uint64_t fresh_ms, stale_ms;
} wishes[] = {
    {"Cache-Control: no-cache", true, 10000, 30000},
    {"Pragma: x, no-cache", true, 10000, 30000},
    {"Pragma: no-cache\nCache-Control: max-age=60", false, 10000, 30000},
    {"Cache-Control: MAX-AGE=3", false, 3000, 30000},
    {"Cache-Control: max-age=\"3\"", false, 3000, 30000},
    {"Cache-Control: max-age=0", false, 0, 30000},
    {"Cache-Control: max-age=three", false, 0, 30000},
    {"Cache-Control: max-age=99999999999999999999", false, 10000, 30000},
    {"Cache-Control: min-fresh=4", false, 6000, 30000},
    {"Cache-Control: min-fresh=40", false, 0, 30000},
    {"Cache-Control: stale-if-error=0", false, 10000, 0},
    {"Cache-Control: stale-if-error=5", false, 10000, 15000},
    {"Cache-Control: x\nCache-Control: max-age=2, stale-if-error=5", false, 2000, 15000},
    {"Cache-Control: stale-if-error=5000", false, 10000, 30000},
};

START_TEST(what_the_client_asks_for)
{
    struct cache_policy s = ask("a", "GET", wishes[_i].fields);
    ck_assert(s.allowed);
    ck_assert_int_eq(s.bypasses, wishes[_i].bypasses);
    ck_assert_uint_eq(s.fresh_ms, wishes[_i].fresh_ms);
    ck_assert_uint_eq(s.stale_ms, wishes[_i].stale_ms);
}
END_TEST

START_TEST(conditions)
{
    ck_assert(ask("a", "GET", "If-None-Match: \"x\"").is_conditional);
    ck_assert(ask("a", "GET", "If-Modified-Since: x").is_conditional);
    ck_assert(ask("a", "GET", "Cache-Control: only-if-cached").only_if_cached);
}
END_TEST

#define TEN "a, b, c, d, e, f, g, h, i, j"

static const struct {
    unsigned status;
    const char *fields;
    bool shared, stored;
} answers[] = {
    {200, "", true, true},
    {203, "Cache-Control: no-store, no-cache, max-age=0", true, true},
    {404, "", true, false},
    {204, "", true, false},
    {200, "Set-Cookie: a=b", false, false},
    {200, "Vary: Accept\nVary: X, *", false, false},
    {200, "Vary: *", false, false},
    {200, "Vary: " TEN ", " TEN ", " TEN ", k, l\nVary: ,,", true, true},
    {200, "Vary: " TEN ", " TEN ", " TEN ", k, l\nVary: m", false, false},
    {200, "Cache-Control: max-age=5\nCache-Control: PRIVATE", false, false},
    {200, "Cache-Control: private=\"a\"", false, false},
    {200, "Cache-Control: x=private", true, true},
};

START_TEST(what_an_answer_permits)
{
    struct response r = {.status = answers[_i].status, .fields = fields_of(answers[_i].fields)};
    ck_assert_int_eq(cache_policy_permits(&r), answers[_i].shared);
    ck_assert_int_eq(cache_policy_stores(&r), answers[_i].stored);
}
END_TEST

START_TEST(what_counts_as_failure)
{
    static const unsigned bad[] = {418, 429, 500, 501, 502, 503, 504, 520, 599},
                          good[] = {200, 304, 404, 400};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert(cache_policy_is_failure(bad[i]));
    for (size_t i = 0; i < COUNT_OF(good); i++)
        ck_assert(!cache_policy_is_failure(good[i]));
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(what_the_operator_allows);
    TEST(what_is_never_shared);
    LOOP(what_the_client_asks_for, 0, COUNT_OF(wishes));
    TEST(conditions);
    LOOP(what_an_answer_permits, 0, COUNT_OF(answers));
    TEST(what_counts_as_failure);
}
