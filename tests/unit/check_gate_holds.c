/* What holds requests at the gate: limits reported by the exchange, and the weight used. */
#include "gate_fixture.h"
#include "suite.h"

/* -------------------------------------------------------------------- holds */

START_TEST(test_hold_of_all)
{
    static const struct {
        unsigned status;
        uint64_t credential;
        int scope;
    } rows[] = {{418, 0, LIMIT_SCOPE_CREDENTIAL},
                {418, 9, LIMIT_SCOPE_CREDENTIAL},
                {429, 0, LIMIT_SCOPE_IP}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct gate_caller q = QUOTE, o = ORDER, p = gate_caller(false, 9), impatient = ORDER;
        begin(0, 0, 0);
        settings.limit_scope = rows[i].scope;
        answer(rows[i].status, 30, rows[i].credential);
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

/* A 429 to a public request holds no order, and no request with a credential. */
START_TEST(test_hold_of_public_ones)
{
    struct gate_caller q = QUOTE, bare = {.w = {.is_order = true, .on_pass = note_pass}};
    begin(0, 0, 0);
    answer(429, 30, 0);
    ck_assert_uint_gt(view().held_ms, 20000);
    ck_assert(is_held(QUOTE) && !is_held(ORDER) && !is_held(gate_caller(false, 9)));
    ck_assert(ask(&bare, 0)); /* an order without a credential is still an order */
    ck_assert(!ask(&q, LONG));
    answer(429, 60, 9); /* one key more */
    ck_assert(is_held(gate_caller(true, 9)) && !is_held(gate_caller(true, 8)));
    pass_time(31000);
    ck_assert_uint_eq(q.passed, 1);
    ck_assert(is_held(gate_caller(true, 9)));
    finish();
}
END_TEST

/* With limit_scope = ip a limit reported to a credential still belongs to that credential. */
START_TEST(test_private_limits_by_ip)
{
    begin(0, 0, 0);
    settings.limit_scope = LIMIT_SCOPE_IP;
    answer(429, 30, 9);
    ck_assert(is_held(gate_caller(false, 9)) && !is_held(gate_caller(false, 8)) && !is_held(QUOTE));
    finish();
}
END_TEST

START_TEST(test_hold_of_one_credential)
{
    struct gate_caller mine = gate_caller(false, 9), order = gate_caller(true, 9), public = QUOTE;
    begin(1, 1000, 100);
    answer(429, 30, 9);
    ck_assert(!ask(&mine, LONG) && !ask(&order, LONG));
    ck_assert(ask(&public, 0)); /* nothing holds it */
    ck_assert(!is_held(gate_caller(false, 10)) && !is_held(gate_caller(true, 10)));
    ck_assert(is_held(gate_caller(false, 9)) && is_held(gate_caller(true, 9)));
    ck_assert_uint_eq(view().held_ms, 0); /* the upstream is not */
    pass_time(20000);
    ck_assert(mine.waits && order.waits);
    pass_time(11000);
    ck_assert_uint_eq(order.passed, 1);
    ck_assert_uint_eq(mine.passed, 2);
    finish();
}
END_TEST

/* A request that is held on its own takes no place in the queue for tokens. */
START_TEST(test_places_beside_the_held)
{
    struct gate_caller spent = QUOTE, mine = gate_caller(false, 9), quote = QUOTE;
    begin(1, 10000, 1);
    ck_assert(ask(&spent, 0));
    answer(429, 1000, 9);
    ck_assert(!ask(&mine, LONG) && !ask(&quote, 15000));
    gate_configure(gate, &settings); /* all waiters are reviewed */
    pass_time(0);
    ck_assert(mine.waits && quote.waits);
    pass_time(11000);
    ck_assert(mine.waits && quote.passed);
    forget(&mine);
    finish();
}
END_TEST

START_TEST(test_no_hold)
{
    begin(0, 0, 0);
    answer(503, 30, 0);
    answer(200, 30, 0);
    answer(403, NO_TIME, 0);
    answer(429, 0, 0); /* now */
    ck_assert(!is_held(QUOTE) && !is_held(ORDER));
    settings.retry_after = false;
    answer(418, 30, 0);
    ck_assert(!is_held(QUOTE));
    settings.retry_after = true;
    ck_assert(!is_held(QUOTE)); /* it was not even recorded */
    answer(429, 30, 0);
    ck_assert(is_held(QUOTE));
    settings.retry_after = false; /* how an operator ends it */
    ck_assert(!is_held(QUOTE));
    ck_assert_uint_eq(view().hold_count, 0);
    finish();
}
END_TEST

START_TEST(test_hold_status)
{
    uint16_t statuses[] = {403, 503};
    begin(0, 0, 0);
    settings.hold_status = (struct config_numbers){statuses, COUNT_OF(statuses)};
    answer(429, 30, 0);
    answer(418, 30, 0);
    ck_assert(!is_held(QUOTE));
    answer(403, NO_TIME, 9);
    ck_assert(is_held(gate_caller(false, 9)) && !is_held(QUOTE));
    answer(503, 30, 0);
    ck_assert(is_held(QUOTE) && !is_held(ORDER));
    finish();
}
END_TEST

static void assert_held_for(uint64_t ms)
{
    ck_assert_uint_le(view().held_ms, ms);
    ck_assert_uint_gt(view().held_ms + 900, ms); /* real time passes too */
}

START_TEST(test_length_of_holds)
{
    begin(0, 0, 0);
    answer(429, 40, 0);
    assert_held_for(40000);
    answer(429, 1, 0); /* does not shorten the hold */
    answer(429, NO_TIME, 0);
    assert_held_for(40000);
    answer(429, 1000000, 0);
    assert_held_for(3600000);
    pass_time(LONG);
    ck_assert(!is_held(QUOTE));
    finish();
}
END_TEST

/* A 429 without a time holds for a second, and twice as long each time it repeats. */
START_TEST(test_holds_without_a_time)
{
    static const uint64_t lasts[] = {1000, 2000, 4000, 8000, 10000, 10000};
    begin(0, 0, 0);
    settings.hold_max = 10000;
    for (size_t i = 0; i < COUNT_OF(lasts); i++) {
        answer(429, NO_TIME, 0);
        answer(429, NO_TIME, 0); /* 429s to requests that were already in progress */
        assert_held_for(lasts[i]);
        answer(429, NO_TIME, 9); /* each counts for itself */
        pass_time(lasts[i] + (i == 3 ? 50000 : 10));
        ck_assert(!is_held(QUOTE));
    }
    pass_time(61000);
    answer(429, NO_TIME, 0); /* much later: starts again with a second */
    assert_held_for(1000);
    struct gate_caller q = QUOTE;
    ck_assert(!ask(&q, 500));
    pass_time(0);
    assert_refused(&q, "held for 1s: the exchange answered 429", 1);
    finish();
}
END_TEST

/* A reported time does not lengthen later holds for which no time is reported. */
START_TEST(test_told_times_double_nothing)
{
    begin(0, 0, 0);
    for (int i = 0; i < 3; i++) {
        answer(429, 5, 0);
        pass_time(5010);
    }
    answer(429, NO_TIME, 0);
    assert_held_for(1000);
    finish();
}
END_TEST

START_TEST(test_holds_tell_their_cause)
{
    begin(0, 0, 0);
    answer(429, 60, 0);
    answer(418, 30, 7);
    answer(429, 90, 7);
    limit(&(struct gate_limit){429, 5000, true, 8, NULL, {0}, NULL});
    struct gate_view v = view();
    ck_assert_uint_eq(v.hold_count, 4);
    static const char *const held[] = {"all", "public", "credential", "credential"};
    static const unsigned statuses[] = {418, 429, 429, 429};
    static const uint64_t left[] = {30000, 60000, 90000, 5000};
    for (size_t i = 0; i < v.hold_count; i++) {
        ck_assert_str_eq(v.holds[i].held, held[i]);
        ck_assert_uint_eq(v.holds[i].status, statuses[i]);
        ck_assert_uint_le(v.holds[i].left_ms, left[i]);
        ck_assert_uint_gt(v.holds[i].left_ms + 900, left[i]);
        ck_assert_str_eq(v.holds[i].bot, i == 3 ? "" : "grid1");
        ck_assert_str_eq(v.holds[i].path, i == 3 ? "" : "/limited");
    }
    pass_time(31000);
    v = view();
    ck_assert_uint_eq(v.hold_count, 2);
    ck_assert_str_eq(v.holds[0].held, "public");
    ck_assert_str_eq(v.holds[1].held, "credential");
    finish();
}
END_TEST

START_TEST(test_many_holds_are_shown_in_part)
{
    begin(0, 0, 0);
    for (uint64_t credential = 2; credential < 100; credential++)
        answer(429, 60, credential);
    ck_assert_uint_eq(view().hold_count, GATE_HOLDS_SHOWN);
    finish();
}
END_TEST

static void resume(void)
{
    inside = true;
    gate_resume(gate);
    inside = false;
}

START_TEST(test_resume)
{
    struct gate_caller q = QUOTE, o = gate_caller(true, 9), p = gate_caller(false, 9);
    begin(0, 0, 0);
    settings.weight_limit = 100;
    answer(418, 600, 0);
    answer(429, 700, 9);
    answer(429, 800, 0);
    tell_weight("99", 0);
    ck_assert(!ask(&q, LONG) && !ask(&o, LONG) && !ask(&p, LONG));
    resume();
    ck_assert_uint_eq(events, 0);
    pass_time(0);
    ck_assert(o.passed && q.passed && p.passed);
    ck_assert_uint_eq(view().held_ms + view().hold_count, 0);
    ck_assert_int_eq(view().weight_used, 99); /* it still holds */
    ck_assert(!is_held(QUOTE));
    tell_weight("98", 1); /* the exchange reports it again */
    ck_assert(is_held(QUOTE));
    resume();
    answer(429, NO_TIME, 0);
    assert_held_for(1000);
    resume();
    answer(429, NO_TIME, 0); /* within a minute of the hold's end */
    assert_held_for(2000);
    finish();
}
END_TEST

START_TEST(test_many_credentials)
{
    unsigned held = 0;
    begin(0, 0, 0);
    for (uint64_t credential = 1; credential <= 1000; credential++) {
        answer(429, 1000, credential);
        ck_assert(is_held(gate_caller(false, credential)));
    }
    for (uint64_t credential = 1; credential <= 1000; credential++)
        held += is_held(gate_caller(false, credential));
    ck_assert_uint_eq(held, 256);
    pass_time(1001 * 1000);
    answer(429, 1000, 5); /* takes a lapsed one's place */
    ck_assert(is_held(gate_caller(false, 5)) && !is_held(gate_caller(false, 999)));
    finish();
}
END_TEST

START_TEST(test_hold_while_waiting)
{
    struct gate_caller spent = QUOTE, patient = QUOTE, impatient = QUOTE;
    begin(1, 10000, 1);
    ck_assert(ask(&spent, 0));
    ck_assert(!ask(&patient, LONG) && !ask(&impatient, 30000));
    answer(429, 60, 0);
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
        ck_assert_int_eq(is_held(gate_caller(false, 9)), rows[i].private);
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
    struct gate_caller q = QUOTE, private = gate_caller(false, 9), impatient = QUOTE;
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
    struct gate_caller q = QUOTE, r = QUOTE;
    begin(0, 0, 0);
    settings.weight_limit = 100;
    tell_weight("95", 0);
    ck_assert(!ask(&q, LONG));
    tell_weight("3", 0);
    ck_assert_uint_eq(events, 0);
    ck_assert(!ask(&r, LONG)); /* does not overtake the one that waits */
    pass_time(0);
    ck_assert_uint_eq(q.passed, 1);
    ck_assert_uint_eq(r.passed, 2);
    finish();
}
END_TEST

/* ----------------------------------------------------------------- restarts */

static unsigned changes, urgent_changes;

static void on_change(void *owner, bool is_urgent)
{
    ck_assert_ptr_eq(owner, &changes);
    changes++;
    urgent_changes += is_urgent;
}

/* What must outlive a restart is told, and what changes it altogether is told as urgent. */
START_TEST(changes_are_told)
{
    begin(0, 0, 0);
    settings.weight_limit = 100;
    changes = urgent_changes = 0;
    holds_watch(gate_limits(gate), on_change, &changes);
    answer(429, 30, 0);
    ck_assert_uint_eq(urgent_changes, 1);
    answer(429, 31, 0);
    ck_assert_uint_eq(changes, 2);
    ck_assert_uint_eq(urgent_changes, 1);
    tell_weight("5", 10);
    tell_weight("5", 11);
    ck_assert_uint_eq(changes, 3);
    gate_resume(gate);
    ck_assert_uint_eq(urgent_changes, 2);
    ck_assert_uint_gt(gate_limits(gate)->lifted_ms, 0);
    finish();
}
END_TEST

static struct hold saved(enum hold_scope scope, uint64_t credential, int64_t left_ms)
{
    return (struct hold){.scope = scope,
                         .credential = credential,
                         .until_ms = (uint64_t)((int64_t)loop_now(loop) + left_ms),
                         .lasts_ms = 60000,
                         .status = 418};
}

static void restore(const struct hold *h)
{
    (void)holds_restore(gate_limits(gate), h, settings.hold_max, loop_now(loop));
    gate_restored(gate);
}

static void restore_weight(int64_t weight, uint64_t left_ms, bool is_lifted)
{
    holds_restore_weight(gate_limits(gate), weight, weight, loop_now(loop) + left_ms, is_lifted);
    gate_restored(gate);
}

START_TEST(a_hold_is_restored)
{
    struct gate_caller q = QUOTE;
    begin(0, 0, 0);
    struct hold all = saved(HOLD_ALL, 0, 20000), one = saved(HOLD_CREDENTIAL, 9, 40000);
    ck_assert(ask(&q, LONG));
    restore(&all);
    restore(&one);
    ck_assert(is_held(QUOTE) && is_held(ORDER) && is_held(gate_caller(false, 9)));
    ck_assert_uint_eq(view().hold_count, 2);
    ck_assert_uint_gt(view().holds[0].left_ms, 15000);
    ck_assert_uint_eq(view().holds[0].status, 418);
    all.until_ms -= 10000;
    restore(&all); /* it never becomes shorter */
    pass_time(15000);
    ck_assert(is_held(QUOTE));
    pass_time(6000);
    ck_assert(!is_held(QUOTE) && is_held(gate_caller(false, 9)));
    finish();
}
END_TEST

/* However far ahead a file says its end is. */
START_TEST(a_restored_hold_lasts_no_longer_than_a_new_one)
{
    begin(0, 0, 0);
    settings.hold_max = 5000;
    struct hold told = saved(HOLD_ALL, 0, 3000000), chosen = saved(HOLD_PUBLIC, 0, 3000000);
    chosen.step_ms = 60000;
    restore(&told);
    ck_assert_uint_le(view().held_ms, 60000);
    gate_resume(gate);
    restore(&chosen);
    ck_assert_uint_le(view().held_ms, 5000);
    ck_assert_uint_gt(view().held_ms, 4000);
    finish();
}
END_TEST

/* It has ended, but not a minute ago: the next one that states no time lasts twice as long. */
START_TEST(an_ended_hold_is_remembered)
{
    begin(0, 0, 0);
    settings.hold_default = 1000;
    settings.hold_max = 60000;
    struct hold old = saved(HOLD_PUBLIC, 0, -5000);
    old.step_ms = old.lasts_ms = 4000;
    restore(&old);
    ck_assert_uint_eq(view().held_ms, 0);
    answer(429, NO_TIME, 0);
    ck_assert_uint_gt(view().held_ms, 7000);
    finish();
}
END_TEST

START_TEST(a_weight_is_restored)
{
    begin(0, 0, 0);
    settings.weight_limit = 100;
    restore_weight(85, 20000, false);
    ck_assert_int_eq(view().weight_used, 85);
    ck_assert(is_held(QUOTE) && !is_held(gate_caller(false, 9)));
    restore_weight(5, 10000, false); /* of a minute before */
    ck_assert_int_eq(view().weight_used, 85);
    pass_time(21000);
    ck_assert_int_eq(view().weight_used, 0);
    restore_weight(95, 20000, true);
    ck_assert(!is_held(QUOTE)); /* an operator had lifted it */
    finish();
}
END_TEST

SUITE()
{
    TEST(test_hold_of_all);
    TEST(test_hold_of_public_ones);
    TEST(test_private_limits_by_ip);
    TEST(test_hold_of_one_credential);
    TEST(test_places_beside_the_held);
    TEST(test_no_hold);
    TEST(test_hold_status);
    TEST(test_length_of_holds);
    TEST(test_holds_without_a_time);
    TEST(test_told_times_double_nothing);
    TEST(test_holds_tell_their_cause);
    TEST(test_many_holds_are_shown_in_part);
    TEST(test_resume);
    TEST(test_many_credentials);
    TEST(test_hold_while_waiting);
    TEST(test_weight);
    TEST(test_weight_of_a_minute);
    TEST(test_weight_falls);
    TEST(changes_are_told);
    TEST(a_hold_is_restored);
    TEST(a_restored_hold_lasts_no_longer_than_a_new_one);
    TEST(an_ended_hold_is_remembered);
    TEST(a_weight_is_restored);
}
