/* Single lines: which of them is lent, and when each is retired. Tested through their pool, with a
 * fake connector. */
#include "config_fixture.h"
#include "pool_fixture.h"
#include "suite.h"

/* ------------------------------------------------------------ lending */

START_TEST(test_newest_first)
{
    begin("");
    open_lines(3);
    call(10, false);
    ck_assert_uint_eq(callers[10].conn->number, 3);
    call(11, false);
    ck_assert_uint_eq(callers[11].conn->number, 2);
    hang_up(10);
    call(12, true); /* an order, too, prefers the line used most recently */
    ck_assert_uint_eq(callers[12].conn->number, 3);
    ck_assert(callers[12].reused);
    finish();
}
END_TEST

START_TEST(test_order_wants_a_quiet_line)
{
    begin("");
    open_lines(3);
    fake_conn_at(line_maker, 1)->unquiet = true;
    fake_conn_at(line_maker, 2)->unquiet = true;
    call(10, true);
    ck_assert_uint_eq(callers[10].conn->number, 1);
    ck_assert_uint_eq(closed(CLOSE_PEER), 2);
    finish();
    begin("");
    open_lines(1);
    fake_conn_at(line_maker, 0)->unquiet = true;
    call(10, false); /* other requests do not pay for the check */
    ck_assert_ptr_nonnull(callers[10].conn);
    finish();
    begin("");
    open_lines(1);
    fake_conn_at(line_maker, 0)->unquiet = true;
    call(10, true);
    ck_assert(callers[10].waits);
    fake_connect(line_maker);
    ck_assert_uint_eq(callers[10].conn->number, 2);
    ck_assert(!callers[10].reused);
    finish();
}
END_TEST

/* Unread bytes on a new line may be TLS tickets or the end of the stream: an order waits until they
 * have been read. */
START_TEST(test_order_on_a_new_line)
{
    begin("min_idle = 1");
    fake_connect(line_maker)->unquiet = true;
    call(0, true);
    ck_assert(callers[0].waits);
    fake_conn_at(line_maker, 0)->unquiet = false;
    loop_skip(loop, 2);
    ck_assert_uint_eq(callers[0].conn->number, 1);
    ck_assert_uint_eq(line_maker->started, 1);
    finish();
    begin("min_idle = 1");
    fake_connect(line_maker)->unquiet = true;
    call(0, true);
    ck_assert(callers[0].waits);
    fake_conn_gone(fake_conn_at(line_maker, 0), CLOSE_PEER);
    fake_connect(line_maker);
    ck_assert_uint_eq(callers[0].conn->number, 2);
    finish();
    begin("min_idle = 1");
    fake_connect(line_maker)->unquiet = true;
    call(0, true);
    for (int ms = 0; ms < 100 && line_maker->dials.count == 0; ms++)
        loop_skip(loop, 1); /* not read: part of a record, the rest of which does not arrive */
    ck_assert_uint_eq(closed(CLOSE_PEER), 1);
    ck_assert(callers[0].waits);
    finish();
}
END_TEST

/* A waiting order, too, is lent only a line without unread bytes. */
START_TEST(test_waiting_order)
{
    begin("max_connections = 1");
    call(0, false);
    fake_connect(line_maker);
    call(1, true);
    callers[0].conn->unquiet = true;
    hang_up(0);
    ck_assert(callers[1].waits);
    ck_assert_uint_eq(line_maker->dials.count, 1);
    fake_connect(line_maker);
    ck_assert_ptr_nonnull(callers[1].conn);
    finish();
}
END_TEST

/* ------------------------------------------------------------ retiring */

START_TEST(test_max_idle)
{
    begin("max_idle = 2");
    for (size_t i = 0; i < 4; i++)
        call(i, false);
    while (line_maker->dials.count)
        fake_connect(line_maker);
    for (size_t i = 0; i < 4; i++)
        hang_up(i);
    ck_assert_uint_eq(look().idle, 2);
    ck_assert_uint_eq(closed(CLOSE_MAX_IDLE), 2);
    ck_assert_uint_eq(fake_conn_at(line_maker, 0)->number, 3); /* the oldest one was retired */
    finish();
}
END_TEST

START_TEST(test_max_requests)
{
    begin("max_requests = 3");
    for (size_t i = 0; i < 7; i++) {
        call(i, false);
        if (line_maker->dials.count)
            fake_connect(line_maker);
        ck_assert_uint_eq(callers[i].conn->number, i / 3 + 1);
        ck_assert_int_eq(callers[i].reused, i % 3 != 0);
        hang_up(i);
    }
    ck_assert_uint_eq(closed(CLOSE_MAX_REQUESTS), 2);
    finish();
}
END_TEST

