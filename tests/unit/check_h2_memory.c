/* nghttp2's allocator: blocks of every size are apart, keep what is in them, and are used again. */
#include "protocol/h2_memory.h"

#include <stdint.h>
#include <string.h>

#include "base/sanitized.h"
#include "suite.h"

#define LARGEST 1200

static void *take(size_t size)
{
    return h2_memory()->malloc(size, NULL);
}

static void give(void *block)
{
    h2_memory()->free(block, NULL);
}

START_TEST(blocks_are_aligned_and_apart)
{
    static unsigned char *blocks[LARGEST];
    for (size_t size = 0; size < LARGEST; size++) {
        blocks[size] = take(size);
        ck_assert_uint_eq((uintptr_t)blocks[size] % 16, 0);
        memset(blocks[size], (int)(size % 251), size);
    }
    for (size_t size = 0; size < LARGEST; size++) {
        size_t same = 0;
        while (same < size && blocks[size][same] == size % 251)
            same++;
        ck_assert_uint_eq(same, size);
        give(blocks[size]);
    }
    give(NULL);
}
END_TEST

START_TEST(small_blocks_are_used_again)
{
    void *first = take(100), *large = take(513);
    give(first);
    if (!SANITIZED)
        ck_assert_ptr_eq(take(65), first); /* of the same class */
    else
        first = take(65);
    give(first);
    give(large);
}
END_TEST

START_TEST(calloc_zeroes_what_was_used)
{
    unsigned char *dirty = take(128);
    memset(dirty, 0xff, 128);
    give(dirty);
    unsigned char *clean = h2_memory()->calloc(16, 8, NULL);
    for (size_t i = 0; i < 128; i++)
        ck_assert_uint_eq(clean[i], 0);
    give(clean);
}
END_TEST

START_TEST(growing_keeps_the_bytes)
{
    unsigned char *at = NULL;
    for (size_t size = 1; size < LARGEST; size += 37) {
        at = h2_memory()->realloc(at, size, NULL);
        at[size - 1] = (unsigned char)(size % 251);
        for (size_t i = 1; i <= size; i += 37)
            ck_assert_uint_eq(at[i - 1], i % 251);
    }
    ck_assert_ptr_eq(h2_memory()->realloc(at, 10, NULL), at);
    give(at);
}
END_TEST

SUITE()
{
    TEST(blocks_are_aligned_and_apart);
    TEST(small_blocks_are_used_again);
    TEST(calloc_zeroes_what_was_used);
    TEST(growing_keeps_the_bytes);
}
