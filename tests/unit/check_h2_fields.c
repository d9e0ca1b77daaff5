/* Heads and trailers as HTTP/2 writes them: what is sent, in which order. */
#include "protocol/h2_fields.h"
#include "suite.h"

#include "base/text.h"

static struct arena *arena;
static struct text sent; /* "name=value;" */

static void setup(void)
{
    arena = arena_new();
    text_add_str(&sent, "");
}

static void teardown(void)
{
    arena_free(arena);
    text_free(&sent);
}

static void note(const nghttp2_nv *nv, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_printf(&sent, "%.*s=%.*s;", (int)nv[i].namelen, (char *)nv[i].name,
                    (int)nv[i].valuelen, (char *)nv[i].value);
}

static void sends(struct conn_request *r, bool secure, const char *expected)
{
    size_t count;
    r->method = SPAN("GET");
    r->target = SPAN("/a?b");
    r->authority = SPAN("h:8443");
    nghttp2_nv *nv = h2_request_fields(arena, r, secure, &count);
    note(nv, count);
    ck_assert_str_eq(sent.at, expected);
}

START_TEST(pseudo_header_fields_come_first)
{
    struct field field = {SPAN("Accept"), SPAN("*/*")};
    struct conn_request r = {.fields = {.at = &field, .count = 1}};
    sends(&r, true, ":method=GET;:scheme=https;:authority=h:8443;:path=/a?b;Accept=*/*;");
}
END_TEST

START_TEST(a_length_is_sent_as_a_field)
{
    struct conn_request r = {.framing = FRAMING_LENGTH, .length = 17};
    sends(&r, false, ":method=GET;:scheme=http;:authority=h:8443;:path=/a?b;content-length=17;");
}
END_TEST

START_TEST(connection_specific_fields_are_not_sent)
{
    struct field fields[] = {
        {SPAN("Connection"), SPAN("X-Mine, close")},
        {SPAN("x-mine"), SPAN("1")},
        {SPAN("Keep-Alive"), SPAN("5")},
        {SPAN("Upgrade"), SPAN("h2c")},
        {SPAN("Transfer-Encoding"), SPAN("gzip")},
        {SPAN("Host"), SPAN("other")},
        {SPAN("TE"), SPAN("gzip")},
        {SPAN("TE"), SPAN("Trailers")},
        {SPAN("Content-Length"), SPAN("3")},
    };
    struct conn_request r = {.fields = {.at = fields, .count = COUNT_OF(fields)}};
    sends(&r, true, ":method=GET;:scheme=https;:authority=h:8443;:path=/a?b;TE=Trailers;");
}
END_TEST

START_TEST(cookies_are_split_at_their_separators)
{
    struct field fields[] = {{SPAN("Cookie"), SPAN("a=1; b=2;c=3; ")}, {SPAN("cookie"), SPAN("")}};
    struct conn_request r = {.fields = {.at = fields, .count = COUNT_OF(fields)}};
    sends(&r, true,
          ":method=GET;:scheme=https;:authority=h:8443;:path=/a?b;"
          "Cookie=a=1;Cookie=b=2;c=3;Cookie=;cookie=;");
}
END_TEST

START_TEST(trailers_have_no_pseudo_header_fields)
{
    struct field fields[] = {{SPAN("Digest"), SPAN("x")}, {SPAN("Connection"), SPAN("y")}};
    const struct fields trailers = {.at = fields, .count = COUNT_OF(fields)};
    size_t count;
    nghttp2_nv *nv = h2_trailer_fields(arena, &trailers, &count);
    note(nv, count);
    ck_assert_str_eq(sent.at, "Digest=x;");
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(pseudo_header_fields_come_first);
    TEST(a_length_is_sent_as_a_field);
    TEST(connection_specific_fields_are_not_sent);
    TEST(cookies_are_split_at_their_separators);
    TEST(trailers_have_no_pseudo_header_fields);
}
