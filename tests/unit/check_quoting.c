/* Quoted bytes: both forms, for each byte value. */
#include <jansson.h>

#include "base/quoting.h"
#include "suite.h"

static void is_quoted(struct span s, bool json, const char *expected)
{
    struct text t = {0};
    quote_add(&t, s, json);
    ck_assert_str_eq(t.at, expected);
    text_free(&t);
}

START_TEST(both_forms)
{
    is_quoted(SPAN(""), true, "\"\"");
    is_quoted(SPAN("/a?b=c"), true, "\"/a?b=c\"");
    is_quoted(SPAN("a\"b\\c"), false, "\"a\\\"b\\\\c\"");
    is_quoted(SPAN("\n\xc3\xa9~\x7f"), true, "\"\\u000a\\u00c3\\u00a9~\\u007f\"");
    is_quoted(SPAN("\n\xc3\xa9~\x7f"), false, "\"\\x0a\\xc3\\xa9~\\x7f\"");
}
END_TEST

START_TEST(every_byte_is_json)
{
    char c = (char)_i;
    struct text t = {0};
    quote_add(&t, (struct span){&c, 1}, true);
    json_t *s = json_loadb(t.at, t.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    ck_assert_msg(json_is_string(s), "%s", t.at);
    json_decref(s);
    text_free(&t);
}
END_TEST

/* Eight bytes are looked at together: one that needs an escape is found at each place among others. */
START_TEST(among_others)
{
    struct text alone = {0}, together = {0};
    char c = (char)_i, bytes[17];
    quote_add(&alone, (struct span){&c, 1}, true);
    for (size_t at = 0; at < sizeof bytes; at++) {
        memset(bytes, at % 2 ? ' ' : '~', sizeof bytes);
        bytes[at] = c;
        text_clear(&together);
        quote_add(&together, (struct span){bytes, sizeof bytes}, true);
        ck_assert_uint_eq(together.len, sizeof bytes - 1 + alone.len);
        ck_assert_mem_eq(together.at + 1, bytes, at);
        ck_assert_mem_eq(together.at + 1 + at, alone.at + 1, alone.len - 2);
        ck_assert_mem_eq(together.at + at + alone.len - 1, bytes + at + 1, sizeof bytes - 1 - at);
    }
    text_free(&alone);
    text_free(&together);
}
END_TEST

/* Long and short texts of each byte fit into the room that is asked for. */
START_TEST(room)
{
    static const size_t lengths[] = {0, 1, 127, 128, 129, 1000};
    char bytes[1000];
    memset(bytes, _i, sizeof bytes);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct span s = {bytes, lengths[i]};
        char *to = must_malloc(quote_room(s)); /* exact, for the sanitizers */
        size_t len = (size_t)(quote_put(to, s, true) - to);
        ck_assert_uint_le(len, quote_room(s));
        ck_assert_uint_ge(len, s.len + 2);
        free(to);
    }
}
END_TEST

SUITE()
{
    TEST(both_forms);
    LOOP(among_others, 0, 256);
    LOOP(room, 0, 256);
    LOOP(every_byte_is_json, 0, 256);
}
