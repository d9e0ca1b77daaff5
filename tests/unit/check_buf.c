/* The bytes that go in come out, however they are split. */
#include "base/buf.h"

#include <string.h>

#include "suite.h"

START_TEST(empty_holds_no_memory)
{
    struct buf b = {0};
    const char *data;
    ck_assert_uint_eq(buf_front(&b, &data), 0);
    buf_append(&b, "", 0);
    ck_assert_ptr_null(b.first);
    buf_append(&b, "abc", 3);
    buf_consume(&b, 3);
    ck_assert_ptr_null(b.first);
    ck_assert_ptr_null(b.last);
    buf_clear(&b);
}
END_TEST

/* A reproducible sequence of lengths. */
static size_t next_length(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % (*seed & 1 ? 50 : 90000);
}

START_TEST(bytes_in_are_bytes_out)
{
    struct buf b = {0};
    uint32_t seed = 7;
    unsigned char in = 0, out = 0;
    size_t held = 0;
    static char piece[100000];
    for (int turn = 0; turn < 300; turn++) {
        size_t len = next_length(&seed);
        for (size_t i = 0; i < len; i++)
            piece[i] = (char)in++;
        buf_append(&b, piece, len);
        held += len;
        ck_assert_uint_eq(b.size, held);
        size_t take = next_length(&seed);
        while (take && b.size) {
            const char *data;
            size_t n = buf_front(&b, &data);
            ck_assert_uint_gt(n, 0);
            n = n < take ? n : take;
            for (size_t i = 0; i < n; i++)
                ck_assert_int_eq((unsigned char)data[i], out++);
            buf_consume(&b, n);
            take -= n;
            held -= n;
        }
    }
    buf_clear(&b);
    ck_assert_uint_eq(b.size, 0);
}
END_TEST

START_TEST(consume_spans_chunks)
{
    struct buf b = {0};
    static char piece[200001];
    memset(piece, 'a', sizeof piece - 1);
    piece[sizeof piece - 1] = 'z';
    buf_append(&b, piece, sizeof piece);
    buf_consume(&b, sizeof piece - 1);
    const char *data;
    ck_assert_uint_eq(buf_front(&b, &data), 1);
    ck_assert_int_eq(data[0], 'z');
    buf_clear(&b);
}
END_TEST

START_TEST(kept_chunks_are_as_new)
{
    struct buf b = {0};
    const char *at;
    char bytes[900];
    buf_keep_chunks();
    for (int i = 0; i < 5; i++) {
        memset(bytes, 'a' + i, sizeof bytes);
        for (int n = 0; n < 3; n++)
            buf_append(&b, bytes, sizeof bytes);
        ck_assert_uint_eq(b.size, 3 * sizeof bytes);
        ck_assert_uint_ge(buf_front(&b, &at), sizeof bytes);
        ck_assert_mem_eq(at, bytes, sizeof bytes);
        buf_clear(&b);
        ck_assert_uint_eq(buf_front(&b, &at), 0);
    }
}
END_TEST

START_TEST(consuming_too_much_aborts)
{
    struct buf b = {0};
    buf_append(&b, "abc", 3);
    buf_consume(&b, 4);
}
END_TEST

SUITE()
{
    TEST(empty_holds_no_memory);
    TEST(bytes_in_are_bytes_out);
    TEST(consume_spans_chunks);
    TEST(kept_chunks_are_as_new);
    ABORTS(consuming_too_much_aborts);
}
