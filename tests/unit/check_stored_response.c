#include "cache/stored_response.h"
#include "suite.h"

static struct arena *arena;

static void begin(void)
{
    arena = arena_new();
}

static void finish(void)
{
    arena_free(arena);
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

static struct stored_response *make(const char *fields, const char *asked, const char *body)
{
    struct response head = {.status = 200,
                            .reason = SPAN("OK"),
                            .fields = fields_of(fields),
                            .framing = FRAMING_CHUNKED};
    struct fields request = fields_of(asked);
    struct stored_response *s = stored_response_new(&head, &request, 5000, 700);
    text_add_str(&s->body, body);
    s->whole = true;
    return s;
}

static bool fits(const struct stored_response *s, const char *asked)
{
    struct fields fields = fields_of(asked);
    return stored_response_fits(s, &fields);
}

START_TEST(ages)
{
    struct stored_response *s = make("Age: 3\nX: y\nConnection: x", "", "");
    ck_assert_uint_eq(stored_response_age_ms(s, 5000), 3000);
    ck_assert_uint_eq(stored_response_age_ms(s, 6500), 4500);
    ck_assert_uint_eq(stored_response_told_age_ms(s, 6500), 5200);
    ck_assert_uint_eq(stored_response_age_ms(s, 0), 3000); /* no clock runs backwards */
    ck_assert_uint_eq(s->head.fields.count, 0);            /* Age is computed; Connection lists X */
    stored_response_unref(s);
    s = make("Age: -1", "", "");
    ck_assert_uint_eq(stored_response_age_ms(s, 5000), 0);
    stored_response_unref(s);
    s = make("Age: 99999999999999999999999", "", "");
    ck_assert_uint_eq(stored_response_age_ms(s, 5000), UINT64_C(0x7fffffff) * 1000);
    stored_response_unref(s);
}
END_TEST

START_TEST(varying)
{
    struct stored_response *s =
        make("Vary: A, b\nVary: c", "A: 1\na: 2\nC: \nAccept-Encoding: br", "");
    ck_assert(fits(s, "A: 1\na: 2\nC: \nAccept-Encoding: br"));
    ck_assert(fits(s, "C:\nAccept-Encoding: br\na: 1\nD: 5\nA: 2"));
    ck_assert(fits(s, "A: 1, 2\nC: \nAccept-Encoding: br")); /* one list in two fields */
    ck_assert(!fits(s, "A: 2\nA: 1\nC: \nAccept-Encoding: br"));
    ck_assert(!fits(s, "A: 1\na: 2\nAccept-Encoding: br")); /* a missing C is not an empty one */
    ck_assert(!fits(s, "A: 1\na: 2\nC: \nB: \nAccept-Encoding: br"));
    ck_assert(!fits(s, "A: 1\na: 2\nC: "));
    ck_assert(!fits(s, "A: 1\nC: \nAccept-Encoding: br"));
    ck_assert(!fits(s, "A: 1\na: 2\na: 3\nC: \nAccept-Encoding: br"));
    stored_response_unref(s);
}
END_TEST

START_TEST(heads)
{
    struct stored_response *s = make("Content-Type: x", "", "body");
    struct cache_policy asked = {.fields = &(struct fields){0}};
    struct response r = stored_response_head(s, &asked, 1800000000, arena);
    ck_assert(r.framing == FRAMING_LENGTH && r.has_length && r.length == 4 && r.status == 200);
    asked.is_head = true;
    r = stored_response_head(s, &asked, 1800000000, arena);
    ck_assert(r.framing == FRAMING_NONE && r.has_length && r.length == 4);
    stored_response_unref(s);
}
END_TEST

#define DATE "Wed, 25 Nov 2026 10:00:00 GMT"

static const struct {
    const char *fields, *asked;
    unsigned status;
} conditions[] = {
    {"ETag: \"a\"", "If-None-Match: \"a\"", 304},
    {"ETag: W/\"a\"", "If-None-Match: \"b\", \"a\"", 304},
    {"ETag: \"a\"", "If-None-Match: \"b\"\nIf-None-Match: W/\"a\"", 304},
    {"ETag: \"a\"", "If-None-Match: *", 304},
    {"ETag: \"a\"", "If-None-Match: \"b\"", 200},
    {"X: y", "If-None-Match: \"a\"", 200},
    {"Last-Modified: " DATE, "If-Modified-Since: " DATE, 304},
    {"Last-Modified: " DATE, "If-Modified-Since: Wed, 25 Nov 2026 09:59:59 GMT", 200},
    {"Last-Modified: " DATE, "If-Modified-Since: yesterday", 200},
    {"X: y", "If-Modified-Since: " DATE, 200},
    {"ETag: \"a\"\nLast-Modified: " DATE, "If-None-Match: \"b\"\nIf-Modified-Since: " DATE, 200},
};

START_TEST(preconditions)
{
    struct stored_response *s = make(conditions[_i].fields, "", "body");
    struct fields asked = fields_of(conditions[_i].asked);
    struct cache_policy policy = {.fields = &asked, .is_conditional = true};
    struct response r = stored_response_head(s, &policy, 1800000000, arena);
    ck_assert_uint_eq(r.status, conditions[_i].status);
    ck_assert(r.status == 200 || r.framing == FRAMING_NONE);
    ck_assert_uint_gt(r.fields.count, 0);
    stored_response_unref(s);
}
END_TEST

START_TEST(sizes)
{
    struct stored_response *s = make("A: b", "", "body");
    size_t small = stored_response_size(s);
    ck_assert_uint_gt(small, sizeof *s);
    for (int i = 0; i < 1000; i++)
        text_add_str(&s->body, "1234567890");
    ck_assert_uint_ge(stored_response_size(s), small + 9000);
    stored_response_unref(s);
    stored_response_unref(NULL);
}
END_TEST

/* Positions in the body stay the same when its beginning is dropped or was never kept. */
START_TEST(parts_of_the_body)
{
    struct response head = {.status = 200, .framing = FRAMING_CHUNKED};
    struct stored_response *s = stored_response_new(&head, &(struct fields){0}, 0, 0);
    ck_assert(!stored_response_has_length(s) && stored_response_length(s) == 0);
    stored_response_skip(s, 5);
    text_add_str(&s->body, "abcdef");
    ck_assert_uint_eq(stored_response_length(s), 11);
    ck_assert(span_is(stored_response_rest(s, 5), SPAN("abcdef")));
    stored_response_drop(s, 8);
    ck_assert_uint_eq(stored_response_length(s), 11);
    ck_assert(span_is(stored_response_rest(s, 8), SPAN("def")));
    ck_assert(span_is(stored_response_rest(s, 11), SPAN("")));
    stored_response_drop(s, 11);
    ck_assert(stored_response_length(s) == 11 && s->body.at == NULL);
    s->whole = true;
    ck_assert(stored_response_has_length(s));
    struct cache_policy asked = {.fields = &(struct fields){0}};
    ck_assert_uint_eq(stored_response_head(s, &asked, 0, arena).length, 11);
    stored_response_unref(s);
}
END_TEST

START_TEST(dropped_is_gone)
{
    struct response head = {.status = 200, .framing = FRAMING_CHUNKED};
    struct stored_response *s = stored_response_new(&head, &(struct fields){0}, 0, 0);
    stored_response_skip(s, 5);
    stored_response_rest(s, 4);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(ages);
    TEST(varying);
    TEST(heads);
    LOOP(preconditions, 0, COUNT_OF(conditions));
    TEST(sizes);
    TEST(parts_of_the_body);
    ABORTS(dropped_is_gone);
}
