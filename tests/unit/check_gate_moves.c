/* A gate beside others, one per exit: waiters that move on when a hold begins, and how a gate stands
 * compared with others. */
#include "gate_fixture.h"
#include "suite.h"

static struct gate_caller movers[3];
static unsigned moved[3], holds_seen;

static void note_move(void *owner)
{
    size_t i = (size_t)((struct gate_caller *)owner - movers);
    ck_assert(!inside);
    movers[i].waits = false;
    moved[i] = ++events;
}

static void note_hold(void *owner)
{
    (void)owner;
    ck_assert(inside);
    holds_seen++;
}

static bool ask_mover(size_t i, bool moves)
{
    movers[i] = QUOTE;
    movers[i].w.on_moved = note_move;
    movers[i].w.moves = moves;
    moved[i] = 0;
    return ask(&movers[i], LONG);
}

/* Those that wait for a token when a hold begins: one moves on, one waits for its end. */
START_TEST(test_hold_moves_waiters)
{
    begin(1, 1000, 1);
    holds_seen = 0;
    gate_watch(gate, NULL, note_hold, NULL);
    ck_assert(ask_mover(0, true));
    ck_assert(!ask_mover(1, true) && !ask_mover(2, false));
    answer(429, 30, 0);
    ck_assert_uint_eq(holds_seen, 1);
    ck_assert_uint_eq(moved[1], 0); /* told outside the call */
    pass_time(0);
    ck_assert_uint_eq(moved[1], 1);
    ck_assert(movers[2].waits);
    pass_time(31000);
    ck_assert_uint_eq(movers[2].passed, 2);
    ck_assert_uint_eq(view().rate_refused, 0);
    finish();
}
END_TEST

/* It may be forgotten before it is told. */
START_TEST(test_forgotten_before_it_is_told)
{
    begin(1, 1000, 1);
    ck_assert(ask_mover(0, true) && !ask_mover(1, true));
    answer(418, 30, 0);
    forget(&movers[1]);
    pass_time(60000);
    ck_assert_uint_eq(moved[1], 0);
    finish();
}
END_TEST

/* Orders too, among them those that wait for the pace of their bot. */
START_TEST(test_recall_moves_orders)
{
    static const char grid[] = "grid";
    struct bot_config slow = {.name = grid, .weight_share = 100, .order_rate = {1, 5000}};
    begin(1, 10000, 2);
    gate_limit_bots(gate, &(struct config){.bots = &slow, .bot_count = 1});
    for (size_t i = 0; i < COUNT_OF(movers); i++) {
        movers[i] = ORDER;
        movers[i].w.on_moved = note_move;
        movers[i].w.bot = i < 2 ? grid : NULL;
        movers[i].w.places = true;
        moved[i] = 0;
    }
    ck_assert(ask(&movers[0], LONG) && !ask(&movers[1], LONG)); /* for the pace */
    movers[0].w.bot = NULL;
    ck_assert(ask(&movers[0], LONG) && !ask(&movers[2], LONG)); /* for a token */
    gate_recall(gate);
    pass_time(0);
    ck_assert(moved[1] && moved[2]);
    pass_time(60000);
    ck_assert_uint_eq(events, 2);
    finish();
}
END_TEST

START_TEST(test_recall_moves_all)
{
    begin(1, 1000, 1);
    answer(429, 30, 0);
    ck_assert(!ask_mover(0, false) && !ask_mover(1, true) && !ask_mover(2, false));
    gate_recall(gate);
    pass_time(0);
    ck_assert(moved[0] && moved[1] && moved[2]);
    finish();
}
END_TEST

START_TEST(test_standing)
{
    struct gate_standing s;
    struct gate_caller first = QUOTE, second = QUOTE, third = QUOTE;
    begin(2, 1000, 2);
    settings.weight_limit = 6000;
    gate_stand(gate, &first.w, &s);
    ck_assert(!s.is_held);
    ck_assert_int_eq(s.tokens, 2);
    ck_assert_uint_eq(s.pass_ms, loop_now(loop));
    ck_assert_uint_eq(s.weight_share, 0);
    tell_weight("1500", 10);
    ck_assert(ask(&first, LONG) && ask(&second, LONG) && !ask(&third, LONG));
    gate_stand(gate, &first.w, &s);
    ck_assert_int_eq(s.tokens, -1);
    ck_assert_uint_eq(s.pass_ms, loop_now(loop) + 1000);
    ck_assert_uint_eq(s.weight_share, 250);
    answer(429, 30, 0);
    gate_stand(gate, &first.w, &s);
    ck_assert(s.is_held);
    ck_assert_uint_ge(s.pass_ms, loop_now(loop) + 30000);
    struct gate_caller order = ORDER;
    gate_stand(gate, &order.w, &s);
    ck_assert(!s.is_held);
    forget(&third);
    finish();
    begin(0, 0, 0);
    gate_stand(gate, &first.w, &s);
    ck_assert(s.tokens == INT64_MAX);
    finish();
}
END_TEST

/* Of the smallest weight too, and of what the share of its bot holds. */
START_TEST(test_standing_of_a_bot)
{
    static const char grid[] = "grid", arb[] = "arb";
    struct bot_config blocks[] = {{.name = grid, .weight_share = 40},
                                  {.name = arb, .weight_share = 100}};
    struct gate_standing s;
    struct gate_caller one = QUOTE, other = QUOTE, new = QUOTE;
    begin(0, 0, 0);
    settings.weight_limit = 1000;
    gate_limit_bots(gate, &(struct config){.bots = blocks, .bot_count = COUNT_OF(blocks)});
    tell_weight("1", 10);
    gate_stand(gate, &one.w, &s);
    ck_assert_uint_eq(s.weight_share, 1);
    one.w.bot = grid;
    other.w.bot = arb;
    ck_assert(ask(&one, 0) && ask(&other, 0));
    gate_weigh(gate, SPAN("401"), MINUTE_START + 10, grid);
    gate_stand(gate, &one.w, &s);
    ck_assert(s.is_held);
    new.w.bot = grid;
    gate_stand(gate, &new.w, &s); /* which has not been at this gate */
    ck_assert(s.is_held);
    gate_stand(gate, &other.w, &s);
    ck_assert(!s.is_held);
    finish();
}
END_TEST

SUITE()
{
    TEST(test_hold_moves_waiters);
    TEST(test_forgotten_before_it_is_told);
    TEST(test_recall_moves_orders);
    TEST(test_recall_moves_all);
    TEST(test_standing);
    TEST(test_standing_of_a_bot);
}
