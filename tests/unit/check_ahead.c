/* Tokens taken ahead, reserved and used on credit; and the share of a rate without the store. */
#include "budget/ahead.h"
#include "budget/fleet_share.h"
#include "suite.h"

static struct ahead a;

static void begin(unsigned count, uint64_t per_ms, unsigned burst)
{
    a = (struct ahead){0};
    ahead_configure(&a, &(struct config_rate){count, per_ms}, burst);
}

static unsigned take(unsigned most, uint64_t now, bool is_order)
{
    unsigned n = 0;
    while (n < most && ahead_take(&a, now, is_order))
        n++;
    return n;
}

static void answer(uint64_t now_tokens, uint64_t later, uint64_t wait_us, double level, uint64_t at)
{
    ahead_answer(&a, &(struct ahead_grant){now_tokens, later, wait_us, level, 1}, at);
}

START_TEST(without_a_rate_all_pass)
{
    begin(0, 0, 0);
    ck_assert_uint_eq(take(100, 5, false), 100);
    ck_assert_uint_eq(ahead_when(&a, 7, 100, false, 5), 7);
    ck_assert(!ahead_is_low(&a, 10, 5));
    ck_assert_uint_eq(ahead_ask(&a, 10, 5).want, 0);
}
END_TEST

START_TEST(orders_use_credit_up_to_what_the_bucket_can_have)
{
    begin(10, 1000, 4);
    ck_assert(!ahead_take(&a, 0, false));
    ck_assert_uint_eq(take(100, 0, true), 4);
    ck_assert_uint_eq(a.credit, 4);
    ck_assert(ahead_is_low(&a, 0, 0));
    struct ahead_batch b = ahead_ask(&a, 2, 0);
    ck_assert_uint_eq(b.credit, 4);
    ck_assert_uint_eq(a.credit, 0);
    ck_assert_uint_eq(take(9, 0, true), 0); /* what is being told of is used all the same */
    answer(0, 0, 300000, -2, 1);            /* others had used it */
    ck_assert(ahead_is_empty(&a, 1));
    ck_assert_uint_eq(take(1, 1, true), 0);
    ck_assert_uint_eq(ahead_when(&a, 1, 1, true, 1), 301);
    ck_assert(!ahead_is_low(&a, 2, 300));
    ck_assert(ahead_is_low(&a, 2, 302));
    ck_assert_uint_eq(take(9, 301, true), 1);
}
END_TEST

/* Of a bucket that is known, too; a question that is lost is told of again, and counts once. */
START_TEST(credit_under_way_is_used)
{
    begin(10, 1000, 4);
    ck_assert_uint_eq(take(1, 0, true), 1);
    (void)ahead_ask(&a, 0, 0);
    answer(0, 0, 0, 3, 0);
    ck_assert_uint_eq(take(2, 0, true), 2);
    struct ahead_batch b = ahead_ask(&a, 0, 0);
    ck_assert_uint_eq(b.credit, 2);
    ck_assert_uint_eq(take(9, 0, true), 1);
    ahead_lost(&a, &b);
    ck_assert_uint_eq(a.credit, 3);
    ck_assert_uint_eq(take(9, 0, true), 0);
    b = ahead_give_back(&a, 0);
    ck_assert_uint_eq(b.credit, 3);
    ck_assert_uint_eq(take(9, 0, true), 0);
    answer(0, 0, 0, 1, 0);
    ck_assert_uint_eq(take(9, 0, true), 1);
}
END_TEST

START_TEST(reserved_tokens_come_one_by_one)
{
    begin(10, 1000, 10);
    (void)ahead_ask(&a, 5, 0);
    answer(1, 2, 50000, -2, 0);
    ck_assert_uint_eq(take(9, 0, false), 1);
    ck_assert_uint_eq(ahead_when(&a, 0, 1, false, 0), 50);
    ck_assert_uint_eq(ahead_when(&a, 0, 2, false, 0), 150);
    ck_assert_uint_eq(ahead_when(&a, 0, 3, false, 0), 300);
    ck_assert_uint_eq(take(9, 49, false), 0);
    ck_assert_uint_eq(take(9, 50, false), 1);
    ck_assert_uint_eq(take(9, 149, false), 0);
    ck_assert_uint_eq(take(9, 1000, false), 1);
}
END_TEST

START_TEST(a_batch_follows_the_pace)
{
    begin(1000, 1000, 1000);
    struct ahead_batch b = ahead_ask(&a, 0, 0);
    ck_assert_uint_eq(b.want, 0);
    b = ahead_ask(&a, 100, 0);
    ck_assert_uint_eq(b.want, 100);
    answer(100, 0, 0, 900, 0);
    ck_assert_uint_eq(take(50, 99, false), 50);
    b = ahead_ask(&a, 0, 100); /* 0.5 a ms: 125 in 250 ms, and 50 are at hand */
    ck_assert_uint_eq(b.want, 75);
    answer(75, 0, 0, 800, 100);
    ck_assert(!ahead_is_low(&a, 0, 100));
    ck_assert_uint_eq(take(62, 101, false), 62);
    ck_assert(!ahead_is_low(&a, 0, 101));
    ck_assert_uint_eq(take(1, 101, false), 1);
    ck_assert(ahead_is_low(&a, 0, 101));
    b = ahead_ask(&a, 100000, 101); /* no more than the rate of 250 ms */
    ck_assert_uint_eq(b.want, 250 - 62);
}
END_TEST

