/* The ways of a pool with several endpoints, over fake connectors: what they share and what they do not,
 * which one a request is sent to, where min_idle is kept, and what a reload does to them. */
#include <string.h>

#include "pool_fixture.h"
#include "suite.h"

#define ENDPOINTS(more) "endpoints = {\"https://a.example\", \"https://b.example\"" more "}\n"
#define TWO ENDPOINTS("")
#define THREE ENDPOINTS(", \"https://c.example:444\"")
#define EXITS "exits = {\"127.0.0.2\", \"127.0.0.3\"}\n"

static const struct gate_waiter public_one;
static struct config *later; /* settings of a reload */

static struct way *way(size_t i)
{
    ck_assert_uint_lt(i, pool_ways(pool)->count);
    return pool_ways(pool)->at[i];
}

static struct fake_connector *maker_of(size_t i)
{
    return container_of(way(i)->connector, struct fake_connector, base);
}

static size_t settle(size_t from, bool is_timed, uint64_t tried)
{
    const struct ways_wish wish = {.is_timed = is_timed, .is_new = tried == 0, .tried = tried};
    uint64_t bit = 0;
    struct way *w = ways_settle(pool_ways(pool), way(from), &wish, &bit);
    if (w == NULL)
        return SIZE_MAX;
    ck_assert(w == way((size_t)__builtin_ctzll(bit)));
    return (size_t)__builtin_ctzll(bit);
}

static void reload(const char *directives)
{
    struct text text = {0};
    text_printf(&text, "defaults {\nhttp2 = never\n}\nupstream a {\n%s\n}\n", directives);
    struct config *c = parse_good(text.at);
    pool_configure(pool, c, find(c, "a"), false);
    text_free(&text);
    config_unref(later);
    later = c;
}

static void end(void)
{
    loop_turn(loop, false);
    finish();
    config_unref(later);
    later = NULL;
}

static void break_circuit(size_t i)
{
    lines_dial(&way(i)->lines, DIAL_FOR_WAITER);
    fake_refuse(maker_of(i), FAILURE_CONNECTION_REFUSED);
}

/* Each is asked as often as it takes to know how fast it is. */
static void learn(size_t count, const uint64_t *ms)
{
    for (size_t n = 0; n < count * ENDPOINT_LEARN; n++)
        way_answered(way(settle(0, true, 0)), ms[n % count] * 1000, 200);
    (void)settle(0, true, 0);
}

/* ------------------------------------------------------------------------ what they share */

START_TEST(one_budget_for_all)
{
    begin(TWO);
    ck_assert_uint_eq(pool_ways(pool)->count, 2);
    ck_assert_ptr_eq(way(0)->gate, way(1)->gate);
    ck_assert_ptr_eq(way(1)->stats, pool_stats(pool));
    ck_assert_str_eq(way(0)->lines.settings->host, "a.example");
    ck_assert_str_eq(way(1)->lines.settings->host, "b.example");
    gate_limit(way(1)->gate, &(struct gate_limit){.status = 418, .asked_ms = 60000});
    ck_assert(ways_hold(pool_ways(pool), &public_one));
    ck_assert_str_eq(look().state, "held");
    ck_assert_uint_eq(look().gate.hold_count, 1);
    gate_weigh(way(0)->gate, SPAN("30"), 0, NULL);
    ck_assert_int_eq(look().gate.weight_used, 30);
    pool_command(pool, POOL_RESUME);
    ck_assert_str_eq(look().state, "up");
    end();
}
END_TEST

/* Of what is equal the first counts; what is known of one of them is not lost to another. */
START_TEST(their_sum_is_of_the_best)
{
    begin(TWO "breaker_failures = 1\nbreaker_min = 1h\nbreaker_max = 1h");
    ck_assert_ptr_eq(look().ways, pool_ways(pool));
    ck_assert_int_eq(look().certificate_ends_s, 0);
    ck_assert_ptr_eq(look().circuit, &way(0)->circuit);
    way(1)->lines.certificate_ends_s = 9;
    ck_assert_int_eq(look().certificate_ends_s, 9);
    way(0)->lines.certificate_ends_s = 10;
    ck_assert_int_eq(look().certificate_ends_s, 9);
    way(0)->lines.certificate_ends_s = 8;
    ck_assert_int_eq(look().certificate_ends_s, 8);
    break_circuit(0);
    ck_assert_ptr_eq(look().circuit, &way(1)->circuit);
    break_circuit(1);
    ck_assert_str_eq(look().state, "open");
    ck_assert_ptr_eq(look().circuit, &way(0)->circuit);
    end();
}
END_TEST

