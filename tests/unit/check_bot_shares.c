/* Shares of the weight and rates of orders, one upstream's: by themselves, then at its gate. */
#include "gate_fixture.h"
#include "suite.h"

static const char grid[] = "grid", arb[] = "arb";
static struct bot_config blocks[] = {
    {.name = "grid", .weight_share = 40, .order_rate = {2, 1000}},
    {.name = "arb", .weight_share = 100},
};
static struct config config = {.bots = blocks, .bot_count = COUNT_OF(blocks)};

static struct gate_caller of_bot(const char *bot, bool is_order)
{
    struct gate_caller c = gate_caller(is_order, 0);
    c.w.bot = bot;
    c.w.places = is_order;
    return c;
}

static void begin_bots(void)
{
    begin(0, 0, 0);
    settings.weight_limit = 1000;
    gate_limit_bots(gate, &config);
}

static void use(const char *bot, const char *weight)
{
    gate_weigh(gate, span_of(weight), MINUTE_START + 10, bot);
}

/* Whether a GET of it would have to wait; that it asks is noted. */
static bool waits(const char *bot)
{
    struct gate_caller c = of_bot(bot, false);
    bool passed = ask(&c, 100000);
    if (!passed)
        forget(&c);
    return !passed;
}

START_TEST(nothing_is_noted_without_blocks)
{
    struct bot_shares s = {0};
    ck_assert_ptr_null(bot_shares_ask(&s, grid, 1));
    ck_assert_ptr_null(bot_shares_find(&s, grid));
    bot_shares_use(&s, grid, 5, 10, 1);
    ck_assert_uint_eq(bot_shares_held_until(&s, NULL, 100, 1), 0);
    bot_shares_free(&s);
}
END_TEST

START_TEST(names_are_told_apart_by_address)
{
    static char names[BOT_SHARES_MAX - 1][8];
    struct bot_shares s = {0};
    bot_shares_configure(&s, blocks, COUNT_OF(blocks), 0);
    struct bot_share *unnamed = bot_shares_ask(&s, NULL, 1);
    ck_assert_str_eq(unnamed->bot, "");
    for (size_t i = 0; i < COUNT_OF(names); i++)
        ck_assert_ptr_eq(bot_shares_ask(&s, names[i], 1)->bot, names[i]);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        ck_assert_ptr_eq(bot_shares_find(&s, names[i])->bot, names[i]);
    ck_assert_ptr_eq(bot_shares_find(&s, NULL), unnamed);
    ck_assert_uint_eq(s.count, BOT_SHARES_MAX);
    bot_shares_free(&s);
}
END_TEST

START_TEST(a_share_counts_while_others_ask)
{
    begin_bots();
    ck_assert(!waits(grid));
    use(grid, "399");
    ck_assert(!waits(grid) && !waits(NULL));
    use(grid, "400");
    ck_assert(waits(grid));
    ck_assert(!waits(NULL) && !waits(arb));
    pass_time(9000);
    ck_assert(waits(grid));
    pass_time(1000); /* the last request of another bot is 10 s ago */
    ck_assert(!waits(grid));
    ck_assert(!waits(arb));
    ck_assert(waits(grid));
    ck_assert_uint_eq(view().bots->at[0]->held, 3);
    finish();
}
END_TEST

START_TEST(all_of_it_when_nobody_else_asks)
{
    begin_bots();
    ck_assert(!waits(grid));
    use(grid, "700");
    ck_assert(!waits(grid));
    use(grid, "800"); /* what holds everybody holds it too */
    ck_assert(waits(grid));
    finish();
}
END_TEST

/* What holds everybody is not counted as the bot's own. */
START_TEST(what_holds_all_is_not_its_share)
{
    begin_bots();
    ck_assert(!waits(grid));
    answer(418, 30, 0);
    ck_assert(waits(grid));
    struct gate_caller impatient = of_bot(grid, false);
    ck_assert(!ask(&impatient, 0));
    pass_time(0);
    ck_assert(impatient.refused);
    ck_assert(view().bots->at[0]->held == 0 && view().bots->at[0]->refused == 0);
    finish();
}
END_TEST

START_TEST(its_orders_are_not_held_by_weight)
{
    struct gate_caller order = of_bot(grid, true);
    begin_bots();
    ck_assert(!waits(NULL) && !waits(grid));
    use(grid, "500");
    ck_assert(waits(grid) && ask(&order, 0));
    finish();
}
END_TEST

