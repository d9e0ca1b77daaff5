/* A budget that is shared through a store: which tokens it gives, what it asks and tells, and what
 * it does without the store. The store is the test's own (store_peer.h). */
#include "budget/shared_budget.h"

#include "budget/gate.h"
#include "config_fixture.h"
#include "store_fixture.h"
#include "suite.h"

static struct upstream_config settings;
static struct limits limits;
static struct shared_budget *budget;
static unsigned tokens_told, limits_told;
static size_t waiting;

static void on_tokens(void *owner)
{
    (void)owner;
    tokens_told++;
}

static void on_limits(void *owner, enum limits_change change)
{
    (void)owner, (void)change;
    limits_told++;
}

static size_t count_waiting(void *owner)
{
    (void)owner;
    return waiting;
}

/* 10 tokens in 100 s, with a store that has not been configured. */
static void begin(void)
{
    static const struct shared_budget_events events = {on_tokens, on_limits, count_waiting};
    begin_store();
    static uint16_t statuses[] = {429};
    settings = (struct upstream_config){.name = "ex",
                                        .hold_status = {statuses, COUNT_OF(statuses)},
                                        .rate = {10, 100000},
                                        .retry_after = true,
                                        .hold_default = 1000,
                                        .hold_max = 120000,
                                        .weight_limit = 1000};
    limits = (struct limits){.settings = &settings};
    holds_init(&limits.holds);
    tokens_told = limits_told = 0;
    waiting = 0;
    budget = shared_budget_new(store, &limits, "upstream ex", &events, NULL);
    shared_budget_configure(budget, &settings.rate, settings.burst, "ex", "");
}

static void begin_up(void)
{
    begin();
    configure_store("", "budget_timeout = 100ms");
    UNTIL(is("up"));
    tokens_told = 0;
}

static void finish(void)
{
    if (budget)
        shared_budget_free(budget);
    end_store();
    holds_free(&limits.holds);
    bot_shares_free(&limits.bots);
}

/* What the script answers; `level` in thousandths; `weight` 0: it does not know it; `daemons` 0: one. */
struct told {
    int now, later, wait_us, level, daemons, weight, lifts, version;
    const char *holds;
};

static void answer(struct told a)
{
    struct text t = {0};
    const char *holds = a.holds ? a.holds : "";
    text_printf(&t, "*%d\r\n:%d\r\n:%d\r\n:%d\r\n:%d\r\n:%d\r\n:%d\r\n:30000\r\n",
                a.holds ? 14 : 10, a.now, a.later, a.wait_us, a.level, a.daemons ? a.daemons : 1,
                a.weight ? a.weight : -1);
    text_printf(&t, "$3\r\n7.1\r\n:%d\r\n:%d\r\n%s", a.version, a.lifts, holds);
    uint64_t before = look().answered;
    store_peer_say(&peer, t.at);
    UNTIL(look().answered == before + 1);
    text_free(&t);
}

/* The n-th argument of the latest question behind its keys, from 1. */
static const char *argument(size_t n)
{
    static char word[200];
    struct span rest = text_span(&peer.last);
    for (size_t i = 0; i < 6 + n; i++)
        rest = span_from(rest, span_find(span_from(rest, 1), ' ') + 1);
    rest = span_from(rest, 1);
    struct span w = span_first(rest, span_find(rest, ' '));
    snprintf(word, sizeof word, "%.*s", SPAN_ARG(w));
    return word;
}

enum {
    ARG_COUNT = 2,
    ARG_PER,
    ARG_BURST,
    ARG_WANT,
    ARG_CREDIT,
    ARG_BACK,
    ARG_HORIZON,
    ARG_WEIGHT,
    ARG_EPOCH,
    ARG_VERSION,
    ARG_LIFTS,
    ARG_HOLDS
};

static bool asks(unsigned n)
{
    turn_for(loop, 5);
    return peer.asked == n;
}

START_TEST(without_a_store_it_is_off)
{
    struct shared_budget_view v;
    begin();
    ck_assert(!shared_budget_is_on(budget) && !shared_budget_is_on(NULL));
    shared_budget_describe(budget, &v);
    ck_assert_ptr_null(v.key);
    shared_budget_hold(budget, &(struct hold){.scope = HOLD_ALL, .until_ms = UINT64_MAX});
    shared_budget_lift(budget);
    ck_assert(!shared_budget_is_asking(budget));
    finish();
}
END_TEST