/* ±10 %: no line is retired before nine tenths of the time, all are after eleven tenths, and not
 * all at once. */
START_TEST(test_max_age)
{
    begin("max_age = 100s\nidle_timeout = 1h\nmax_connections = 60\nmax_idle = 60");
    open_lines(60);
    loop_skip(loop, 89000);
    ck_assert_uint_eq(look().idle, 60);
    loop_skip(loop, 11000);
    ck_assert_uint_gt(look().idle, 5);
    ck_assert_uint_lt(look().idle, 55);
    loop_skip(loop, 10100);
    ck_assert_uint_eq(look().idle, 0);
    ck_assert_uint_eq(closed(CLOSE_MAX_AGE), 60);
    finish();
}
END_TEST

START_TEST(test_max_age_of_a_busy_one)
{
    begin("max_age = 100s");
    call(0, false);
    fake_connect(line_maker);
    loop_skip(loop, 150000);
    ck_assert_uint_eq(look().active, 1); /* it may finish */
    hang_up(0);
    ck_assert_uint_eq(closed(CLOSE_MAX_AGE), 1);
    finish();
}
END_TEST

START_TEST(test_idle_timeout)
{
    begin("idle_timeout = 10s");
    open_lines(2);
    loop_skip(loop, 6000);
    call(10, false); /* starts again for the line that is used */
    hang_up(10);
    loop_skip(loop, 6000);
    ck_assert_uint_eq(look().idle, 1);
    ck_assert_uint_eq(closed(CLOSE_IDLE_TIMEOUT), 1);
    call(11, false);
    loop_skip(loop, 60000); /* a busy one is not idle */
    ck_assert_ptr_nonnull(callers[11].conn);
    hang_up(11);
    ck_assert_uint_eq(look().idle, 1);
    finish();
}
END_TEST

/* The origin closes idle lines at 30 s: after the third time, trunkline closes them at 27 s. */
START_TEST(test_idle_learn)
{
    begin("idle_timeout = 90s");
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(look().learned_idle_ms, -1);
        open_lines(1);
        loop_skip(loop, 30000);
        fake_conn_gone(fake_conn_at(line_maker, 0), CLOSE_PEER);
    }
    ck_assert_int_ge(look().learned_idle_ms, 30000);
    ck_assert_int_le(look().learned_idle_ms, 31000);
    open_lines(1);
    loop_skip(loop, 26000);
    ck_assert_uint_eq(look().idle, 1);
    loop_skip(loop, 3000);
    ck_assert_uint_eq(look().idle, 0);
    ck_assert_uint_eq(closed(CLOSE_IDLE_TIMEOUT), 1);
    loop_skip(loop, 3700 * 1000);
    ck_assert_int_eq(look().learned_idle_ms, -1);
    finish();
    begin("idle_learn = no");
    for (size_t i = 0; i < 4; i++) {
        open_lines(1);
        loop_skip(loop, 30000);
        fake_conn_gone(fake_conn_at(line_maker, 0), CLOSE_PEER);
    }
    ck_assert_int_eq(look().learned_idle_ms, -1);
    finish();
}
END_TEST

/* Restarts under traffic: lines that were idle for a moment, or for various lengths of time. */
START_TEST(test_restarts_teach_nothing)
{
    static const uint64_t idle_ms[] = {150, 150, 9000, 40000, 150, 2500, 70000};
    begin("max_connections = 4\nmin_idle = 1");
    for (size_t i = 0; i < COUNT_OF(idle_ms); i++) {
        open_lines(4);
        loop_skip(loop, idle_ms[i] / 2);
        call(10, false);
        hang_up(10);
        loop_skip(loop, idle_ms[i] - idle_ms[i] / 2);
        while (line_maker->lines.count)
            fake_conn_gone(fake_conn_at(line_maker, 0), CLOSE_PEER);
        loop_skip(loop, 1300);
    }
    ck_assert_int_eq(look().learned_idle_ms, -1);
    finish();
}
END_TEST