START_TEST(a_waiter_goes_when_others_have_gone)
{
    struct gate_caller w = of_bot(grid, false), impatient = of_bot(grid, false);
    begin_bots();
    ck_assert(!waits(grid) && !waits(arb));
    use(grid, "400");
    ck_assert(!ask(&w, 60000) && !ask(&impatient, 5000));
    pass_time(0);
    assert_refused(&impatient, "bot grid has used weight 400 of 1000, its share is 40%", 10);
    pass_time(9999);
    ck_assert(w.waits);
    pass_time(2);
    ck_assert(w.passed);
    finish();
}
END_TEST

START_TEST(a_minute_ends_it)
{
    begin_bots();
    ck_assert(!waits(grid));
    use(grid, "400");
    for (int s = 0; s < 49; s++) {
        pass_time(1000);
        ck_assert(!waits(NULL) && waits(grid));
    }
    pass_time(1001); /* it was second 10 */
    ck_assert(!waits(NULL) && !waits(grid));
    finish();
}
END_TEST

/* The end of the minute is the next full second's, up to a second late: what is used within that
 * second begins the next minute, however busy the bot is. */
START_TEST(a_busy_bot_begins_each_minute_anew)
{
    struct bot_shares s = {0};
    bot_shares_configure(&s, blocks, COUNT_OF(blocks), 0);
    struct bot_share *b = bot_shares_ask(&s, grid, 1);
    for (uint64_t now = 1; now < 5 * 60000; now += 100) {
        uint64_t second = now / 1000 % 60;
        bot_shares_use(&s, grid, 1, now + (60 - second) * 1000, now);
        ck_assert_uint_le(bot_share_weight(b, now), 600);
        ck_assert_uint_eq(bot_share_weight(b, now), now % 60000 / 100 + 1);
    }
    bot_shares_free(&s);
}
END_TEST

START_TEST(it_refuses_where_the_gate_refuses)
{
    struct gate_caller w = of_bot(grid, false), order = of_bot(grid, true);
    begin_bots();
    settings.on_limit = ON_LIMIT_REFUSE;
    ck_assert(!waits(grid) && !waits(arb));
    use(grid, "400");
    ck_assert(!ask(&w, LONG));
    pass_time(0);
    assert_refused(&w, "bot grid has used weight 400 of 1000, its share is 40%", 10);
    ck_assert(ask(&order, LONG) && ask(&order, LONG) && !ask(&order, LONG));
    pass_time(0);
    assert_refused(&order, "order rate of 2/1s of bot grid reached", 1);
    ck_assert_uint_eq(view().bots->at[0]->refused, 2);
    finish();
}
END_TEST

START_TEST(a_resume_lifts_it)
{
    begin_bots();
    ck_assert(!waits(NULL) && !waits(grid));
    use(grid, "400");
    ck_assert(waits(grid));
    gate_resume(gate);
    ck_assert(!waits(grid));
    use(grid, "401");
    ck_assert(waits(grid));
    finish();
}
END_TEST

START_TEST(orders_keep_their_pace)
{
    struct gate_caller o[5], cancel = of_bot(grid, true), other = of_bot(arb, true);
    begin_bots();
    cancel.w.places = false;
    for (size_t i = 0; i < COUNT_OF(o); i++)
        o[i] = of_bot(grid, true);
    ck_assert(ask(&o[0], LONG) && ask(&o[1], LONG));
    ck_assert(!ask(&o[2], LONG) && !ask(&o[3], LONG) && !ask(&o[4], 1400));
    ck_assert(ask(&cancel, 0) && ask(&other, 0));
    pass_time(499);
    ck_assert(o[2].waits && o[3].waits);
    ck_assert(o[4].refused == 1);
    assert_refused(&o[4], "order rate of 2/1s of bot grid reached", 2);
    pass_time(1);
    ck_assert(o[2].passed == 2 && o[3].waits);
    pass_time(500);
    ck_assert(o[3].passed == 3);
    ck_assert_uint_eq(view().rate_held, 2);
    pass_time(LONG); /* nothing is left of its waiting */
    ck_assert(!o[2].refused && !o[3].refused);
    finish();
}
END_TEST

