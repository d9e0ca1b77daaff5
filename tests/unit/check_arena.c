/* Allocations from one arena: aligned, not overlapping, growing. */
#include "base/arena.h"

#include <pthread.h>

#include "suite.h"

START_TEST(pieces_are_zeroed_and_aligned)
{
    struct arena *a = arena_new();
    char *last = NULL;
    for (size_t size = 1; size < 9000; size = size * 2 + 1) {
        char *p = arena_alloc(a, size);
        ck_assert_uint_eq((uintptr_t)p % 16, 0);
        ck_assert_ptr_ne(p, last);
        for (size_t i = 0; i < size; i++)
            ck_assert_int_eq(p[i], 0);
        memset(p, 0xff, size);
        last = p;
    }
    arena_free(a);
    arena_free(NULL);
}
END_TEST

START_TEST(pieces_do_not_overlap)
{
    struct arena *a = arena_new();
    unsigned char *pieces[300];
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        pieces[i] = arena_alloc(a, i + 1);
        memset(pieces[i], (int)(i & 0xff), i + 1);
    }
    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        for (size_t k = 0; k <= i; k++)
            ck_assert_uint_eq(pieces[i][k], i & 0xff);
    arena_free(a);
}
END_TEST

START_TEST(last_piece_grows_in_place)
{
    struct arena *a = arena_new();
    char *p = arena_alloc(a, 100);
    memset(p, 'x', 100);
    ck_assert_ptr_eq(arena_grow(a, p, 100, 90), p);
    ck_assert_ptr_eq(arena_grow(a, p, 100, 1000), p);
    char *after = arena_alloc(a, 1);
    ck_assert(after >= p + 1000);
    char *moved = arena_grow(a, p, 1000, 2000);
    ck_assert_ptr_ne(moved, p);
    ck_assert(memcmp(moved, p, 100) == 0);
    arena_free(a);
}
END_TEST

START_TEST(growth_keeps_what_was_written)
{
    struct arena *a = arena_new();
    char *p = arena_grow(a, NULL, 0, 1);
    size_t size = 1;
    p[0] = 'a';
    for (; size < 300000; size++) {
        p = arena_grow(a, p, size, size + 1);
        p[size] = (char)('a' + size % 26);
    }
    for (size_t i = 0; i < size; i++)
        ck_assert_int_eq(p[i], (char)('a' + i % 26));
    arena_free(a);
}
END_TEST

START_TEST(copies_end_in_nul)
{
    struct arena *a = arena_new();
    struct span s = arena_span(a, span_first(SPAN("hello"), 4));
    ck_assert_uint_eq(s.len, 4);
    ck_assert_str_eq(s.at, "hell");
    ck_assert_str_eq(arena_span(a, (struct span){NULL, 0}).at, "");
    ck_assert_str_eq(arena_printf(a, "%s-%d", "n", 7), "n-7");
    ck_assert_str_eq(arena_number(a, 0).at, "0");
    ck_assert_str_eq(arena_number(a, UINT64_MAX).at, "18446744073709551615");
    char *wide = arena_printf(a, "%5000d", 1);
    ck_assert_uint_eq(strlen(wide), 5000);
    arena_free(a);
}
END_TEST

static void *make_arena(void *made)
{
    struct arena **a = made;
    *a = arena_new();
    return NULL;
}

/* A reload makes arenas on the worker while the loop frees others: a block that one thread
 * keeps for its next arena is never given to another thread. */
START_TEST(kept_blocks_stay_with_their_thread)
{
    arena_keep_blocks();
    struct arena *first = arena_new(), *other = NULL;
    pthread_t thread;
    arena_free(first);
    ck_assert_int_eq(pthread_create(&thread, NULL, make_arena, &other), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_ptr_nonnull(other);
    ck_assert((uintptr_t)other != (uintptr_t)first);
    arena_free(other);
}
END_TEST

static void *use_arena(void *unused)
{
    (void)unused;
    arena_free(arena_new());
    return NULL;
}

/* Seen by valgrind, which finds what a thread that ends has lost. */
START_TEST(a_thread_that_ends_loses_no_block)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, use_arena, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

SUITE()
{
    TEST(pieces_are_zeroed_and_aligned);
    TEST(pieces_do_not_overlap);
    TEST(last_piece_grows_in_place);
    TEST(growth_keeps_what_was_written);
    TEST(copies_end_in_nul);
    TEST(kept_blocks_stay_with_their_thread);
    TEST(a_thread_that_ends_loses_no_block);
}