START_TEST(a_list_of_one_is_none)
{
    begin("endpoints = {\"https://a.example\"}");
    ck_assert_uint_eq(pool_ways(pool)->count, 1);
    ck_assert_ptr_null(way(0)->own);
    ck_assert_uint_eq(look().endpoint_count, 0);
    end();
}
END_TEST

START_TEST(pairs_with_exits)
{
    uint64_t bit;
    const struct ways_wish any = {.kind = &public_one}, none = {.kind = &public_one, .tried = 15},
                           second = {.kind = &public_one, .tried = 3};
    begin(TWO EXITS "max_connections = 5");
    struct ways *ways = pool_ways(pool);
    ck_assert_uint_eq(ways->count, 4);
    ck_assert_ptr_eq(way(0)->gate, way(1)->gate);
    ck_assert_ptr_ne(way(1)->gate, way(2)->gate);
    ck_assert_ptr_eq(ways_choose(ways, &any, &bit)->outlet, way(0)->outlet);
    ck_assert_ptr_eq(ways_choose(ways, &any, &bit)->outlet, way(2)->outlet);
    ck_assert_ptr_eq(ways_choose(ways, &second, &bit)->outlet, way(2)->outlet);
    ck_assert_ptr_null(ways_choose(ways, &none, &bit));
    ck_assert_uint_eq(settle(2, false, 0), 2);
    ck_assert_uint_eq(settle(2, false, 4), 3);
    ck_assert_uint_eq(settle(3, false, 12), SIZE_MAX);
    ck_assert_uint_eq(ways_exit_bits(ways, way(3)), 12);
    ck_assert_ptr_eq(ways_toward(ways, way(2), SPAN("B.example"), 443), way(3));
    ck_assert_ptr_eq(ways_toward(ways, way(2), SPAN("z.example"), 443), way(2));
    ck_assert_uint_eq(look().exit_count, 2);
    ck_assert_uint_eq(look().endpoint_count, 2);
    ck_assert_uint_eq(look().exits[0].max_connections, 10);
    lines_dial(&way(3)->lines, DIAL_FOR_WAITER);
    fake_connect(maker_of(3));
    ck_assert_uint_eq(look().exits[1].idle, 1);
    ck_assert_uint_eq(look().endpoints[1].idle, 1);
    ck_assert_uint_eq(look().exits[1].stats->opened, 1);
    ck_assert_uint_eq(look().stats->opened, 1);
    end();
}
END_TEST

/* ------------------------------------------------------------------- where requests go */

START_TEST(orders_go_to_the_first_that_is_reached)
{
    begin(THREE "breaker_failures = 1\nbreaker_min = 1s\nbreaker_max = 1s");
    ck_assert_uint_eq(settle(0, false, 0), 0);
    ck_assert_uint_eq(settle(0, false, 1), 1);
    break_circuit(0);
    ck_assert_uint_eq(settle(0, false, 0), 1);
    ck_assert_uint_eq(maker_of(0)->dials.count, 0);
    loop_skip(loop, 1500);
    ck_assert_uint_eq(settle(0, false, 0), 1); /* and the first is probed, by no request */
    ck_assert_uint_eq(maker_of(0)->dials.count, 1);
    fake_connect(maker_of(0));
    ck_assert_uint_eq(settle(0, false, 0), 0);
    end();
}
END_TEST

START_TEST(public_ones_go_to_the_fastest)
{
    begin(THREE);
    learn(3, (uint64_t[]){20, 30, 10});
    ck_assert_uint_eq(settle(0, true, 0), 2);
    ck_assert_uint_eq(settle(0, false, 0), 0);
    ck_assert(look().endpoints[2].is_fast && look().endpoints[0].is_first);
    ck_assert_uint_eq(look().endpoints[2].pace.mean_us, 10000);
    ck_assert_str_eq(look().endpoints[2].endpoint->authority, "c.example:444");
    break_circuit(2); /* a failed dial is enough, before its circuit opens */
    ck_assert_uint_eq(settle(0, true, 0), 0);
    end();
}
END_TEST

