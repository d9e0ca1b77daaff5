/* The ways of a pool with exits, over fake connectors: which one a request leaves by, what a hold or
 * a reload does to those that wait, and how their figures add up. */
#include <string.h>

#include "config/exits.h"
#include "pool_fixture.h"
#include "suite.h"

#define TWO "exits = {\"127.0.0.2\", \"127.0.0.3\"}\n"

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

static size_t choose(uint64_t credential, uint64_t tried)
{
    const struct ways_wish wish = {.kind = &public_one, .credential = credential, .tried = tried};
    uint64_t bit = 0;
    struct way *w = ways_choose(pool_ways(pool), &wish, &bit);
    if (w == NULL)
        return SIZE_MAX;
    ck_assert(w == way((size_t)__builtin_ctzll(bit)));
    return (size_t)__builtin_ctzll(bit);
}

static void hold_way(size_t i, unsigned status)
{
    gate_limit(way(i)->gate, &(struct gate_limit){.status = status, .asked_ms = 60000});
}

static void reload(const char *directives)
{
    struct text text = {0};
    text_printf(&text, "upstream a {\nurl = \"https://a.example\"\n%s\n}\n", directives);
    struct config *c = parse_good(text.at);
    pool_configure(pool, c, find(c, "a"), false);
    text_free(&text);
    config_unref(later);
    later = c;
}

static void end(void)
{
    finish();
    config_unref(later);
    later = NULL;
}

START_TEST(test_without_exits)
{
    begin("");
    ck_assert_uint_eq(pool_ways(pool)->count, 1);
    ck_assert_ptr_null(way(0)->outlet->name);
    ck_assert_uint_eq(choose(0, 0), 0);
    ck_assert_uint_eq(choose(77, 0), 0);
    ck_assert_uint_eq(choose(0, 1), SIZE_MAX);
    ck_assert_uint_eq(look().exit_count, 0);
    ck_assert_ptr_eq(way(0)->stats, pool_stats(pool));
    end();
}
END_TEST

START_TEST(test_public_ones_in_turn)
{
    begin(TWO);
    ck_assert_str_eq(way(0)->outlet->name, "127.0.0.2");
    ck_assert_str_eq(way(1)->outlet->name, "127.0.0.3");
    for (size_t i = 0; i < 6; i++)
        ck_assert_uint_eq(choose(0, 0), i % 2);
    ck_assert_uint_eq(choose(0, 1), 1);
    ck_assert_uint_eq(choose(0, 3), SIZE_MAX);
    end();
}
END_TEST

START_TEST(test_held_one_gets_nothing)
{
    begin(TWO);
    hold_way(0, 418);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(choose(0, 0), 1);
    ck_assert(!ways_hold(pool_ways(pool), &public_one));
    ck_assert_str_eq(look().state, "up");
    ck_assert_uint_eq(look().gate.held_ms, 0);
    ck_assert_uint_eq(look().gate.hold_count, 1);
    hold_way(1, 429);
    ck_assert(ways_hold(pool_ways(pool), &public_one));
    ck_assert_str_eq(look().state, "held");
    pool_command(pool, POOL_RESUME); /* both */
    ck_assert_str_eq(look().exits[0].state, "up");
    ck_assert_str_eq(look().state, "up");
    end();
}
END_TEST

/* Held or not, a credential keeps its exit. */
START_TEST(test_credentials_keep_theirs)
{
    size_t own[64], seen = 0;
    begin(TWO);
    for (size_t i = 0; i < 64; i++) {
        own[i] = choose(1000 + i, 0);
        seen |= (size_t)1 << own[i];
    }
    ck_assert_uint_eq(seen, 3);
    hold_way(0, 418);
    for (size_t i = 0; i < 64; i++)
        ck_assert_uint_eq(choose(1000 + i, 0), own[i]);
    reload("exits = {\"127.0.0.3\", \"127.0.0.2\"}"); /* in whatever order they are listed */
    for (size_t i = 0; i < 64; i++)
        ck_assert_uint_eq(choose(1000 + i, 0), 1 - own[i]);
    end();
}
END_TEST

/* An exit that is down is left alone until its circuit may be probed; then it is, by no request. */
START_TEST(test_circuit_is_probed_beside)
{
    begin(TWO "breaker_failures = 1\nbreaker_min = 1s\nbreaker_max = 1s");
    ck_assert_uint_eq(choose(0, 0), 0);
    lines_dial(&way(0)->lines, DIAL_FOR_WAITER);
    fake_refuse(maker_of(0), FAILURE_CONNECTION_REFUSED);
    ck_assert_str_eq(look().exits[0].state, "open");
    ck_assert_str_eq(look().state, "up");
    ck_assert_uint_eq(choose(0, 0), 1);
    ck_assert_uint_eq(choose(0, 0), 1);
    ck_assert_uint_eq(maker_of(0)->dials.count, 0);
    loop_skip(loop, 1500);
    ck_assert_uint_eq(choose(0, 0), 1);
    ck_assert_uint_eq(maker_of(0)->dials.count, 1);
    fake_connect(maker_of(0));
    ck_assert_str_eq(look().exits[0].state, "up");
    end();
}
END_TEST

/* ------------------------------------------------------------------ those that wait */

struct guest {
    struct pool_waiter waiter;
    unsigned recalled, lent;
    bool leaves;
};

static void on_guest_line(void *owner, struct line *line)
{
    struct guest *g = owner;
    (void)line;
    g->lent++;
    g->waiter.queue = NULL;
}

static void on_guest_refused(void *owner, const struct verdict *why)
{
    (void)owner;
    ck_abort_msg("refused: %s", why->detail);
}

static void on_guest_recall(void *owner)
{
    struct guest *g = owner;
    g->recalled++;
    if (g->leaves)
        pool_waiter_forget(&g->waiter);
}

