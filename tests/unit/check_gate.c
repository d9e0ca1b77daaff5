/* The rate gate: bucket, order, refusals, holds, weight, reload. */
#include "gate_fixture.h"

#define MINUTE_START INT64_C(1700000040) /* a full minute of the wall clock */

static struct gate_view view(void)
{
    struct gate_view v;
    gate_describe(gate, &v);
    return v;
}

static void answer(unsigned status, const char *retry_after, uint64_t credential)
{
    learn(&(struct gate_answer){.status = status,
                                .retry_after = span_of(retry_after),
                                .is_private = credential != 0,
                                .credential = credential,
                                .now_s = MINUTE_START});
}

static void tell_weight(const char *weight, int64_t second)
{
    learn(&(struct gate_answer){
        .status = 200, .weight = span_of(weight), .now_s = MINUTE_START + second});
}

static void assert_refused(const struct asker *a, const char *words, unsigned seconds)
{
    ck_assert(!a->waits && !a->passed && a->refused);
    ck_assert_str_eq(a->why.detail, words);
    ck_assert_uint_le(a->why.retry_after, seconds);
    ck_assert_uint_ge(a->why.retry_after + 2, seconds); /* real time passes too */
}

/* One that would be held now, and refused at once as it cannot wait. */
static bool is_held(struct asker a)
{
    bool held = gate_holds(gate, &a.w);
    bool passed = ask(&a, 0);
    ck_assert(passed == !held);
    if (!passed)
        forget(&a);
    return held;
}

/* --------------------------------------------------------------------- rate */

START_TEST(test_without_settings)
{
    struct asker many[50];
    begin(0, 0, 0);
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        many[i] = asker(i % 3 == 0, i % 2);
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
    struct asker a = QUOTE, b = QUOTE, c = QUOTE, d = QUOTE;
    begin(1, 10000, 2);
    ck_assert(ask(&a, LONG) && ask(&b, LONG));
    ck_assert(!ask(&c, LONG) && !ask(&d, LONG));
    ck_assert(!gate_holds(gate, &c.w)); /* the rate is no hold */
    pass_time(5000);
    ck_assert_uint_eq(events, 0);
    pass_time(6000);
    ck_assert_uint_eq(c.passed, 1);
    ck_assert(d.waits);
    pass_time(10000);
    ck_assert_uint_eq(d.passed, 2);
    ck_assert_uint_eq(view().rate_held, 2);
    ck_assert_uint_eq(view().rate_refused, 0);
    pass_time(LONG); /* no more than the burst is kept */
    ck_assert(ask(&a, LONG) && ask(&b, LONG) && !ask(&c, LONG));
    forget(&c);
    finish();
}
END_TEST

START_TEST(test_burst_is_the_count)
{
    struct asker a = QUOTE;
    begin(3, 60000, 0);
    ck_assert(ask(&a, 0) && ask(&a, 0) && ask(&a, 0) && !ask(&a, LONG));
    forget(&a);
    finish();
}
END_TEST