START_TEST(floor_is_kept_where_requests_go)
{
    begin(THREE "min_idle = 2\nbreaker_failures = 1");
    ck_assert_uint_eq(maker_of(0)->dials.count, 2);
    ck_assert_uint_eq(maker_of(1)->dials.count + maker_of(2)->dials.count, 0);
    ck_assert(!pool_floor_tried(pool));
    fake_connect(maker_of(0));
    fake_connect(maker_of(0));
    ck_assert(pool_floor_tried(pool));
    learn(3, (uint64_t[]){20, 30, 10});
    ck_assert_uint_eq(maker_of(2)->dials.count, 2);
    ck_assert_uint_eq(maker_of(1)->dials.count, 0);
    break_circuit(0);
    ck_assert_uint_eq(settle(0, false, 0), 1);
    ck_assert_uint_eq(maker_of(1)->dials.count, 2);
    ck_assert_uint_eq(way(0)->own->min_idle, 0);
    end();
}
END_TEST

/* -------------------------------------------------------------------------- a reload */

static unsigned recalled;

static void on_guest_line(void *owner, struct line *line)
{
    (void)owner, (void)line;
    ck_abort_msg("lent a line of an endpoint that is gone");
}

static void on_guest_refused(void *owner, const struct verdict *why)
{
    (void)owner;
    ck_abort_msg("refused: %s", why->detail);
}

static void on_guest_recall(void *owner)
{
    recalled++;
    pool_waiter_forget(owner);
}

/* Those that stay keep what they have, wherever they are in the list. */
START_TEST(reload_keeps_those_that_stay)
{
    struct pool_waiter guest = {.owner = &guest,
                                .on_line = on_guest_line,
                                .on_refused = on_guest_refused,
                                .on_recall = on_guest_recall};
    begin(TWO);
    struct way *a = way(0), *b = way(1);
    struct gate *gate = a->gate;
    learn(2, (uint64_t[]){10, 20});
    lines_dial(&b->lines, DIAL_FOR_WAITER);
    fake_connect(maker_of(1));
    recalled = 0;
    ck_assert_ptr_null(pool_acquire(pool, a, &guest, loop_now(loop) + UNTIL_MS));
    reload("endpoints = {\"https://c.example\", \"https://b.example\"}");
    loop_turn(loop, false);
    ck_assert_uint_eq(recalled, 1);
    ck_assert_ptr_eq(way(1), b);
    ck_assert_ptr_eq(way(0)->gate, gate);
    ck_assert_uint_eq(b->lines.idle.count, 1);
    ck_assert_uint_eq(b->pace.mean_us, 20000);
    ck_assert_str_eq(way(0)->host->at.host, "c.example");
    reload("endpoints = {\"https://b.example\", \"https://c.example\"}");
    ck_assert_ptr_eq(way(0), b);
    ck_assert_uint_eq(b->lines.idle.count, 1);
    ck_assert_uint_eq(settle(0, false, 0), 0);
    reload("url = \"https://b.example\"");
    ck_assert_uint_eq(pool_ways(pool)->count, 1);
    ck_assert_ptr_eq(way(0), b);
    ck_assert_ptr_null(b->own);
    ck_assert_uint_eq(b->lines.idle.count, 1);
    ck_assert_ptr_eq(b->gate, gate);
    end();
}
END_TEST

static void on_recall_again(void *owner)
{
    struct pool_waiter *w = owner;
    recalled++;
    pool_waiter_forget(w);
    ck_assert_ptr_null(pool_queue_ask(w->queue, w, loop_now(loop) + UNTIL_MS));
}

