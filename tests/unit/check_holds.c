/* By how much the weight used has grown, in whatever order the responses arrive, and what is dropped
 * when there are too many holds. Pauses are tested together with the gate that owns them. */
#include "budget/holds.h"

#include "suite.h"

static struct holds h;

static void setup(void)
{
    holds_init(&h);
}

/* Reported this many seconds after a full minute. */
static uint64_t grown(int64_t weight, uint64_t second)
{
    return holds_weigh(&h, weight, 600000 + second * 1000, (60 - second % 60) * 1000);
}

START_TEST(it_grows_within_a_minute)
{
    ck_assert_uint_eq(grown(10, 10), 10);
    ck_assert_uint_eq(grown(25, 11), 15);
    ck_assert_uint_eq(grown(25, 12), 0);
    ck_assert_uint_eq(grown(12, 13), 0); /* an older response that arrives late */
    ck_assert_uint_eq(grown(30, 14), 5);
    ck_assert_int_eq(holds_weight(&h, 614000), 30);
}
END_TEST

START_TEST(a_minute_begins_at_nothing)
{
    ck_assert_uint_eq(grown(100, 30), 100);
    ck_assert_uint_eq(grown(2, 62), 2);
    ck_assert_uint_eq(grown(4, 90), 2);
    ck_assert_uint_eq(grown(9, 130), 9); /* more than before, but long after */
    ck_assert_uint_eq(grown(9, 190), 9);
}
END_TEST

/* The exchange's clock may differ a little from ours. */
START_TEST(its_minute_need_not_be_ours)
{
    ck_assert_uint_eq(grown(5000, 50), 5000);
    ck_assert_uint_eq(grown(5010, 61), 10); /* our minute has begun, the exchange's has not */
    ck_assert_uint_eq(grown(5, 63), 5);     /* now it has */
    ck_assert_uint_eq(grown(7, 80), 2);
    ck_assert_uint_eq(grown(4000, 110), 3993);
    ck_assert_uint_eq(grown(3, 118), 3); /* the exchange's minute begins first */
    ck_assert_uint_eq(grown(8, 121), 5);
}
END_TEST

/* One that ends in this moment is over. */
START_TEST(a_hold_restored_at_its_end)
{
    const struct hold saved = {
        .scope = HOLD_ALL, .until_ms = 5000, .lasts_ms = 1000, .status = 429};
    ck_assert_ptr_null(holds_restore(&h, &saved, 120000, 5000));
    ck_assert_ptr_null(holds_find(&h, true, 0, 5000));
    holds_init(&h);
    const struct hold *restored = holds_restore(&h, &saved, 120000, 4999);
    ck_assert(restored && restored->until_ms == 5000);
}
END_TEST

/* What the exchange has reported since is newer than what the file says of the same minute. */
START_TEST(a_weight_restored_late)
{
    ck_assert_uint_eq(grown(50, 10), 50);
    holds_restore_weight(&h, 20, 20, 660000, true);
    ck_assert_int_eq(holds_weight(&h, 611000), 50);
    ck_assert(!h.weight_lifted);
    holds_restore_weight(&h, 20, 20, 660001, false);
    ck_assert_int_eq(holds_weight(&h, 611000), 20);
}
END_TEST

static bool is_held(uint64_t credential)
{
    return holds_find(&h, false, credential, 1) != NULL;
}

START_TEST(the_one_that_ends_first_is_dropped)
{
    for (uint64_t c = 1; c <= HOLDS_CREDENTIALS + 1; c++) {
        uint64_t lasts = _i == (int)c ? 1000 : 60000;
        ck_assert(holds_add(&h,
                            &(struct hold){.scope = HOLD_CREDENTIAL,
                                           .credential = c,
                                           .until_ms = 1 + lasts,
                                           .lasts_ms = lasts,
                                           .status = 429},
                            1));
    }
    for (uint64_t c = 1; c <= HOLDS_CREDENTIALS + 1; c++)
        ck_assert_msg(is_held(c) == ((int)c != _i), "%d", (int)c);
    holds_free(&h);
}
END_TEST

SUITE()
{
    FIXTURE(setup, NULL);
    TEST(it_grows_within_a_minute);
    TEST(a_minute_begins_at_nothing);
    TEST(its_minute_need_not_be_ours);
    TEST(a_hold_restored_at_its_end);
    TEST(a_weight_restored_late);
    LOOP(the_one_that_ends_first_is_dropped, 1, 4);
}
