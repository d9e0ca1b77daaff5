/* Text that grows and is always NUL-terminated. */
#include "base/text.h"

#include "base/sanitized.h"
#include "base/spares.h"

#include "suite.h"

START_TEST(adds)
{
    struct text t = {0};
    text_add(&t, span_first(SPAN("hello"), 4));
    text_add_str(&t, ", ");
    text_add_number(&t, 0);
    text_add_number(&t, UINT64_MAX);
    text_add(&t, (struct span){NULL, 0});
    ck_assert_str_eq(t.at, "hell, 018446744073709551615");
    ck_assert_uint_eq(text_span(&t).len, strlen(t.at));
    text_clear(&t);
    ck_assert_uint_eq(text_span(&t).len, 0);
    text_add_str(&t, "x");
    ck_assert_str_eq(t.at, "x");
    text_free(&t);
    ck_assert_ptr_null(t.at);
}
END_TEST

START_TEST(prints_any_length)
{
    struct text t = {0};
    for (int width = 190; width < 210; width++) {
        text_clear(&t);
        text_printf(&t, "<%*d>", width, 7);
        ck_assert_uint_eq(t.len, (size_t)width + 2);
        ck_assert_uint_eq(strlen(t.at), t.len);
        ck_assert_int_eq(t.at[t.len - 1], '>');
        ck_assert_int_eq(t.at[t.len - 2], '7');
    }
    text_printf(&t, "%100000d", 1);
    ck_assert_uint_eq(t.len, 211 + 100000);
    text_free(&t);
}
END_TEST

START_TEST(grows_byte_by_byte)
{
    struct text t = {0};
    for (size_t i = 0; i < 10000; i++)
        text_add(&t, (struct span){&"abcdefghij"[i % 10], 1});
    ck_assert_uint_eq(t.len, 10000);
    for (size_t i = 0; i < t.len; i++)
        ck_assert_int_eq(t.at[i], "abcdefghij"[i % 10]);
    ck_assert_int_eq(t.at[t.len], '\0');
    text_free(&t);
}
END_TEST

START_TEST(reserves)
{
    struct text t = {0};
    text_add_str(&t, "ab");
    memset(text_reserve(&t, 5000), 'c', 5000);
    text_added(&t, 3);
    ck_assert_str_eq(t.at, "abccc");
    text_free(&t);
}
END_TEST

START_TEST(more_than_reserved_aborts)
{
    struct text t = {0};
    text_reserve(&t, 10);
    text_added(&t, t.room);
}
END_TEST

START_TEST(comes_and_goes)
{
    static struct spares spares;
    struct text t = {0};
    for (int i = 0; i < 3; i++) {
        text_begin(&t, &spares);
        ck_assert_str_eq(t.at, "");
        text_printf(&t, "%*d", i == 1 ? 5000 : 5, 7); /* the second one outgrows it */
        ck_assert_uint_eq(t.len, i == 1 ? 5000 : 5);
        text_end(&t, &spares);
        ck_assert_ptr_null(t.at);
        ck_assert_uint_eq(spares.count, i == 1 || SANITIZED ? 0 : 1);
    }
    text_end(&t, &spares); /* nothing was begun */
    text_begin(&t, &spares);
    text_free(&t);
}
END_TEST

START_TEST(drops)
{
    struct text t = {0};
    text_drop(&t, 0);
    text_add_str(&t, "hello");
    text_drop(&t, 0);
    text_drop(&t, 3);
    ck_assert_str_eq(t.at, "lo");
    text_add_str(&t, "w");
    text_drop(&t, 3);
    ck_assert_str_eq(t.at, "");
    text_free(&t);
}
END_TEST

SUITE()
{
    TEST(adds);
    TEST(prints_any_length);
    TEST(grows_byte_by_byte);
    TEST(reserves);
    TEST(comes_and_goes);
    TEST(drops);
    ABORTS(more_than_reserved_aborts);
}