/* The first that comes asks; what the store grants is taken, and no more. */
START_TEST(tokens_are_granted)
{
    struct shared_budget_view v;
    begin_up();
    ck_assert(!shared_budget_take(budget, false));
    ck_assert(shared_budget_is_asking(budget));
    uint64_t now = loop_now(loop);
    ck_assert_uint_eq(shared_budget_wake(budget, now), now + 101); /* not before it is late */
    ck_assert_uint_eq(shared_budget_wake(budget, now + 500), now + 500);
    UNTIL(peer.asked == 1);
    ck_assert_str_eq(argument(ARG_COUNT), "10");
    ck_assert_str_eq(argument(ARG_PER), "100000");
    ck_assert_str_eq(argument(ARG_BURST), "10");
    ck_assert_str_eq(argument(ARG_WANT), "1");
    ck_assert_str_eq(argument(ARG_CREDIT), "0");
    ck_assert_str_eq(argument(ARG_LIFTS), "0");
    ck_assert_str_eq(argument(ARG_WEIGHT), "-1");
    answer((struct told){.now = 2, .level = 3000});
    ck_assert(tokens_told == 1 && shared_budget_tokens(budget) == 2);
    loop_skip(loop, 30);
    shared_budget_touch(budget); /* there is enough */
    ck_assert(asks(1));
    ck_assert_uint_eq(shared_budget_when(budget, now, 2, false), now);
    ck_assert_uint_eq(shared_budget_wake(budget, now), now);
    ck_assert(shared_budget_take(budget, false) && shared_budget_take(budget, false));
    ck_assert(!shared_budget_take(budget, false));
    UNTIL(peer.asked == 2);
    ck_assert_str_eq(argument(ARG_EPOCH), "7.1");
    shared_budget_describe(budget, &v);
    ck_assert_str_eq(v.word, "shared");
    ck_assert(v.batches == 2 && v.ahead == 0 && v.daemons == 1);
    finish();
}
END_TEST

/* An order need not wait while the bucket is known to have tokens; the store is told of it. */
START_TEST(an_order_goes_on_credit)
{
    struct shared_budget_view v;
    begin_up();
    ck_assert(shared_budget_take(budget, true));
    UNTIL(peer.asked == 1);
    ck_assert_str_eq(argument(ARG_CREDIT), "1");
    answer((struct told){.level = 2500});
    ck_assert(shared_budget_take(budget, true) && shared_budget_take(budget, true));
    ck_assert(!shared_budget_take(budget, true)); /* the first is being told of */
    shared_budget_describe(budget, &v);
    ck_assert_uint_eq(v.credit, 1);
    UNTIL(peer.asked == 2);
    ck_assert_str_eq(argument(ARG_CREDIT), "1");
    answer((struct told){.level = 1500});
    ck_assert(!shared_budget_take(budget, true));
    UNTIL(peer.asked == 3);
    ck_assert_str_eq(argument(ARG_CREDIT), "1");
    finish();
}
END_TEST

/* Those that wait are asked for again when there should be something, and not at once. */
START_TEST(it_asks_again_in_time)
{
    begin_up();
    waiting = 1;
    ck_assert(!shared_budget_take(budget, false));
    UNTIL(peer.asked == 1);
    loop_skip(loop, 50);
    answer((struct told){.wait_us = 120000});
    ck_assert(asks(1));
    ck_assert_uint_ge(shared_budget_when(budget, loop_now(loop), 1, false), loop_now(loop) + 100);
    loop_skip(loop, 100);
    ck_assert(asks(1));
    loop_skip(loop, 25);
    UNTIL(peer.asked == 2);
    finish();
}
END_TEST

/* One after the other goes quiet, gives back what is left, and asks no more. */
START_TEST(what_is_left_is_given_back)
{
    begin_up();
    ck_assert(!shared_budget_take(budget, false));
    UNTIL(peer.asked == 1);
    answer((struct told){.now = 3, .level = 1000});
    ck_assert(shared_budget_take(budget, false));
    loop_skip(loop, 199);
    loop_skip(loop, 250);
    UNTIL(peer.asked == 2);
    ck_assert_str_eq(argument(ARG_WANT), "0");
    ck_assert_str_eq(argument(ARG_BACK), "2");
    answer((struct told){.level = 3000});
    ck_assert_uint_eq(shared_budget_tokens(budget), 0);
    for (int i = 0; i < 5; i++)
        loop_skip(loop, 1000);
    ck_assert(asks(2));
    finish();
}
END_TEST

static uint64_t share_of(unsigned most)
{
    unsigned n = 0;
    while (shared_budget_take(budget, false))
        ck_assert_uint_le(++n, most);
    return n;
}