/* Each is told once, though it stays where it is by queueing again. */
START_TEST(those_that_stay_are_told_once)
{
    struct pool_waiter guests[2];
    begin(TWO);
    struct way *a = way(0);
    way_hold(a);
    for (size_t i = 0; i < 2; i++) {
        guests[i] = (struct pool_waiter){.owner = &guests[i],
                                         .on_line = on_guest_line,
                                         .on_refused = on_guest_refused,
                                         .on_recall = on_recall_again};
        ck_assert_ptr_null(pool_acquire(pool, a, &guests[i], loop_now(loop) + UNTIL_MS));
    }
    recalled = 0;
    reload("endpoints = {\"https://b.example\", \"https://c.example\"}");
    loop_turn(loop, false);
    ck_assert_uint_eq(recalled, 2);
    ck_assert_uint_eq(a->queue.waiters.count, 2);
    for (size_t i = 0; i < 2; i++)
        pool_waiter_forget(&guests[i]);
    way_release(a);
    end();
}
END_TEST

/* A request that holds the way of an endpoint that goes is sent to another; one that waits at the
 * gate is not recalled from there. */
START_TEST(reload_leads_away_from_one_that_goes)
{
    begin(TWO);
    struct way *b = way(1);
    const struct ways_wish wish = {.tried = 0};
    uint64_t bit;
    way_hold(b);
    reload("url = \"https://a.example\"");
    ck_assert(b->leaving && !b->outlet->leaving);
    ck_assert_ptr_eq(ways_settle(pool_ways(pool), b, &wish, &bit), way(0));
    reload("endpoints = {\"https://a.example\", \"https://b.example\"}"); /* it is another one */
    ck_assert_ptr_ne(way(1), b);
    way_release(b);
    end();
}
END_TEST

/* The budget of an exit has the settings of the last reload before that exit went, though the way that
 * outlives it was gone before. */
START_TEST(an_exit_keeps_its_settings_while_a_way_is_left)
{
    begin(TWO EXITS);
    struct way *b = way(1);
    way_hold(b);
    reload("endpoints = {\"https://a.example\", \"https://c.example\"}\n" EXITS
           "weight_limit = 50");
    ck_assert(b->leaving && !b->outlet->leaving);
    reload("endpoints = {\"https://a.example\", \"https://c.example\"}\n");
    loop_turn(loop, false);
    ck_assert(b->outlet->leaving && b->outlet->ways.count == 1);
    for (int i = 0; i < 3; i++) /* takes the room of what was freed */
        reload("endpoints = {\"https://a.example\", \"https://c.example\"}\nweight_limit = 7000");
    gate_weigh(b->gate, SPAN("50"), 0, NULL);
    ck_assert(gate_holds(b->gate, &public_one));
    way_release(b);
    end();
}
END_TEST

START_TEST(from_one_to_several_and_back)
{
    begin("");
    struct way *a = way(0);
    reload(THREE);
    ck_assert_ptr_eq(way(0), a);
    ck_assert_uint_eq(pool_ways(pool)->count, 3);
    ck_assert_str_eq(way(2)->lines.settings->host, "c.example");
    ck_assert_uint_eq(way(2)->lines.settings->port, 444);
    reload(THREE EXITS);
    ck_assert_uint_eq(pool_ways(pool)->count, 6);
    reload("url = \"https://a.example\"");
    ck_assert_uint_eq(pool_ways(pool)->count, 1);
    end();
}
END_TEST

START_TEST(blame)
{
    struct verdict v = verdict_make(FAILURE_CONNECTION_REFUSED, SENT_NO, "no");
    begin(TWO EXITS);
    way_blame(way(1), true, &v);
    ck_assert_str_eq(v.detail, "exit 127.0.0.2: endpoint b.example: no");
    v = verdict_make(FAILURE_CONNECTION_REFUSED, SENT_NO, "no");
    way_blame(way(1), false, &v);
    ck_assert_str_eq(v.detail, "exit 127.0.0.2: no");
    end();
}
END_TEST

SUITE()
{
    TEST(one_budget_for_all);
    TEST(their_sum_is_of_the_best);
    TEST(a_list_of_one_is_none);
    TEST(pairs_with_exits);
    TEST(orders_go_to_the_first_that_is_reached);
    TEST(public_ones_go_to_the_fastest);
    TEST(floor_is_kept_where_requests_go);
    TEST(reload_keeps_those_that_stay);
    TEST(those_that_stay_are_told_once);
    TEST(reload_leads_away_from_one_that_goes);
    TEST(an_exit_keeps_its_settings_while_a_way_is_left);
    TEST(from_one_to_several_and_back);
    TEST(blame);
}