START_TEST(test_orders_first)
{
    struct asker spent = QUOTE, q = QUOTE, r = asker(false, 9), o = ORDER, p = ORDER;
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

/* ----------------------------------------------------------------- refusals */

START_TEST(test_refused_by_its_place)
{
    struct asker spent = QUOTE, first = QUOTE, second = QUOTE;
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
    struct asker spent = QUOTE, quote = QUOTE, order = ORDER;
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

/* The loop came too late: nothing is sent after its time. */
START_TEST(test_never_late)
{
    struct asker order = ORDER, held = ORDER;
    begin(0, 0, 0);
    answer(429, "3", 0);
    ck_assert(!ask(&order, 4000));
    pass_time(20000);
    assert_refused(&order, "it could not be sent in time", 1);
    answer(429, "10", 0);
    ck_assert(!ask(&held, 15000));
    answer(418, "60", 0);
    pass_time(0);
    assert_refused(&held, "the exchange asked for a pause of 60s (418)", 60);
    finish();
}
END_TEST

START_TEST(test_on_limit_refuse)
{
    struct asker a = QUOTE, o = ORDER;
    begin(1, 10000, 1);
    settings.on_limit = ON_LIMIT_REFUSE;
    ck_assert(ask(&a, LONG));
    ck_assert(!ask(&a, LONG) && !ask(&o, LONG));
    pass_time(0);
    assert_refused(&a, "rate limit of 1/10s reached", 10);
    assert_refused(&o, "rate limit of 1/10s reached", 10);
    answer(429, "30", 0);
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
    struct asker spent = QUOTE, waits = QUOTE, refused = QUOTE, last = QUOTE;
    begin(1, 10000, 1);
    ck_assert(ask(&spent, 0));
    ck_assert(!ask(&waits, LONG) && !ask(&refused, 10) && !ask(&last, LONG));
    forget(&waits);
    forget(&refused);
    forget(&refused);
    pass_time(11000);
    ck_assert_uint_eq(last.passed, 1); /* in its place */
    pass_time(LONG);
    ck_assert_uint_eq(events, 1);
    ck_assert_uint_eq(view().rate_refused, 0);
    struct gate_waiter never = {0};
    gate_forget(&never);
    finish();
}
END_TEST

static struct asker *other, *again;

static void forget_and_ask(struct asker *a)
{
    a->then = NULL;
    forget(other);
    ck_assert(!ask(again, LONG));
}

/* Whoever passes may take others away and ask anew: behind those who wait. */
START_TEST(test_events_from_events)
{
    struct asker a = QUOTE, b = QUOTE, c = QUOTE, d = QUOTE;
    begin(0, 0, 0);
    answer(429, "5", 0);
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

/* -------------------------------------------------------------------- holds */

START_TEST(test_pause_of_everybody)
{
    static const unsigned statuses[] = {429, 418};
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        struct asker q = QUOTE, o = ORDER, p = asker(false, 9), impatient = ORDER;
        begin(0, 0, 0);
        answer(statuses[i], "30", statuses[i] == 418 ? 9 : 0);
        ck_assert_uint_gt(view().held_ms, 20000);
        ck_assert_uint_le(view().held_ms, 30000);
        ck_assert(!ask(&q, LONG) && !ask(&p, LONG) && !ask(&o, LONG) && !ask(&impatient, 1000));
        ck_assert(gate_holds(gate, &q.w) && gate_holds(gate, &o.w) && gate_holds(gate, &p.w));
        pass_time(0);
        ck_assert(impatient.refused && impatient.why.retry_after > 25);
        pass_time(20000);
        ck_assert(q.waits && o.waits && p.waits);
        pass_time(11000);
        ck_assert_uint_eq(o.passed, 2);
        ck_assert_uint_eq(q.passed, 3);
        ck_assert_uint_eq(p.passed, 4);
        ck_assert_uint_eq(view().held_ms, 0);
        ck_assert(!is_held(QUOTE));
        finish();
    }
}
END_TEST

START_TEST(test_pause_of_one_credential)
{
    struct asker mine = asker(false, 9), order = asker(true, 9), public = QUOTE;
    begin(1, 1000, 100);
    answer(429, "30", 9);
    ck_assert(!ask(&mine, LONG) && !ask(&order, LONG));
    ck_assert(ask(&public, 0)); /* held up by nobody */
    ck_assert(!is_held(asker(false, 10)) && !is_held(asker(true, 10)));
    ck_assert(is_held(asker(false, 9)) && is_held(asker(true, 9)));
    ck_assert_uint_eq(view().held_ms, 0); /* the upstream is not */
    pass_time(20000);
    ck_assert(mine.waits && order.waits);
    pass_time(11000);
    ck_assert_uint_eq(order.passed, 1);
    ck_assert_uint_eq(mine.passed, 2);
    finish();
}
END_TEST

/* Who is held alone takes no place in the queue for tokens. */
START_TEST(test_places_beside_the_held)
{
    struct asker spent = QUOTE, mine = asker(false, 9), quote = QUOTE;
    begin(1, 10000, 1);
    ck_assert(ask(&spent, 0));
    answer(429, "1000", 9);
    ck_assert(!ask(&mine, LONG) && !ask(&quote, 15000));
    answer(200, "", 0); /* looks at all places again */
    pass_time(0);
    ck_assert(mine.waits && quote.waits);
    pass_time(11000);
    ck_assert(mine.waits && quote.passed);
    forget(&mine);
    finish();
}
END_TEST

START_TEST(test_no_pause)
{
    begin(0, 0, 0);
    answer(503, "30", 0);
    answer(200, "30", 0);
    answer(429, "", 0);
    answer(429, "0", 0);
    answer(429, "soon", 0);
    answer(429, "-3", 0);
    answer(429, "1.5", 0);
    answer(429, "Tue, 14 Nov 2023 22:13:00 GMT", 0); /* past */
    ck_assert(!is_held(QUOTE) && !is_held(ORDER));
    settings.retry_after = false;
    answer(418, "30", 0);
    ck_assert(!is_held(QUOTE));
    settings.retry_after = true;
    ck_assert(!is_held(QUOTE)); /* it was not even noted */
    answer(429, "30", 0);
    ck_assert(is_held(QUOTE));
    settings.retry_after = false; /* an operator's way out */
    ck_assert(!is_held(QUOTE));
    finish();
}
END_TEST

START_TEST(test_length_of_pauses)
{
    begin(0, 0, 0);
    answer(429, "Tue, 14 Nov 2023 22:14:40 GMT", 0); /* 40 s after MINUTE_START */
    ck_assert_uint_gt(view().held_ms, 30000);
    ck_assert_uint_le(view().held_ms, 40000);
    answer(429, "1", 0); /* shortens nothing */
    ck_assert_uint_gt(view().held_ms, 30000);
    answer(429, "99999999999999999999999999", 0);
    ck_assert_uint_gt(view().held_ms, 3590000);
    ck_assert_uint_le(view().held_ms, 3600000);
    pass_time(LONG);
    ck_assert(!is_held(QUOTE));
    finish();
}
END_TEST

START_TEST(test_many_credentials)
{
    unsigned held = 0;
    begin(0, 0, 0);
    for (uint64_t credential = 1; credential <= 1000; credential++) {
        answer(429, "1000", credential);
        ck_assert(is_held(asker(false, credential)));
    }
    for (uint64_t credential = 1; credential <= 1000; credential++)
        held += is_held(asker(false, credential));
    ck_assert_uint_eq(held, 256);
    pass_time(1001 * 1000);
    answer(429, "1000", 5); /* takes a lapsed one's place */
    ck_assert(is_held(asker(false, 5)) && !is_held(asker(false, 999)));
    finish();
}
END_TEST

START_TEST(test_pause_while_waiting)
{
    struct asker spent = QUOTE, patient = QUOTE, impatient = ORDER;
    begin(1, 10000, 1);
    ck_assert(ask(&spent, 0));
    ck_assert(!ask(&patient, LONG) && !ask(&impatient, 30000));
    answer(429, "60", 0);
    ck_assert_uint_eq(events, 0);
    pass_time(0);
    assert_refused(&impatient, "the exchange asked for a pause of 60s (429)", 60);
    pass_time(50000);
    ck_assert(patient.waits);
    pass_time(11000);
    ck_assert(patient.passed);
    finish();
}
END_TEST

/* ------------------------------------------------------------------- weight */

START_TEST(test_weight)
{
    static const struct {
        const char *weight;
        bool public, private;
    } rows[] = {{"0", false, false},   {"4799", false, false},
                {"4800", true, false}, {"5399", true, false},
                {"5400", true, true},  {" 6000 ", true, true},
                {"12", false, false},  {"99999999999999999999999", true, true}};
    begin(0, 0, 0);
    settings.weight_limit = 6000;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        tell_weight(rows[i].weight, 0);
        ck_assert_int_eq(is_held(QUOTE), rows[i].public);
        ck_assert_int_eq(is_held(asker(false, 9)), rows[i].private);
        ck_assert(!is_held(ORDER));
        ck_assert_int_eq(view().held_ms > 50000, rows[i].public);
    }
    tell_weight("4900", 0);
    tell_weight("", 0);
    tell_weight("none", 0);
    tell_weight("12x", 0);
    tell_weight("-1", 0);
    ck_assert_int_eq(view().weight_used, 4900);
    settings.weight_limit = 0;
    ck_assert(!is_held(QUOTE));
    finish();
}
END_TEST

START_TEST(test_weight_of_a_minute)
{
    struct asker q = QUOTE, private = asker(false, 9), impatient = QUOTE;
    begin(0, 0, 0);
    settings.weight_limit = 6000;
    tell_weight("4980", 20);
    ck_assert(!ask(&q, LONG) && !ask(&impatient, 30000) && ask(&private, 0));
    pass_time(0);
    assert_refused(&impatient, "used weight 4980 of 6000", 40);
    ck_assert_uint_le(view().held_ms, 40000);
    pass_time(30000);
    ck_assert(q.waits);
    ck_assert_int_eq(view().weight_used, 4980);
    pass_time(11000);
    ck_assert(q.passed);
    ck_assert_int_eq(view().weight_used, 0);
    ck_assert_uint_eq(view().held_ms, 0);
    finish();
}
END_TEST

START_TEST(test_weight_falls)
{
    struct asker q = QUOTE, r = QUOTE;
    begin(0, 0, 0);
    settings.weight_limit = 100;
    tell_weight("95", 0);
    ck_assert(!ask(&q, LONG));
    tell_weight("3", 0);
    ck_assert_uint_eq(events, 0);
    ck_assert(!ask(&r, LONG)); /* not past the one that waits */
    pass_time(0);
    ck_assert_uint_eq(q.passed, 1);
    ck_assert_uint_eq(r.passed, 2);
    finish();
}
END_TEST

/* ------------------------------------------------------------------- reload */

START_TEST(test_reload)
{
    struct asker spent = QUOTE, a = QUOTE, b = QUOTE;
    begin(2, 10000, 2);
    ck_assert(ask(&spent, 0) && ask(&spent, 0) && !ask(&a, LONG));
    struct upstream_config slower = settings, none = settings;
    slower.rate = (struct config_rate){1, 100000};
    slower.burst = 50;
    gate_configure(gate, &slower); /* no fresh burst */
    pass_time(50000);
    ck_assert(a.waits);
    ck_assert(!ask(&b, 60000)); /* behind it: in 150 s */
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

int main(void)
{
    Suite *s = suite_create("gate");
    TCase *c = tcase_create("all");
    tcase_add_test(c, test_without_settings);
    tcase_add_test(c, test_burst_and_rate);
    tcase_add_test(c, test_burst_is_the_count);
    tcase_add_test(c, test_orders_first);
    tcase_add_test(c, test_refused_by_its_place);
    tcase_add_test(c, test_refused_for_an_order);
    tcase_add_test(c, test_never_late);
    tcase_add_test(c, test_on_limit_refuse);
    tcase_add_test(c, test_forget);
    tcase_add_test(c, test_events_from_events);
    tcase_add_test(c, test_pause_of_everybody);
    tcase_add_test(c, test_pause_of_one_credential);
    tcase_add_test(c, test_places_beside_the_held);
    tcase_add_test(c, test_no_pause);
    tcase_add_test(c, test_length_of_pauses);
    tcase_add_test(c, test_many_credentials);
    tcase_add_test(c, test_pause_while_waiting);
    tcase_add_test(c, test_weight);
    tcase_add_test(c, test_weight_of_a_minute);
    tcase_add_test(c, test_weight_falls);
    tcase_add_test(c, test_reload);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
