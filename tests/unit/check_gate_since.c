/* Since when requests are held at the gate, and when it looks again. */
#include "gate_fixture.h"
#include "suite.h"

/* Since when it has been held is that of what holds it now, not of a hold that is over. */
START_TEST(since_when_it_is_held)
{
    begin(0, 0, 0);
    answer(418, 30, 0);
    pass_time(10000);
    answer(429, 60, 0);
    const struct holds *h = gate_limits(gate);
    ck_assert_uint_gt(h->public.since_ms, h->all.since_ms);
    ck_assert_uint_eq(holds_turned(h, true, loop_now(loop)), h->all.since_ms);
    pass_time(25000);
    ck_assert(is_held(QUOTE) && !is_held(ORDER));
    ck_assert_uint_eq(holds_turned(h, true, loop_now(loop)), h->public.since_ms);
    finish();
}
END_TEST

/* By the weight since it was used up, until its minute ends. */
START_TEST(since_when_its_weight_holds_it)
{
    begin(0, 0, 0);
    settings.weight_limit = 100;
    const struct holds *h = gate_limits(gate);
    ck_assert_uint_eq(holds_turned(h, false, loop_now(loop)), 0);
    pass_time(1000);
    tell_weight("90", 30);
    ck_assert(is_held(QUOTE) && h->weight_holds);
    uint64_t began_ms = h->weight_turned_ms;
    pass_time(10000);
    tell_weight("95", 40); /* as before */
    ck_assert_uint_eq(holds_turned(h, true, loop_now(loop)), began_ms);
    ck_assert_uint_eq(holds_turned(h, true, h->weight_until_ms), h->weight_until_ms);
    pass_time(21000);
    ck_assert(!is_held(QUOTE));
    ck_assert_uint_eq(holds_turned(h, false, loop_now(loop)), h->weight_until_ms);
    finish();
}
END_TEST

/* A hold of a key that has ended has the others' ends looked at, once each. */
START_TEST(ends_of_holds_wake_it_once)
{
    struct gate_caller one = gate_caller(false, 8), two = gate_caller(false, 9);
    begin(0, 0, 0);
    answer(429, 10, 8);
    answer(429, 30, 9);
    ck_assert(!ask(&one, LONG) && !ask(&two, LONG));
    pass_time(11000);
    ck_assert(one.passed && two.waits);
    loop_turn(loop, false);
    ck_assert_int_gt(uv_backend_timeout(loop_uv(loop)), 10000);
    pass_time(20000);
    ck_assert(two.passed);
    finish();
}
END_TEST

/* The origin reports a weight, and nothing limits it. */
START_TEST(a_weight_without_a_limit)
{
    struct gate_caller quote = QUOTE;
    struct gate_standing standing;
    begin(0, 0, 0);
    settings.weight_limit = 0;
    tell_weight("500", 10);
    gate_stand(gate, &quote.w, &standing);
    ck_assert(standing.weight_share == 0 && !standing.is_held);
    ck_assert_int_eq(view().weight_used, 500);
    finish();
}
END_TEST

/* What a hold of all stops has its place all the same: the next one is behind it. */
START_TEST(a_place_behind_one_that_is_held)
{
    struct gate_caller first = ORDER, second = ORDER, third = ORDER;
    begin(1, 10000, 1);
    answer(418, 30, 0);
    ck_assert(!ask(&first, LONG) && !ask(&second, 35000) && !ask(&third, 45000));
    pass_time(0);
    assert_refused(&second, "the exchange asked for a pause of 30s (418)", 40);
    ck_assert(first.waits && third.waits);
    pass_time(31000);
    ck_assert(first.passed && third.waits);
    pass_time(10000);
    ck_assert(third.passed);
    finish();
}
END_TEST

/* A resume ends what the weight holds, then and not with its minute. */
START_TEST(since_when_it_is_lifted)
{
    begin(0, 0, 0);
    settings.weight_limit = 100;
    pass_time(1000);
    tell_weight("95", 30);
    ck_assert(is_held(QUOTE));
    pass_time(5000);
    gate_resume(gate);
    uint64_t lifted_ms = loop_now(loop);
    pass_time(5000);
    ck_assert(!is_held(QUOTE));
    ck_assert_uint_eq(view().turned_ms, lifted_ms);
    finish();
}
END_TEST

SUITE()
{
    TEST(since_when_it_is_held);
    TEST(since_when_its_weight_holds_it);
    TEST(ends_of_holds_wake_it_once);
    TEST(a_weight_without_a_limit);
    TEST(a_place_behind_one_that_is_held);
    TEST(since_when_it_is_lifted);
}