START_TEST(an_order_that_waits_tells_when_it_may_go)
{
    struct bot_config slow = {.name = "grid", .weight_share = 100, .order_rate = {1, 5000}};
    struct gate_caller first = of_bot(grid, true), next = first;
    begin(0, 0, 0);
    gate_limit_bots(gate, &(struct config){.bots = &slow, .bot_count = 1});
    ck_assert(ask(&first, LONG) && !ask(&next, LONG));
    struct verdict v = gate_refusal(&next.w);
    ck_assert_uint_eq(v.retry_after, 5);
    forget(&next);
    finish();
}
END_TEST

START_TEST(an_order_that_leaves_gives_its_place_to_the_next)
{
    struct gate_caller o[4];
    begin_bots();
    for (size_t i = 0; i < COUNT_OF(o); i++)
        o[i] = of_bot(grid, true);
    ck_assert(ask(&o[0], LONG) && ask(&o[1], LONG) && !ask(&o[2], LONG) && !ask(&o[3], LONG));
    forget(&o[2]);
    pass_time(500);
    ck_assert(o[3].passed);
    finish();
}
END_TEST

START_TEST(paced_orders_wait_for_the_rate_of_all_as_well)
{
    struct gate_caller quote = QUOTE, o[3];
    begin(1, 1000, 2);
    gate_limit_bots(gate, &config);
    for (size_t i = 0; i < COUNT_OF(o); i++)
        o[i] = of_bot(grid, true);
    ck_assert(ask(&o[0], LONG) && ask(&o[1], LONG) && !ask(&o[2], LONG) && !ask(&quote, LONG));
    pass_time(500); /* a token of its bot, but none of the upstream */
    ck_assert(o[2].waits);
    pass_time(500);
    ck_assert(o[2].passed && quote.waits); /* orders go first */
    pass_time(1000);
    ck_assert(quote.passed);
    ck_assert_uint_eq(view().rate_held, 2); /* each counts once */
    finish();
}
END_TEST

START_TEST(a_reload_keeps_what_was_used)
{
    static struct bot_config stricter[] = {{.name = "grid", .weight_share = 20}};
    struct config changed = {.bots = stricter, .bot_count = 1}, without = {0};
    struct gate_caller o[3];
    begin_bots();
    for (size_t i = 0; i < COUNT_OF(o); i++)
        o[i] = of_bot(grid, true);
    ck_assert(ask(&o[0], LONG) && ask(&o[1], LONG) && !ask(&o[2], LONG));
    ck_assert(!waits(NULL) && !waits(grid));
    use(grid, "300");
    ck_assert(!waits(grid));
    gate_limit_bots(gate, &changed);
    pass_time(0);
    ck_assert(waits(grid));
    ck_assert(o[2].passed); /* it has no order_rate any more */
    gate_limit_bots(gate, &without);
    ck_assert(!waits(grid));
    finish();
}
END_TEST

START_TEST(what_a_store_may_answer_is_not_held_for_long)
{
    struct gate_caller w = of_bot(grid, false);
    begin_bots();
    ck_assert(!waits(NULL) && !waits(grid));
    use(grid, "400");
    ck_assert(gate_holds(gate, &w.w));
    w.w.yields = true;
    ck_assert(!ask(&w, LONG));
    pass_time(0);
    ck_assert(w.refused);
    ck_assert_uint_eq(view().rate_refused, 0);
    finish();
}
END_TEST

SUITE()
{
    TEST(nothing_is_noted_without_blocks);
    TEST(names_are_told_apart_by_address);
    TEST(a_share_counts_while_others_ask);
    TEST(all_of_it_when_nobody_else_asks);
    TEST(what_holds_all_is_not_its_share);
    TEST(its_orders_are_not_held_by_weight);
    TEST(a_waiter_goes_when_others_have_gone);
    TEST(a_minute_ends_it);
    TEST(a_busy_bot_begins_each_minute_anew);
    TEST(it_refuses_where_the_gate_refuses);
    TEST(a_resume_lifts_it);
    TEST(orders_keep_their_pace);
    TEST(an_order_that_waits_tells_when_it_may_go);
    TEST(an_order_that_leaves_gives_its_place_to_the_next);
    TEST(paced_orders_wait_for_the_rate_of_all_as_well);
    TEST(a_reload_keeps_what_was_used);
    TEST(what_a_store_may_answer_is_not_held_for_long);
}
