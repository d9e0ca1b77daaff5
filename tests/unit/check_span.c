/* Spans: comparing, splitting, lists. */
#include "base/span.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "suite.h"

static const struct span nothing = {NULL, 0};

START_TEST(compares)
{
    ck_assert(span_is(SPAN("a"), span_of("a")));
    ck_assert(!span_is(SPAN("a"), SPAN("A")));
    ck_assert(!span_is(SPAN("a"), SPAN("ab")));
    ck_assert(span_is(nothing, SPAN("")));
    ck_assert(span_is(span_of(NULL), nothing));
    ck_assert(span_is_nocase(SPAN("Host"), SPAN("hOST")));
    ck_assert(!span_is_nocase(SPAN("Host"), SPAN("Hosts")));
    ck_assert(span_starts(SPAN("abc"), SPAN("ab")));
    ck_assert(!span_starts(SPAN("a"), SPAN("ab")));
    ck_assert(!span_starts(SPAN("Abc"), SPAN("ab")));
    ck_assert(span_starts_nocase(SPAN("Proxy-X"), SPAN("proxy-")));
    ck_assert(!span_starts_nocase(SPAN("Proxy"), SPAN("proxy-")));
}
END_TEST

/* Every pair of bytes, at every place of texts of every length that has a path of its own. */
START_TEST(compares_case_as_the_c_library_does)
{
    char a[20], b[20];
    int step = getenv("TRUNKLINE_VALGRIND") ? 7 : 1;
    for (size_t len = 1; len <= sizeof a; len++)
        for (int x = 0; x < 256; x++)
            for (int y = 0; y < 256; y += step) {
                size_t at = (size_t)(x + 7 * y) % len;
                memset(a, 'q', sizeof a);
                memset(b, 'Q', sizeof b);
                a[at] = (char)x;
                b[at] = (char)y;
                ck_assert_int_eq(span_is_nocase((struct span){a, len}, (struct span){b, len}),
                                 x == y || (x < 128 && y < 128 && tolower(x) == tolower(y)));
            }
}
END_TEST

START_TEST(cuts)
{
    struct span s = SPAN("key=value");
    ck_assert_uint_eq(span_find(s, '='), 3);
    ck_assert_uint_eq(span_find(s, '?'), s.len);
    ck_assert_uint_eq(span_find(nothing, 'x'), 0);
    ck_assert(span_is(span_from(s, 4), SPAN("value")));
    ck_assert_uint_eq(span_from(s, 9).len, 0);
    ck_assert_uint_eq(span_from(s, 100).len, 0);
    ck_assert(span_is(span_first(s, 3), SPAN("key")));
    ck_assert(span_is(span_first(s, 100), s));
}
END_TEST

START_TEST(trims)
{
    ck_assert(span_is(span_trim(SPAN(" \t a b\t ")), SPAN("a b")));
    ck_assert(span_is(span_trim(SPAN(" \t ")), SPAN("")));
    ck_assert(span_is(span_trim(SPAN("\ra\v")), SPAN("\ra\v"))); /* OWS is space and tab alone */
    ck_assert_uint_eq(span_trim(nothing).len, 0);
}
END_TEST

START_TEST(walks_lists)
{
    struct span rest = SPAN(" , a,, b c ,\td\t,"), element;
    ck_assert(span_next_element(&rest, &element));
    ck_assert(span_is(element, SPAN("a")));
    ck_assert(span_next_element(&rest, &element));
    ck_assert(span_is(element, SPAN("b c")));
    ck_assert(span_next_element(&rest, &element));
    ck_assert(span_is(element, SPAN("d")));
    ck_assert(!span_next_element(&rest, &element));
    ck_assert(!span_next_element(&rest, &element));
    ck_assert(span_lists(SPAN("gzip, Chunked"), SPAN("chunked")));
    ck_assert(!span_lists(SPAN("gzip, chunked;q=1"), SPAN("chunked")));
    ck_assert(!span_lists(SPAN(""), SPAN("chunked")));
}
END_TEST

START_TEST(prints)
{
    char line[20];
    snprintf(line, sizeof line, "<%.*s>", SPAN_ARG(span_first(SPAN("hello"), 4)));
    ck_assert_str_eq(line, "<hell>");
}
END_TEST

SUITE()
{
    TEST(compares);
    TEST(compares_case_as_the_c_library_does);
    TEST(cuts);
    TEST(trims);
    TEST(walks_lists);
    TEST(prints);
}