static void wait_on(struct guest *g, size_t i)
{
    g->waiter.owner = g;
    g->waiter.on_line = on_guest_line;
    g->waiter.on_refused = on_guest_refused;
    g->waiter.on_recall = on_guest_recall;
    ck_assert_ptr_null(pool_acquire(pool, way(i), &g->waiter, loop_now(loop) + UNTIL_MS));
}

/* Between the hold and the recall nothing is lent to those that queue. */
START_TEST(test_hold_recalls_those_that_queue)
{
    struct guest stays = {0}, leaves = {.leaves = true};
    begin(TWO "max_connections = 1");
    wait_on(&leaves, 0);
    wait_on(&stays, 0);
    hold_way(0, 418);
    fake_connect(maker_of(0));
    ck_assert_uint_eq(leaves.lent + stays.lent, 0);
    loop_turn(loop, false);
    ck_assert_uint_eq(leaves.recalled, 1);
    ck_assert_uint_eq(stays.recalled, 1);
    ck_assert_uint_eq(leaves.lent, 0);
    ck_assert_uint_eq(stays.lent, 1);
    end();
}
END_TEST

/* ------------------------------------------------------------------------ a reload */

/* One that goes away ends with its last holder; what was counted of it stays. */
START_TEST(test_reload)
{
    struct guest guest = {.leaves = true};
    begin(TWO);
    struct way *kept = way(1), *gone = way(0);
    struct fake_connector *old = maker_of(0);
    way_hold(gone);
    wait_on(&guest, 0);
    lines_dial(&gone->lines, DIAL_FOR_WAITER);
    hold_way(1, 418);
    reload("exits = {\"127.0.0.4\", \"127.0.0.3\"}");
    loop_turn(loop, false);
    ck_assert_uint_eq(guest.recalled, 1);
    ck_assert_ptr_eq(way(1), kept);
    ck_assert_str_eq(look().exits[1].state, "held");
    ck_assert_str_eq(way(0)->outlet->name, "127.0.0.4");
    ck_assert_ptr_ne(way(0), gone);
    fake_connect(old); /* what connected comes up, and is not kept */
    ck_assert_uint_eq(look().stats->opened, 1);
    freed = false;
    way_release(gone);
    loop_turn(loop, false);
    ck_assert(freed);
    ck_assert_uint_eq(look().stats->opened, 1);
    ck_assert_uint_eq(pool_stats(pool)->opened, 1);
    end();
}
END_TEST

START_TEST(test_reload_to_exits_and_back)
{
    begin("");
    reload(TWO);
    ck_assert_uint_eq(look().exit_count, 2);
    reload("");
    ck_assert_uint_eq(look().exit_count, 0);
    ck_assert_uint_eq(pool_ways(pool)->count, 1);
    loop_turn(loop, false);
    end();
}
END_TEST

/* What an operator said holds for an exit that comes later. */
START_TEST(test_reload_while_paused)
{
    begin("");
    pool_command(pool, POOL_PAUSE);
    reload(TWO "min_idle = 1");
    loop_skip(loop, 10);
    ck_assert(way(0)->queue.paused && way(1)->queue.paused);
    ck_assert_str_eq(look().state, "paused");
    pool_command(pool, POOL_RESUME);
    ck_assert(!way(0)->queue.paused);
    end();
}
END_TEST

/* ------------------------------------------------------------------------- figures */

START_TEST(test_sums)
{
    begin(TWO "min_idle = 2\nmax_connections = 5\nweight_limit = 100");
    ck_assert_uint_eq(maker_of(0)->dials.count, 2);
    ck_assert_uint_eq(maker_of(1)->dials.count, 2);
    fake_connect(maker_of(0));
    fake_connect(maker_of(0));
    fake_connect(maker_of(1));
    gate_weigh(way(0)->gate, SPAN("30"), 0, NULL);
    gate_weigh(way(1)->gate, SPAN("12"), 0, NULL);
    struct pool_view v = look();
    ck_assert_uint_eq(v.idle, 3);
    ck_assert_uint_eq(v.connecting, 1);
    ck_assert_uint_eq(v.max_connections, 10);
    ck_assert_uint_eq(v.stats->opened, 3);
    ck_assert_int_eq(v.gate.weight_used, 42);
    ck_assert_uint_eq(v.exit_count, 2);
    ck_assert_str_eq(v.exits[1].exit, "127.0.0.3");
    ck_assert_uint_eq(v.exits[1].idle, 1);
    ck_assert_uint_eq(v.exits[1].stats->opened, 1);
    ck_assert_int_eq(v.exits[0].gate.weight_used, 30);
    ck_assert_int_eq(v.learned_idle_ms, -1);
    ck_assert_str_eq(v.breaker, "closed");
    end();
}
END_TEST

START_TEST(test_blame)
{
    struct verdict v = verdict_make(FAILURE_CONNECTION_REFUSED, SENT_NO, "no");
    begin(TWO);
    way_blame(way(0), false, &v);
    ck_assert_str_eq(v.detail, "exit 127.0.0.2: no");
    way_blame(NULL, false, &v);
    ck_assert_str_eq(v.detail, "exit 127.0.0.2: no");
    end();
}
END_TEST

SUITE()
{
    TEST(test_without_exits);
    TEST(test_public_ones_in_turn);
    TEST(test_held_one_gets_nothing);
    TEST(test_credentials_keep_theirs);
    TEST(test_circuit_is_probed_beside);
    TEST(test_hold_recalls_those_that_queue);
    TEST(test_reload);
    TEST(test_reload_to_exits_and_back);
    TEST(test_reload_while_paused);
    TEST(test_sums);
    TEST(test_blame);
}