/* Before the store has ever answered, the share is what the configuration says, and full. */
START_TEST(away_from_the_start)
{
    struct shared_budget_view v;
    begin();
    store_peer_refuse(&peer);
    configure_store("", "budget_share = 40%");
    UNTIL(is("outage"));
    shared_budget_describe(budget, &v);
    ck_assert_str_eq(v.word, "away");
    ck_assert_uint_eq(shared_budget_tokens(budget), 4);
    ck_assert_uint_eq(share_of(10), 4);
    loop_skip(loop, 25001); /* 4 in 100 s */
    ck_assert_uint_eq(share_of(10), 1);
    ck_assert_uint_gt(shared_budget_when(budget, loop_now(loop), 1, false), loop_now(loop) + 24000);
    finish();
}
END_TEST

/* What it held, and its part of what the bucket had left; that is told when the store is back. */
START_TEST(away_with_what_is_known)
{
    begin_up();
    ck_assert(!shared_budget_take(budget, false));
    UNTIL(peer.asked == 1);
    answer((struct told){.now = 2, .level = 4000, .daemons = 2});
    shared_budget_touch(budget);
    store_peer_say(&peer, "$1\r\nx\r\n"); /* which was not asked */
    UNTIL(is("outage"));
    ck_assert_uint_eq(shared_budget_tokens(budget), 4); /* 2 and a half of 4 */
    ck_assert_uint_eq(share_of(10), 4);
    waiting = 0;
    peer.answer = "*10\r\n:0\r\n:0\r\n:0\r\n:0\r\n:2\r\n:-1\r\n:30000\r\n$3\r\n7.1\r\n:0\r\n:0\r\n";
    for (int i = 0; i < 50 && !is("up"); i++) {
        loop_skip(loop, 50);
        turn_for(loop, 5);
    }
    ck_assert(is("up"));
    UNTIL(!shared_budget_is_asking(budget));
    ck_assert_str_eq(argument(ARG_CREDIT), "2"); /* 4 used; 2 of them were held */
    finish();
}
END_TEST

/* Holds go to the others and come from them; a resume ends them everywhere. */
START_TEST(holds_get_around)
{
    begin_up();
    uint64_t now = loop_now(loop);
    const struct hold own = {.scope = HOLD_ALL,
                             .until_ms = now + 5000,
                             .lasts_ms = 5000,
                             .status = 418,
                             .bot = "grid",
                             .path = "/p"};
    shared_budget_hold(budget, &own);
    UNTIL(peer.asked == 1);
    ck_assert_str_eq(argument(ARG_HOLDS), "all");
    ck_assert_str_eq(argument(ARG_HOLDS + 1), "5000");
    answer((struct told){.version = 1});
    unsigned before = limits_told;
    shared_budget_touch(budget);
    loop_skip(loop, 600);
    shared_budget_touch(budget);
    UNTIL(peer.asked == 2);
    ck_assert_str_eq(argument(ARG_HOLDS), ""); /* told once */
    answer((struct told){
        .version = 2,
        .weight = 500,
        .holds = "$5\r\nholds\r\n$6\r\npublic\r\n:7000\r\n$13\r\n429\n7000\n0\n\n\n\r\n"});
    ck_assert_uint_eq(limits_told, before + 2); /* the hold, the weight */
    const struct hold *h = holds_find(&limits.holds, true, 0, loop_now(loop));
    ck_assert(h && h->status == 429 && h->until_ms == loop_now(loop) + 7000);
    ck_assert_int_eq(holds_weight(&limits.holds, loop_now(loop)), 500);
    shared_budget_lift(budget);
    UNTIL(peer.asked == 3);
    ck_assert_str_eq(argument(ARG_LIFTS), "1");
    answer((struct told){.version = 3, .lifts = 1});
    ck_assert_ptr_nonnull(holds_find(&limits.holds, true, 0, loop_now(loop))); /* its own lift */
    loop_skip(loop, 600);
    shared_budget_touch(budget);
    UNTIL(peer.asked == 4);
    ck_assert_str_eq(argument(ARG_LIFTS), "0");
    answer((struct told){.version = 4, .lifts = 2}); /* another's */
    ck_assert_ptr_null(holds_find(&limits.holds, true, 0, loop_now(loop)));
    finish();
}
END_TEST