START_TEST(nothing_is_taken_ahead_of_a_slow_rate)
{
    begin(2, 60000, 2);
    ck_assert_uint_eq(ahead_ask(&a, 1, 0).want, 1);
    answer(1, 0, 0, 1, 0);
    ck_assert_uint_eq(take(1, 1, false), 1);
    ck_assert(!ahead_is_low(&a, 0, 2));
    ck_assert_uint_eq(ahead_ask(&a, 0, 200).want, 0);
}
END_TEST

START_TEST(what_is_not_used_is_given_back)
{
    begin(10, 1000, 10);
    (void)ahead_ask(&a, 0, 0);
    answer(3, 2, 100000, 0, 0);
    ck_assert_uint_eq(take(1, 10, false), 1);
    struct ahead_batch b = ahead_give_back(&a, 50);
    ck_assert_uint_eq(b.want, 0);
    ck_assert_uint_eq(b.back, 2 + 2);
    ck_assert_uint_eq(ahead_give_back(&a, 60).back, 0);
    ck_assert_uint_eq(take(1, 60, false), 0);
}
END_TEST

START_TEST(leaving_and_returning)
{
    begin(10, 1000, 10);
    (void)ahead_ask(&a, 0, 0);
    answer(2, 0, 0, 6, 0);
    struct ahead_rest rest = ahead_leave(&a, 0);
    ck_assert(rest.held == 2 && rest.level == 6);
    ck_assert_uint_eq(take(1, 0, false), 0);
    ahead_return(&a, 4);
    ck_assert_uint_eq(a.credit, 4);
    ck_assert_uint_eq(take(10, 0, true), 6);
    ahead_return(&a, -3);
    ck_assert(a.credit == 0 && a.back == 3);
    ck_assert(ahead_leave(&a, 0).back == 3);
    ck_assert_uint_eq(a.back, 0);
}
END_TEST

/* It stays to be told: what was not asked with, and what was and is lost. */
START_TEST(untold_credit_outlasts_the_store)
{
    begin(10, 1000, 10);
    ck_assert_uint_eq(take(3, 0, true), 3);
    struct ahead_batch b = ahead_ask(&a, 0, 0);
    ck_assert_uint_eq(take(1, 0, true), 1);
    ck_assert(ahead_leave(&a, 0).level == 6);
    ck_assert_uint_eq(a.credit, 1);
    ahead_lost(&a, &b);
    ck_assert_uint_eq(a.credit, 4);
}
END_TEST

START_TEST(another_rate_begins_anew)
{
    begin(10, 1000, 10);
    answer(5, 0, 0, 5, 0);
    ahead_configure(&a, &(struct config_rate){10, 1000}, 10);
    ck_assert_uint_eq(a.ready, 5);
    ahead_configure(&a, &(struct config_rate){20, 1000}, 10);
    ck_assert_uint_eq(a.ready, 0);
}
END_TEST

START_TEST(shares_are_exact)
{
    struct config_rate rate = {10, 1000};
    struct fleet_rate r = fleet_share_rate(fleet_share_of(3, 100), &rate, 0);
    ck_assert(r.rate.count == 10 && r.rate.per_ms == 3000 && r.burst == 3);
    r = fleet_share_rate(fleet_share_of(0, 25), &rate, 8);
    ck_assert(r.rate.count == 250 && r.rate.per_ms == 100000 && r.burst == 2);
    r = fleet_share_rate(fleet_share_of(0, 100), &rate, 7);
    ck_assert(r.rate.count * 1000 == 10 * r.rate.per_ms && r.burst == 7);
    r = fleet_share_rate(fleet_share_of(1000, 100), &rate, 2);
    ck_assert_uint_eq(r.burst, 1);
    r = fleet_share_rate(fleet_share_of(2, 100), &(struct config_rate){0, 0}, 0);
    ck_assert(r.rate.count == 0 && r.burst == 0);
}
END_TEST

SUITE()
{
    TEST(without_a_rate_all_pass);
    TEST(orders_use_credit_up_to_what_the_bucket_can_have);
    TEST(credit_under_way_is_used);
    TEST(reserved_tokens_come_one_by_one);
    TEST(a_batch_follows_the_pace);
    TEST(nothing_is_taken_ahead_of_a_slow_rate);
    TEST(what_is_not_used_is_given_back);
    TEST(leaving_and_returning);
    TEST(untold_credit_outlasts_the_store);
    TEST(another_rate_begins_anew);
    TEST(shares_are_exact);
}
