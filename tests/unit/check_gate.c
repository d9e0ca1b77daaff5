/* The rate gate: bucket, order of waiters, refusals, reload, cost. */
#include "gate_fixture.h"

#include <time.h>

#include "suite.h"

/* --------------------------------------------------------------------- rate */

START_TEST(test_without_settings)
{
    struct gate_caller many[50];
    begin(0, 0, 0);
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        many[i] = gate_caller(i % 3 == 0, i % 2);
        ck_assert(ask(&many[i], 0));
        ck_assert(!gate_holds(gate, &many[i].w));
        gate_forget(&many[i].w); /* fine */
    }
    pass_time(LONG);
    struct gate_view v = view();
    ck_assert_uint_eq(v.rate_held + v.rate_refused + v.held_ms, 0);
    ck_assert_int_eq(v.weight_used, -1);
    ck_assert_uint_eq(events, 0);
    finish();
}
END_TEST

START_TEST(test_burst_and_rate)
{
    struct gate_caller a = QUOTE, b = QUOTE, c = QUOTE, d = QUOTE;
    begin(1, 10000, 2);
    ck_assert(ask(&a, LONG) && ask(&b, LONG));
    ck_assert(!ask(&c, LONG) && !ask(&d, LONG));
    ck_assert(!gate_holds(gate, &c.w)); /* waiting for the rate does not count as a hold */
    pass_time(5000);
    ck_assert_uint_eq(events, 0);
    pass_time(6000);
    ck_assert_uint_eq(c.passed, 1);
    ck_assert(d.waits);
    pass_time(10000);
    ck_assert_uint_eq(d.passed, 2);
    ck_assert_uint_eq(view().rate_held, 2);
    ck_assert_uint_eq(view().rate_refused, 0);
    pass_time(LONG); /* at most the burst is kept */
    ck_assert(ask(&a, LONG) && ask(&b, LONG) && !ask(&c, LONG));
    forget(&c);
    finish();
}
END_TEST

START_TEST(test_burst_is_the_count)
{
    struct gate_caller a = QUOTE;
    begin(3, 60000, 0);
    ck_assert(ask(&a, 0) && ask(&a, 0) && ask(&a, 0) && !ask(&a, LONG));
    forget(&a);
    finish();
}
END_TEST

START_TEST(test_orders_first)
{
    struct gate_caller spent = QUOTE, q = QUOTE, r = gate_caller(false, 9), o = ORDER, p = ORDER;
    begin(1, 10000, 1);
    ck_assert(ask(&spent, LONG));
    ck_assert(!ask(&q, LONG) && !ask(&r, LONG) && !ask(&o, LONG) && !ask(&p, LONG));
    for (int i = 0; i < 4; i++)
        pass_time(10000);
    ck_assert_uint_eq(o.passed, 1);
    ck_assert_uint_eq(p.passed, 2);
    ck_assert_uint_eq(q.passed, 3);
    ck_assert_uint_eq(r.passed, 4);
    finish();
}
END_TEST

/* A hold that begins while it waits for a connection sends it back to the gate: it is not behind those
 * that came after it. */
START_TEST(test_what_waits_again_keeps_its_place)
{
    struct gate_caller first = QUOTE, second = QUOTE, third = QUOTE, order = ORDER;
    begin(2, 10000, 2);
    ck_assert(ask(&first, LONG) && ask(&second, LONG));
    ck_assert(!ask(&third, LONG) && !ask(&order, LONG));
    ck_assert(!ask(&first, 12000) &&
              !ask(&second, LONG)); /* in time, for two come before the third */
    for (int i = 0; i < 4; i++)
        pass_time(5000);
    ck_assert_uint_eq(order.passed, 1);
    ck_assert_uint_eq(first.passed, 2);
    ck_assert_uint_eq(second.passed, 3);
    ck_assert_uint_eq(third.passed, 4);
    finish();
}
END_TEST

/* ----------------------------------------------------------------- refusals */

START_TEST(test_refused_by_its_place)
{
    struct gate_caller spent = QUOTE, first = QUOTE, second = QUOTE;
    begin(1, 10000, 1);
    ck_assert(ask(&spent, 0));
    ck_assert(!ask(&first, 5000)); /* the next token comes later */
    ck_assert_uint_eq(events, 0);
    pass_time(0);
    assert_refused(&first, "rate limit of 1/10s reached", 10);
    ck_assert(!ask(&first, 15000));
    ck_assert(!ask(&second, 15000)); /* it is taken by the first */
    pass_time(0);
    assert_refused(&second, "rate limit of 1/10s reached", 20);
    ck_assert(first.waits);
    ck_assert_uint_eq(view().rate_refused, 2);
    ck_assert_uint_eq(view().rate_held, 1);
    forget(&first);
    finish();
}
END_TEST

START_TEST(test_refused_for_an_order)
{
    struct gate_caller spent = QUOTE, quote = QUOTE, order = ORDER;
    begin(1, 10000, 1);
    ck_assert(ask(&spent, 0));
    ck_assert(!ask(&quote, 15000));
    ck_assert(!ask(&order, 15000));
    pass_time(0);
    ck_assert(order.waits);
    assert_refused(&quote, "rate limit of 1/10s reached", 20);
    pass_time(11000);
    ck_assert(order.passed);
    finish();
}
END_TEST

/* The loop was late: a request whose deadline has passed is not sent. */
START_TEST(test_never_late)
{
    struct gate_caller order = ORDER, held = ORDER;
    begin(0, 0, 0);
    answer(418, 3, 0);
    ck_assert(!ask(&order, 4000));
    pass_time(20000);
    assert_refused(&order, "it could not be sent in time", 1);
    answer(418, 10, 0);
    ck_assert(!ask(&held, 15000));
    answer(418, 60, 0);
    pass_time(200);
    assert_refused(&held, "the exchange asked for a pause of 60s (418)", 60);
    finish();
}
END_TEST

