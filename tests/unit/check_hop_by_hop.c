/* Which fields apply only to this connection and are not forwarded. */
#include <stdio.h>

#include "base/text.h"
#include "http/hop_by_hop.h"
#include "suite.h"

/* "Name: value" lines. */
static struct fields fields_of(struct arena *arena, const char *lines)
{
    struct fields f = {0};
    struct span rest = span_of(lines);
    while (rest.len) {
        struct span line = span_first(rest, span_find(rest, '\n'));
        size_t colon = span_find(line, ':');
        fields_add(&f, arena, span_first(line, colon), span_trim(span_from(line, colon + 1)));
        rest = span_from(rest, line.len + 1);
    }
    return f;
}

START_TEST(hop_by_hop_fields_go_no_further)
{
    static const struct {
        const char *name;
        bool stripped;
    } cases[] = {
        {"Connection", true},
        {"keep-alive", true},
        {"TE", true},
        {"Upgrade", true},
        {"Transfer-Encoding", true},
        {"HTTP2-Settings", true},
        {"content-length", true},
        {"Proxy-Connection", true},
        {"proxy-authorization", true},
        {"Proxy-Foo", true},
        {"X-Listed", true},
        {"x-also", true},
        {"Proxy-Status", false},
        {"Proxy", false},
        {"Trailer", false},
        {"Content-Type", false},
        {"X-Listed-Not", false},
        {"close", true},
        {"P", false},
        {"Upgrade-Insecure-Requests", false},
    };
    struct arena *arena = arena_new();
    struct fields all = fields_of(arena, "Connection: close, x-listed\nConnection: X-Also\n");
    struct hop_by_hop h;
    hop_by_hop_read(&h, &all);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct field f = {span_of(cases[i].name), SPAN("v")};
        ck_assert_msg(hop_by_hop_is(&h, &f) == cases[i].stripped, "%s", cases[i].name);
    }
    struct fields none = {0};
    struct field listed = {SPAN("X-Listed"), SPAN("v")};
    hop_by_hop_read(&h, &none);
    ck_assert(!hop_by_hop_is(&h, &listed));
    arena_free(arena);
}
END_TEST

/* If Connection has far too many options, no field is forwarded. */
START_TEST(too_many_options)
{
    struct arena *arena = arena_new();
    struct field plain = {SPAN("X-Plain"), SPAN("v")}, last = {SPAN("x-99"), SPAN("v")};
    struct text list = {0};
    struct hop_by_hop h;
    for (int i = 0; i < CONNECTION_OPTIONS_MAX; i++)
        text_printf(&list, "%sX-%d", i ? ", " : "", i);
    struct field connection = {SPAN("Connection"), text_span(&list)};
    struct fields all = {.at = &connection, .count = 1};
    hop_by_hop_read(&h, &all);
    ck_assert(hop_by_hop_is(&h, &last) && !hop_by_hop_is(&h, &plain));
    for (int i = 0; i < 2 * CONNECTION_OPTIONS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "x-%d", i);
        struct field f = {span_of(name), SPAN("v")};
        ck_assert_int_eq(hop_by_hop_is(&h, &f), i < CONNECTION_OPTIONS_MAX);
    }
    text_add_str(&list, ",");
    connection.value = text_span(&list);
    hop_by_hop_read(&h, &all);
    ck_assert(!hop_by_hop_is(&h, &plain)); /* nothing after the last comma */
    text_add_str(&list, ",x");
    connection.value = text_span(&list);
    hop_by_hop_read(&h, &all);
    ck_assert(hop_by_hop_is(&h, &plain));
    text_free(&list);
    arena_free(arena);
}
END_TEST

SUITE()
{
    TEST(hop_by_hop_fields_go_no_further);
    TEST(too_many_options);
}
