/* Blocks that are returned: kept within limits, and handed out again. */
#include "base/spares.h"

#include "base/sanitized.h"
#include "suite.h"

struct thing {
    char bytes[300];
};

static struct spares spares;

static void drain(void)
{
    while (spares.count) {
        struct spares none = {0};
        void *block = spares_take(&spares, sizeof(struct thing));
        none.count = SPARES_MAX; /* a full list frees a block that is returned */
        spares_give(&none, block);
    }
    ck_assert_ptr_null(spares.first);
}

START_TEST(kept_blocks_are_taken_again)
{
    struct thing *a = spares_take(&spares, sizeof *a), *b = spares_take(&spares, sizeof *b);
    ck_assert_ptr_ne(a, b);
    spares_give(&spares, a);
    spares_give(&spares, b);
    if (spares.count) { /* with a sanitizer none is kept */
        ck_assert_uint_eq(spares.count, 2);
        ck_assert_ptr_eq(spares_take(&spares, sizeof *a), b);
        ck_assert_ptr_eq(spares_take(&spares, sizeof *a), a);
        ck_assert_uint_eq(spares.count, 0);
        spares_give(&spares, a);
        spares_give(&spares, b);
    }
    drain();
}
END_TEST

START_TEST(objects_are_zeroed)
{
    static const struct thing zero;
    for (int i = 0; i < 3; i++) {
        struct thing *t = SPARES_NEW(&spares, struct thing);
        ck_assert_mem_eq(t, &zero, sizeof zero);
        memset(t, 0xff, sizeof *t);
        spares_give(&spares, t);
    }
    drain();
}
END_TEST

struct halves {
    char first[40], rest[40];
};

START_TEST(only_the_beginning_is_zeroed)
{
    static const struct halves zero;
    static struct spares own;
    struct halves *h = SPARES_NEW(&own, struct halves);
    memset(h, 'x', sizeof *h);
    spares_give(&own, h);
    h = SPARES_NEW_UP_TO(&own, struct halves, rest);
    ck_assert_mem_eq(h->first, zero.first, sizeof zero.first);
    if (own.first == NULL && !SANITIZED)
        ck_assert_int_eq(h->rest[0], 'x');
    free(h);
}
END_TEST

START_TEST(a_burst_is_not_kept)
{
    static struct thing *things[3 * SPARES_MAX];
    for (size_t i = 0; i < COUNT_OF(things); i++)
        things[i] = spares_take(&spares, sizeof *things[i]);
    for (size_t i = 0; i < COUNT_OF(things); i++)
        spares_give(&spares, things[i]);
    ck_assert_uint_le(spares.count, SPARES_MAX);
    drain();
}
END_TEST

SUITE()
{
    TEST(kept_blocks_are_taken_again);
    TEST(objects_are_zeroed);
    TEST(only_the_beginning_is_zeroed);
    TEST(a_burst_is_not_kept);
}