START_TEST(test_on_limit_refuse)
{
    struct gate_caller a = QUOTE, o = ORDER;
    begin(1, 10000, 1);
    settings.on_limit = ON_LIMIT_REFUSE;
    ck_assert(ask(&a, LONG));
    ck_assert(!ask(&a, LONG) && !ask(&o, LONG));
    pass_time(0);
    assert_refused(&a, "rate limit of 1/10s reached", 10);
    assert_refused(&o, "rate limit of 1/10s reached", 10);
    answer(429, 30, 0);
    ck_assert(!ask(&a, LONG));
    pass_time(0);
    assert_refused(&a, "the exchange asked for a pause of 30s (429)", 30);
    ck_assert_uint_eq(view().rate_held, 0);
    ck_assert_uint_eq(view().rate_refused, 3);
    finish();
}
END_TEST

START_TEST(test_forget)
{
    struct gate_caller spent = QUOTE, waits = QUOTE, refused = QUOTE, last = QUOTE;
    begin(1, 10000, 1);
    ck_assert(ask(&spent, 0));
    ck_assert(!ask(&waits, LONG) && !ask(&refused, 10) && !ask(&last, LONG));
    forget(&waits);
    forget(&refused);
    forget(&refused);
    pass_time(11000);
    ck_assert_uint_eq(last.passed, 1); /* in its old place */
    pass_time(LONG);
    ck_assert_uint_eq(events, 1);
    ck_assert_uint_eq(view().rate_refused, 0);
    struct gate_waiter never = {0};
    gate_forget(&never);
    finish();
}
END_TEST

static struct gate_caller *other, *again;

static void forget_and_ask(struct gate_caller *a)
{
    a->then = NULL;
    forget(other);
    ck_assert(!ask(again, LONG));
}

/* A request that passes may, inside its event, cancel others and enter the gate again; it then
 * queues behind the waiters. */
START_TEST(test_events_from_events)
{
    struct gate_caller a = QUOTE, b = QUOTE, c = QUOTE, d = QUOTE;
    begin(0, 0, 0);
    answer(429, 5, 0);
    a.then = forget_and_ask;
    other = &b;
    again = &d;
    ck_assert(!ask(&a, LONG) && !ask(&b, LONG) && !ask(&c, LONG));
    pass_time(6000);
    ck_assert_uint_eq(a.passed, 1);
    ck_assert_uint_eq(c.passed, 2);
    ck_assert_uint_eq(d.passed, 3);
    ck_assert_uint_eq(events, 3);
    finish();
}
END_TEST

/* ------------------------------------------------------------------- reload */

START_TEST(test_reload)
{
    struct gate_caller spent = QUOTE, a = QUOTE, b = QUOTE;
    begin(2, 10000, 2);
    ck_assert(ask(&spent, 0) && ask(&spent, 0) && !ask(&a, LONG));
    struct upstream_config slower = settings, none = settings;
    slower.rate = (struct config_rate){1, 100000};
    slower.burst = 50;
    gate_configure(gate, &slower); /* no fresh burst */
    pass_time(50000);
    ck_assert(a.waits);
    ck_assert(!ask(&b, 60000)); /* behind the other waiter: in 150 s */
    pass_time(0);
    ck_assert_str_eq(b.why.detail, "rate limit of 1/100s reached");
    none.rate = (struct config_rate){0};
    gate_configure(gate, &none);
    ck_assert(a.waits);
    pass_time(0);
    ck_assert(a.passed);
    ck_assert(ask(&b, 0) && ask(&b, 0) && ask(&b, 0));
    gate_configure(gate, &settings);
    ck_assert(ask(&b, 0) && ask(&b, 0) && !ask(&b, 0));
    forget(&b);
    finish();
}
END_TEST

/* -------------------------------------------------------------------- bounds */

/* Processor time for a number of requests that arrive, are answered and leave, while a number of
 * others wait. */
static double cost_beside(size_t crowd)
{
    struct gate_caller *all = must_calloc(crowd, sizeof *all), order = ORDER;
    begin(1, 3600000, 1);
    ck_assert(ask(&order, 0));
    for (size_t i = 0; i < crowd; i++) {
        all[i] = QUOTE;
        ck_assert(!ask(&all[i], UINT64_C(1000000000000)));
    }
    settings.weight_limit = 1000;
    clock_t began = clock();
    for (size_t i = 0; i < 5000; i++) {
        ck_assert(!ask(&order, UINT64_C(1000000000000)));
        tell_weight(i % 2 ? "1" : "2", 0);
        answer(429, 5, 9);
        forget(&order);
    }
    double took = (double)(clock() - began);
    for (size_t i = 0; i < crowd; i++)
        forget(&all[i]);
    free(all);
    finish();
    return took;
}

START_TEST(test_cost_does_not_grow_with_the_waiters)
{
    double few = cost_beside(30), many = cost_beside(10000);
    ck_assert_msg(many < 30 * few + 0.05 * CLOCKS_PER_SEC, "%.0f beside 30, %.0f beside 10000", few,
                  many);
}
END_TEST

SUITE()
{
    TEST(test_without_settings);
    TEST(test_burst_and_rate);
    TEST(test_burst_is_the_count);
    TEST(test_orders_first);
    TEST(test_what_waits_again_keeps_its_place);
    TEST(test_refused_by_its_place);
    TEST(test_refused_for_an_order);
    TEST(test_never_late);
    TEST(test_on_limit_refuse);
    TEST(test_forget);
    TEST(test_events_from_events);
    TEST(test_cost_does_not_grow_with_the_waiters);
    TEST(test_reload);
}
