/* Collecting a head from pieces that are split anywhere, up to its limit. */
#include "http/head.h"

#include "suite.h"

static struct arena *arena;

static void setup(void)
{
    arena = arena_new();
}

static void teardown(void)
{
    arena_free(arena);
}

static void add(struct head *h, const char *text, size_t step)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i += step)
        ck_assert(head_add(h, text + i, len - i < step ? len - i : step));
    head_cut(h);
}

START_TEST(pieces_cut_anywhere)
{
    struct head h;
    head_start(&h, arena, 1000);
    size_t step = (size_t)_i;
    add(&h, "GET", step);
    add(&h, "/api/v3/time", step);
    add(&h, "Host", step);
    add(&h, " api.binance.com\t ", step);
    add(&h, "X-Empty", step);
    add(&h, "", step);
    add(&h, "Accept", step);
    add(&h, "a b", step);
    ck_assert(span_is(head_piece(&h, 0), SPAN("GET")));
    ck_assert(span_is(head_piece(&h, 1), SPAN("/api/v3/time")));
    struct fields f = head_fields(&h, 2);
    ck_assert_uint_eq(f.count, 3);
    ck_assert(span_is(f.at[0].name, SPAN("Host")));
    ck_assert(span_is(f.at[0].value, SPAN("api.binance.com")));
    ck_assert(span_is(f.at[1].name, SPAN("X-Empty")));
    ck_assert_uint_eq(f.at[1].value.len, 0);
    ck_assert(span_is(f.at[2].value, SPAN("a b")));
}
END_TEST

START_TEST(nothing_gathered)
{
    struct head h;
    head_start(&h, arena, 0);
    ck_assert_uint_eq(head_fields(&h, 0).count, 0);
    ck_assert(head_add(&h, "", 0));
    head_cut(&h); /* an empty reason phrase */
    ck_assert_uint_eq(head_piece(&h, 0).len, 0);
    ck_assert(!head_add(&h, "x", 1));
}
END_TEST

START_TEST(reasons_have_no_controls)
{
    static const char *const rows[][2] = {{"OK", "OK"},
                                          {"", ""},
                                          {"Not\tFound \xe9", "Not\tFound \xe9"},
                                          {"O\x1b[31m\x07K\x7f\r", "O[31mK"},
                                          {"\x01\x02", ""}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct head h;
        head_start(&h, arena, 1000);
        add(&h, rows[i][0], 3);
        ck_assert(span_is(head_reason(&h, 0), span_of(rows[i][1])));
    }
}
END_TEST

START_TEST(limit_is_exact)
{
    struct head h;
    head_start(&h, arena, 20);
    ck_assert(head_add(&h, "name", 4));
    head_cut(&h);
    ck_assert(head_add(&h, "value", 5));
    head_cut(&h); /* 9 and 4 for the syntax: 7 are left */
    ck_assert(!head_add(&h, "12345678", 8));
    ck_assert(head_add(&h, "1234567", 7));
    ck_assert(!head_add(&h, "8", 1));
}
END_TEST

START_TEST(syntax_of_many_fields_counts)
{
    struct head h;
    head_start(&h, arena, 30 * 1000);
    size_t fields = 0;
    while (head_add(&h, "a", 1)) {
        head_cut(&h);
        head_cut(&h);
        fields++;
    }
    ck_assert_uint_eq(fields, 6000);
    ck_assert_uint_eq(head_fields(&h, 0).count, fields);
}
END_TEST

START_TEST(spans_outlive_the_gathering)
{
    struct head h;
    head_start(&h, arena, 100 * 1000);
    char big[5000];
    memset(big, 'v', sizeof big);
    for (int i = 0; i < 15; i++) {
        ck_assert(head_add(&h, "name", 4));
        head_cut(&h);
        ck_assert(head_add(&h, big, sizeof big));
        head_cut(&h);
        arena_alloc(arena, 10); /* the text is no longer the last allocation of the arena */
    }
    struct fields first = head_fields(&h, 0);
    head_start(&h, arena, 100); /* trailers of the same message */
    ck_assert(head_add(&h, "other", 5));
    head_cut(&h);
    ck_assert_uint_eq(first.count, 15);
    for (size_t i = 0; i < first.count; i++) {
        ck_assert(span_is(first.at[i].name, SPAN("name")));
        ck_assert(span_is(first.at[i].value, (struct span){big, sizeof big}));
    }
    ck_assert(span_is(head_piece(&h, 0), SPAN("other")));
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    LOOP(pieces_cut_anywhere, 1, 20);
    TEST(nothing_gathered);
    TEST(reasons_have_no_controls);
    TEST(limit_is_exact);
    TEST(syntax_of_many_fields_counts);
    TEST(spans_outlive_the_gathering);
}
