/* Answers that are kept for copies of an order, and those that are not. */
#include "proxy/kept_answer.h"
#include "suite.h"

static char bytes[KEPT_ANSWER_MAX];

static struct kept_answer *keep(enum framing framing, const char *name, const char *value)
{
    struct arena *arena = arena_new();
    struct response r = {.status = 200, .reason = SPAN("OK"), .minor = 1, .framing = framing};
    fields_add(&r.fields, arena, arena_span(arena, span_of(name)),
               arena_span(arena, span_of(value)));
    struct kept_answer *k = kept_answer_new(&r);
    arena_free(arena); /* it has a copy */
    return k;
}

START_TEST(head_and_body_are_kept)
{
    struct kept_answer *k = keep(FRAMING_CHUNKED, "Set-Cookie", "a=b");
    ck_assert(kept_answer_add(k, "hel", 3) && kept_answer_add(k, "lo", 2));
    kept_answer_end(k);
    ck_assert(span_is(text_span(&k->body), SPAN("hello")));
    ck_assert(k->head.status == 200 && span_is(k->head.reason, SPAN("OK")));
    ck_assert(k->head.framing == FRAMING_LENGTH && k->head.has_length && k->head.length == 5);
    ck_assert(span_is(fields_find(&k->head.fields, SPAN("Set-Cookie"))->value, SPAN("a=b")));
    ck_assert_uint_ge(kept_answer_size(k), 5);
    kept_answer_ref(k);
    kept_answer_unref(k);
    ck_assert(span_is(text_span(&k->body), SPAN("hello")));
    kept_answer_unref(k);
    kept_answer_unref(NULL);
}
END_TEST

START_TEST(a_body_may_be_missing)
{
    struct kept_answer *k = keep(FRAMING_NONE, "A", "b");
    kept_answer_end(k);
    ck_assert(k->head.framing == FRAMING_NONE && k->body.len == 0);
    kept_answer_unref(k);
    k = keep(FRAMING_CLOSE, "A", "b");
    kept_answer_end(k);
    ck_assert(k->head.framing == FRAMING_LENGTH && k->head.length == 0);
    kept_answer_unref(k);
}
END_TEST

START_TEST(a_long_one_is_not_kept)
{
    struct kept_answer *k = keep(FRAMING_CHUNKED, "A", "b");
    ck_assert(kept_answer_add(k, bytes, sizeof bytes - 1));
    ck_assert(!kept_answer_add(k, bytes, 2));
    ck_assert(kept_answer_add(k, bytes, 1));
    ck_assert(!kept_answer_add(k, bytes, 1));
    kept_answer_unref(k);
}
END_TEST

static bool may(unsigned status, enum framing framing, uint64_t length, const char *type)
{
    struct field field = {SPAN("content-type"), span_of(type)};
    struct response r = {.status = status, .framing = framing, .length = length};
    r.fields = (struct fields){.at = &field, .count = 1};
    return kept_answer_may_begin(&r);
}

START_TEST(its_head_may_say_that_it_is_not)
{
    ck_assert(may(200, FRAMING_LENGTH, KEPT_ANSWER_MAX, "application/json"));
    ck_assert(!may(200, FRAMING_LENGTH, KEPT_ANSWER_MAX + 1, "application/json"));
    ck_assert(may(502, FRAMING_CHUNKED, 0, "text/html"));
    ck_assert(may(204, FRAMING_NONE, 0, "text/html"));
    ck_assert(!may(200, FRAMING_CHUNKED, 0, "text/event-stream; charset=utf-8"));
    ck_assert(!may(101, FRAMING_NONE, 0, "text/html"));
}
END_TEST

SUITE()
{
    TEST(head_and_body_are_kept);
    TEST(a_body_may_be_missing);
    TEST(a_long_one_is_not_kept);
    TEST(its_head_may_say_that_it_is_not);
}