/* The origin's own announcement limits how long a line may be idle, but only below idle_timeout. */
START_TEST(test_the_origins_hint)
{
    begin("idle_timeout = 10s");
    open_lines(1);
    call(10, false);
    callers[10].conn->base.rest_most_ms = 4000;
    hang_up(10);
    loop_skip(loop, 3900);
    ck_assert_uint_eq(look().idle, 1);
    call(11, false); /* an announcement applies until there is another one */
    hang_up(11);
    loop_skip(loop, 4000);
    ck_assert_uint_eq(look().idle, 0);
    ck_assert_uint_eq(closed(CLOSE_IDLE_TIMEOUT), 1);
    open_lines(1);
    call(12, false);
    callers[12].conn->base.rest_most_ms = 40000;
    hang_up(12);
    loop_skip(loop, 10000);
    ck_assert_uint_eq(look().idle, 0);
    finish();
}
END_TEST

/* A close within a request, or by trunkline, says nothing about idle limits. */
START_TEST(test_not_learned)
{
    begin("");
    for (size_t i = 0; i < 3; i++) {
        call(i, false);
        fake_connect(line_maker);
        loop_skip(loop, 30000);
        lose(i, CLOSE_PEER);
    }
    ck_assert_int_eq(look().learned_idle_ms, -1);
    finish();
}
END_TEST

/* ------------------------------------------------------------ changes */

START_TEST(test_dns_change)
{
    begin("");
    call(9, false);
    ck_assert_ptr_null(line_maker->watcher);
    fake_connect(line_maker); /* the first one */
    open_lines(3);
    ck_assert_ptr_eq(line_maker->watcher, pool_ways(pool)->at[0]);
    line_maker->gone_below = 3; /* 1 and 2 */
    line_maker->base.on_answer(pool_ways(pool)->at[0]);
    ck_assert_uint_eq(closed(CLOSE_DNS_CHANGE), 1);
    ck_assert_uint_eq(look().idle, 2);
    hang_up(9); /* the busy one when it is returned */
    ck_assert_uint_eq(closed(CLOSE_DNS_CHANGE), 2);
    line_maker->gone_below = 5;
    line_maker->base.on_answer(pool_ways(pool)->at[0]);
    ck_assert_uint_eq(pool_lines(pool), 0);
    ck_assert_ptr_null(line_maker->watcher); /* the name is no longer watched */
    finish();
}
END_TEST

START_TEST(test_renewed)
{
    begin("min_idle = 1");
    fake_connect(line_maker);
    call(0, false);
    call(1, false); /* dialled under the old settings */
    struct config *other =
        parse_good("upstream a {\nurl = \"https://a.example\"\ntls_name = \"b.example\"\n}\n");
    pool_configure(pool, other, find(other, "a"), true);
    config_unref(other);
    ck_assert_uint_eq(line_maker->cancelled, 1); /* and dialled again */
    ck_assert_uint_eq(line_maker->dials.count, 1);
    ck_assert(callers[1].waits);
    fake_connect(line_maker);
    ck_assert_ptr_nonnull(callers[1].conn);
    hang_up(0);
    ck_assert_uint_eq(closed(CLOSE_RECONNECT), 1);
    hang_up(1);
    ck_assert_uint_eq(look().idle, 1);
    finish();
}
END_TEST

START_TEST(test_max_idle_lowered)
{
    begin("");
    open_lines(4);
    struct config *other =
        parse_good("upstream a {\nurl = \"https://a.example\"\nmax_idle = 1\nmin_idle = 0\n}\n");
    pool_configure(pool, other, find(other, "a"), false);
    config_unref(other);
    ck_assert_uint_eq(look().idle, 1);
    ck_assert_uint_eq(closed(CLOSE_MAX_IDLE), 3);
    ck_assert_uint_eq(fake_conn_at(line_maker, 0)->number, 4);
    finish();
}
END_TEST

START_TEST(test_cancelled_dials)
{
    begin("min_idle = 3");
    unsigned dials = line_maker->started;
    fake_connect(line_maker);
    ck_assert_uint_eq(dials, 3);
    finish(); /* two in progress: the connector checks that they are cancelled */
}
END_TEST

SUITE()
{
    TEST(test_newest_first);
    TEST(test_order_wants_a_quiet_line);
    TEST(test_order_on_a_new_line);
    TEST(test_waiting_order);
    TEST(test_max_idle);
    TEST(test_max_requests);
    TEST(test_max_age);
    TEST(test_max_age_of_a_busy_one);
    TEST(test_idle_timeout);
    TEST(test_idle_learn);
    TEST(test_restarts_teach_nothing);
    TEST(test_the_origins_hint);
    TEST(test_not_learned);
    TEST(test_dns_change);
    TEST(test_renewed);
    TEST(test_max_idle_lowered);
    TEST(test_cancelled_dials);
}