/* Several in one question, each whole. */
START_TEST(several_holds_are_told)
{
    begin_up();
    struct hold h = {.scope = HOLD_ALL, .lasts_ms = 5000, .status = 418};
    ck_assert(!shared_budget_take(budget, false));
    UNTIL(peer.asked == 1);
    answer((struct told){.level = 5000});
    loop_skip(loop, 600);
    shared_budget_touch(budget); /* what is known is old: it asks */
    ck_assert(shared_budget_is_asking(budget));
    h.until_ms = loop_now(loop) + 5000;
    shared_budget_hold(budget, &h);
    h.scope = HOLD_PUBLIC;
    shared_budget_hold(budget, &h);
    UNTIL(peer.asked == 2);
    answer((struct told){.level = 5000});
    UNTIL(peer.asked == 3);
    ck_assert_str_eq(argument(ARG_HOLDS), "all");
    ck_assert_str_eq(argument(ARG_HOLDS + 3), "public");
    ck_assert_str_eq(argument(ARG_HOLDS + 4), "5000");
    finish();
}
END_TEST

/* A store that begins empty is told what is in force. */
START_TEST(another_epoch_is_told_all)
{
    begin_up();
    ck_assert(holds_add(&limits.holds,
                        &(struct hold){.scope = HOLD_PUBLIC,
                                       .until_ms = loop_now(loop) + 9000,
                                       .lasts_ms = 9000,
                                       .status = 429},
                        loop_now(loop)));
    ck_assert(!shared_budget_take(budget, false));
    UNTIL(peer.asked == 1);
    answer((struct told){.now = 1, .level = 9000});
    UNTIL(peer.asked == 2);
    ck_assert_str_eq(argument(ARG_HOLDS), "public");
    answer((struct told){.level = 9000, .version = 1});
    ck_assert(asks(2));
    finish();
}
END_TEST

/* What was lost on the way is told again. */
START_TEST(a_lost_question_is_told_again)
{
    begin_up();
    ck_assert(shared_budget_take(budget, true));
    const struct hold own = {
        .scope = HOLD_ALL, .until_ms = loop_now(loop) + 60000, .lasts_ms = 60000, .status = 418};
    ck_assert(holds_add(&limits.holds, &own, loop_now(loop)));
    shared_budget_hold(budget, &own);
    UNTIL(peer.asked == 1);
    store_peer_close(&peer, false);
    UNTIL(is("outage"));
    peer.answer = "*10\r\n:0\r\n:0\r\n:0\r\n:0\r\n:1\r\n:-1\r\n:30000\r\n$3\r\n7.1\r\n:0\r\n:0\r\n";
    for (int i = 0; i < 50 && !is("up"); i++) {
        loop_skip(loop, 50);
        turn_for(loop, 5);
    }
    ck_assert(is("up"));
    UNTIL(!shared_budget_is_asking(budget));
    ck_assert_str_eq(argument(ARG_HOLDS), "all");
    finish();
}
END_TEST

#define NOTHING_LEFT ":0\r\n:0\r\n:0\r\n:0\r\n:1\r\n:-1\r\n:30000\r\n$3\r\n7.1\r\n:0\r\n:0\r\n"

/* In an outage that has just begun: three answers of the store are in time, the last of them `ms` after
 * the second. All of it takes 130 + 30 + `ms` of the test's own time. */
static void come_back(unsigned ms)
{
    const unsigned steps[] = {130, 30, ms};
    unsigned asked = peer.asked;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        loop_skip(loop, steps[i]);
        UNTIL(peer.asked == asked + i + 1);
        uint64_t answered = look().answered;
        store_peer_say(&peer, "*10\r\n" NOTHING_LEFT);
        UNTIL(look().answered == answered + 1);
    }
    ck_assert(is("up"));
    UNTIL(peer.asked == asked + 4);
}

/* What orders used on credit is told by the first question that can be asked, whether it was asked
 * with before, and lost with the connection, or not. */
START_TEST(credit_is_told_after_an_outage)
{
    struct shared_budget_view v;
    begin_up();
    ck_assert(shared_budget_take(budget, true));
    UNTIL(peer.asked == 1);
    answer((struct told){.level = 8000});
    ck_assert(shared_budget_take(budget, true)); /* it asks with this one */
    UNTIL(peer.asked == 2);
    ck_assert(shared_budget_take(budget, true) && shared_budget_take(budget, true));
    store_peer_close(&peer, false);
    UNTIL(is("outage"));
    shared_budget_describe(budget, &v);
    ck_assert_uint_eq(v.credit, 3);
    ck_assert_uint_eq(shared_budget_tokens(budget), 5);
    ck_assert(shared_budget_take(budget, true)); /* of its share, this one */
    peer.answer = "*10\r\n" NOTHING_LEFT;
    for (int i = 0; i < 50 && !is("up"); i++) {
        loop_skip(loop, 50);
        turn_for(loop, 5);
    }
    ck_assert(is("up"));
    UNTIL(!shared_budget_is_asking(budget));
    ck_assert_str_eq(argument(ARG_CREDIT), "4");
    ck_assert_str_eq(argument(ARG_BACK), "0");
    finish();
}
END_TEST

/* A question that is answered late was heard: its credit is told, what it grants is given back. */
START_TEST(a_late_answer_counts)
{
    begin_up();
    ck_assert(shared_budget_take(budget, true));
    UNTIL(peer.asked == 1);
    answer((struct told){.level = 8000});
    waiting = 2; /* this one no longer */
    ck_assert(shared_budget_take(budget, true));
    UNTIL(peer.asked == 2);
    ck_assert_str_eq(argument(ARG_CREDIT), "1");
    ck_assert_str_eq(argument(ARG_WANT), "1");
    if (_i)
        ck_assert(shared_budget_take(budget, true)); /* not asked with */
    loop_skip(loop, 101);
    UNTIL(is("outage"));
    waiting = 0;
    answer((struct told){.now = 1, .level = 6000});
    peer.answer = "*10\r\n" NOTHING_LEFT;
    for (int i = 0; i < 50 && !is("up"); i++) {
        loop_skip(loop, 50);
        turn_for(loop, 5);
    }
    ck_assert(is("up"));
    if (_i) /* one for the other */
        ck_assert_uint_eq(peer.asked, 5);
    else
        UNTIL(peer.asked == 6 && !shared_budget_is_asking(budget));
    ck_assert_str_eq(argument(ARG_CREDIT), "0");
    ck_assert_str_eq(argument(ARG_BACK), _i ? "0" : "1");
    finish();
}
END_TEST

/* Of 2 that were held and 4.1 that were left 3 are used: 1 that the store does not know, at any time.
 * (By these numbers it comes out as a little less.) */
START_TEST(no_token_is_lost_to_rounding)
{
    begin_up();
    ck_assert(!shared_budget_take(budget, false));
    UNTIL(peer.asked == 1);
    answer((struct told){.now = 2, .level = 4100});
    store_peer_say(&peer, "$1\r\nx\r\n"); /* which was not asked */
    UNTIL(is("outage"));
    for (int i = 0; i < 3; i++)
        ck_assert(shared_budget_take(budget, false));
    come_back(30 + (unsigned)_i);
    ck_assert_str_eq(argument(ARG_CREDIT), "1");
    ck_assert_str_eq(argument(ARG_BACK), "0");
    finish();
}
END_TEST

static void note_pass(void *owner)
{
    ++*(unsigned *)owner;
}

static void note_refusal(void *owner, const struct verdict *why)
{
    (void)owner, (void)why;
    ck_abort();
}

/* A gate tells the others what the exchange reports, and lets pass what the store grants. */
START_TEST(at_a_gate)
{
    unsigned passed = 0;
    begin();
    struct gate *gate = gate_new(loop, &settings);
    gate_share(gate, store, "gate", "");
    shared_budget_free(budget);
    budget = NULL;
    configure_store("", "budget_timeout = 100ms");
    UNTIL(is("up"));
    struct gate_waiter w = {.owner = &passed, .on_pass = note_pass, .on_refused = note_refusal};
    ck_assert(!gate_pass(gate, &w, loop_now(loop) + 60000));
    UNTIL(peer.asked == 1);
    answer((struct told){.now = 1, .level = 5000});
    UNTIL(passed == 1);
    gate_weigh(gate, SPAN("77"), 1700000050, NULL);
    gate_limit(gate, &(struct gate_limit){.status = 429, .asked_ms = 3000, .path = SPAN("/x")});
    UNTIL(peer.asked >= 2);
    if (strcmp(argument(ARG_HOLDS), "public") != 0) { /* it asked for tokens first */
        answer((struct told){.level = 5000});
        UNTIL(peer.asked >= 3);
    }
    ck_assert_str_eq(argument(ARG_HOLDS), "public");
    ck_assert_str_eq(argument(ARG_WEIGHT), "77");
    answer((struct told){.level = 5000, .version = 1});
    gate_forget(&w);
    gate_free(gate);
    finish();
}
END_TEST

SUITE()
{
    TEST(without_a_store_it_is_off);
    TEST(tokens_are_granted);
    TEST(an_order_goes_on_credit);
    TEST(it_asks_again_in_time);
    TEST(what_is_left_is_given_back);
    TEST(away_from_the_start);
    TEST(away_with_what_is_known);
    TEST(holds_get_around);
    TEST(several_holds_are_told);
    TEST(another_epoch_is_told_all);
    TEST(a_lost_question_is_told_again);
    TEST(credit_is_told_after_an_outage);
    LOOP(a_late_answer_counts, 0, 2);
    LOOP(no_token_is_lost_to_rounding, 0, 10);
    TEST(at_a_gate);
}
