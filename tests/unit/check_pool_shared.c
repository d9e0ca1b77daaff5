/* The pool over lines that carry many exchanges: how many lines a burst opens, which callers share
 * a line, orders that have a line to themselves, and limits that change in the meantime. */
#include "config_fixture.h"
#include "pool_fixture.h"
#include "suite.h"

#define AUTO "http2 = auto\n"

/* ------------------------------------------------------------ the first burst */

/* One line is dialled, and carries all exchanges if it can. */
START_TEST(test_burst)
{
    begin(AUTO);
    call_all(0, 50);
    ck_assert_uint_eq(line_maker->started, 1);
    fake_connect_shared(line_maker, 100);
    ck_assert_uint_eq(have_lines(0, 50), 50);
    ck_assert_uint_eq(line_maker->started, 1);
    struct pool_view v = look();
    ck_assert_uint_eq(v.active, 1);
    ck_assert_uint_eq(v.idle + v.waiting, 0);
    ck_assert_uint_eq(v.stats->http2, 1);
    ck_assert_uint_eq(v.stats->http1, 0);
    for (size_t i = 0; i < 50; i++) {
        ck_assert_uint_eq(callers[i].place, i + 1);
        hang_up(i);
    }
    ck_assert_uint_eq(look().idle, 1);
    finish();
}
END_TEST

/* Orders do not wait to see which protocol the first line gets: one line is dialled for each order,
 * and one for all other requests together. */
START_TEST(test_orders_at_a_cold_start)
{
    begin(AUTO "max_connections = 8");
    call_all(0, 3);
    ck_assert_uint_eq(line_maker->started, 1);
    for (size_t i = 3; i < 6; i++)
        call(i, true);
    ck_assert_uint_eq(line_maker->started, 4);
    call_all(6, 9);
    ck_assert_uint_eq(line_maker->started, 4);
    for (size_t i = 9; i < 19; i++)
        call(i, true);
    ck_assert_uint_eq(line_maker->started, 8); /* the cap */
    fake_connect(line_maker);
    while (line_maker->dials.count)
        fake_connect(line_maker);
    ck_assert_uint_eq(have_lines(0, 19), 8);
    finish();
    begin(AUTO "min_idle = 1"); /* the dial in progress is for the first caller */
    for (size_t i = 0; i < 6; i++)
        call(i, true);
    ck_assert_uint_eq(line_maker->started, 6);
    while (line_maker->dials.count)
        fake_connect_shared(line_maker, 100);
    for (size_t i = 0; i < 6; i++)
        ck_assert_uint_eq(callers[i].conn->load, 1);
    finish();
}
END_TEST

/* Those that the line to come can carry do not count. */
START_TEST(test_queue_limit)
{
    begin(AUTO "max_connections = 2\nqueue_limit = 1");
    call(0, false);
    fake_connect_shared(line_maker, 3);
    call_all(1, 7); /* two on the first line, three for the second, one that queues */
    loop_turn(loop, false);
    ck_assert_uint_eq(have_lines(0, 3), 3);
    ck_assert_uint_eq(look().waiting, 4);
    call(7, false);
    loop_turn(loop, false);
    refused(7, FAILURE_CONNECTION_LIMIT_REACHED);
    fake_connect_shared(line_maker, 3);
    ck_assert_uint_eq(have_lines(0, 7), 6);
    ck_assert_uint_eq(look().waiting, 1);
    finish();
}
END_TEST

/* While the circuit is open, one line may come once it may be tried, however many are allowed. */
START_TEST(test_one_line_may_come_through_an_open_circuit)
{
    begin(AUTO "max_connections = 4\nbreaker_failures = 1\nbreaker_min = 1s");
    const struct lines *lines = &pool_ways(pool)->at[0]->lines;
    ck_assert_uint_eq(lines_coming(lines), 4);
    lines_dial(&pool_ways(pool)->at[0]->lines, DIAL_FOR_WAITER);
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    ck_assert_uint_eq(lines_coming(lines), 0);
    loop_skip(loop, 1201);
    ck_assert_uint_eq(lines_coming(lines), 1);
    finish();
}
END_TEST

/* A caller that dialled first and then cancelled leaves a line behind, and delays no other
 * caller. */
START_TEST(test_the_first_gives_up)
{
    begin(AUTO);
    call(0, _i);
    forget_caller(0);
    call_all(1, 5);
    ck_assert_uint_eq(line_maker->started, 1);
    loop_skip(loop, 1000);
    ck_assert_uint_eq(line_maker->started, 4);
    fake_connect_shared(line_maker, 100);
    ck_assert_uint_eq(have_lines(1, 5), 4);
    finish();
}
END_TEST

/* If it cannot, lines for the other callers are dialled at once, now and in the future. */
START_TEST(test_burst_of_http1)
{
    begin(AUTO "max_connections = 5");
    call_all(0, 50);
    ck_assert_uint_eq(line_maker->started, 1);
    fake_connect(line_maker);
    ck_assert_uint_eq(line_maker->started, 5);
    while (line_maker->dials.count)
        fake_connect(line_maker);
    for (size_t i = 0; i < 50; i++)
        hang_up(i);
    while (line_maker->lines.count)
        fake_conn_gone(fake_conn_at(line_maker, 0), CLOSE_PEER);
    call_all(0, 5);
    ck_assert_uint_eq(line_maker->dials.count, 5);
    finish();
}
END_TEST

/* A first line that is slow to connect, or fails, delays no caller for long. */
START_TEST(test_hold_ends)
{
    begin(AUTO "max_connections = 5");
    call_all(0, 5);
    ck_assert_uint_eq(line_maker->started, 1);
    loop_skip(loop, 600);
    ck_assert_uint_eq(line_maker->started, 5);
    finish();
    begin(AUTO "max_connections = 5\nbreaker_failures = 9");
    call_all(0, 5);
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    ck_assert_uint_eq(line_maker->dials.count, 4);
    refused(0, FAILURE_CONNECTION_REFUSED);
    finish();
}
END_TEST

/* If lines are known to carry many exchanges, a failed dial fails all callers that waited for
 * it. */
START_TEST(test_failure_of_many)
{
    begin("http2 = always\nbreaker_failures = 9");
    call_all(0, 30);
    ck_assert_uint_eq(line_maker->started, 1);
    fake_refuse(line_maker, FAILURE_TLS_PROTOCOL_ERROR);
    for (size_t i = 0; i < 30; i++)
        refused(i, FAILURE_TLS_PROTOCOL_ERROR);
    finish();
}
END_TEST

/* ------------------------------------------------------------------- policy */

START_TEST(test_bounds)
{
    begin(AUTO "max_streams = 5\nmax_connections = 2");
    call_all(0, 13);
    fake_connect_shared(line_maker, 100);
    ck_assert_uint_eq(have_lines(0, 13), 5);
    ck_assert_uint_eq(line_maker->dials.count, 1);
    fake_connect_shared(line_maker, 100);
    ck_assert_uint_eq(have_lines(0, 13), 10);
    ck_assert_uint_eq(fake_conn_at(line_maker, 0)->load, 5);
    ck_assert_uint_eq(fake_conn_at(line_maker, 1)->load, 5);
    ck_assert_uint_eq(look().waiting, 3);
    hang_up(2);
    ck_assert_ptr_nonnull(callers[10].conn); /* first come, first served */
    ck_assert_uint_eq(look().waiting, 2);
    finish();
}
END_TEST

/* The origin's own limit, as far as it is known; a new line is assumed to allow what the last one
 * allowed. */
START_TEST(test_origins_limit)
{
    begin(AUTO "max_connections = 3");
    call_all(0, 10);
    struct fake_conn *first = fake_connect_shared(line_maker, CONN_UNSAID);
    ck_assert_uint_eq(have_lines(0, 10), 0); /* the fake line accepts none until its limit is set */
    fake_conn_allow(first, 3);
    ck_assert_uint_eq(have_lines(0, 10), 3);
    ck_assert_uint_eq(line_maker->dials.count, 2);
    fake_conn_allow(first, 1);
    ck_assert_uint_eq(look().active, 1);
    hang_up(0);
    hang_up(1);
    ck_assert_uint_eq(have_lines(3, 10), 0);
    hang_up(2);
    ck_assert_uint_eq(have_lines(3, 10), 1);
    fake_conn_allow(first, 4);
    ck_assert_uint_eq(have_lines(3, 10), 4);
    finish();
}
END_TEST

START_TEST(test_least_loaded)
{
    begin(AUTO "max_streams = 10\nmax_connections = 2");
    call_all(0, 20);
    fake_connect_shared(line_maker, 100);
    fake_connect_shared(line_maker, 100);
    for (size_t i = 10; i < 16; i++) /* of the second */
        hang_up(i);
    hang_up(0);
    hang_up(1);
    for (size_t i = 20; i < 24; i++) {
        call(i, false);
        ck_assert_uint_eq(callers[i].conn->number, 2);
    }
    ck_assert_uint_eq(fake_conn_at(line_maker, 0)->load, 8);
    ck_assert_uint_eq(fake_conn_at(line_maker, 1)->load, 8);
    finish();
}
END_TEST

/* ------------------------------------------------------- a line to themselves */

START_TEST(test_order_rides_alone)
{
    begin(AUTO);
    call_all(0, 3);
    fake_connect_shared(line_maker, 100);
    call(10, true); /* a line is opened for it */
    ck_assert(callers[10].waits);
    ck_assert_uint_eq(line_maker->dials.count, 1);
    call(3, false); /* others go on meanwhile */
    ck_assert_uint_eq(callers[3].conn->number, 1);
    fake_connect_shared(line_maker, 100);
    ck_assert_uint_eq(callers[10].conn->number, 2);
    call(4, false);
    ck_assert_uint_eq(callers[4].conn->number, 1); /* no other exchange joins it */
    hang_up(10);
    call(11, true);
    ck_assert_uint_eq(callers[11].conn->number, 2); /* idle by now */
    ck_assert_uint_eq(line_maker->started, 2);
    finish();
}
END_TEST

/* If no line may be opened, or the dial fails, it shares one. */
START_TEST(test_order_shares)
{
    begin(AUTO "max_connections = 1");
    call(0, false);
    fake_connect_shared(line_maker, 100);
    call(1, true);
    ck_assert_uint_eq(callers[1].conn->number, 1);
    finish();
    begin(AUTO "max_connections = 2\nbreaker_failures = 9");
    call(0, false);
    fake_connect_shared(line_maker, 100);
    call(1, true);
    ck_assert(callers[1].waits);
    fake_refuse(line_maker, FAILURE_CONNECTION_TIMEOUT);
    ck_assert_uint_eq(callers[1].conn->number, 1);
    finish();
}
END_TEST

/* At the cap no caller waits for an order to end: the order's line is shared then. */
START_TEST(test_order_is_joined)
{
    begin(AUTO "max_connections = 2\nmax_streams = 3");
    call(0, true);
    fake_connect_shared(line_maker, 100);
    call(1, true);
    call(2, false);
    ck_assert(callers[1].waits && callers[2].waits);
    fake_connect_shared(line_maker, 100);
    ck_assert_uint_eq(callers[1].conn->number, 2);
    ck_assert_ptr_nonnull(callers[2].conn);
    call_all(3, 8);
    ck_assert_uint_eq(have_lines(0, 8), 6);
    ck_assert_uint_eq(look().waiting, 2);
    hang_up(0);
    ck_assert_uint_eq(have_lines(1, 8), 6);
    finish();
}
END_TEST

/* A dial that takes too long: half of its wait is enough. */
START_TEST(test_order_settles)
{
    begin(AUTO "queue_timeout = 0");
    call(0, false);
    fake_connect_shared(line_maker, 100);
    call_until(1, true, loop_now(loop) + 100000);
    loop_skip(loop, 40000);
    ck_assert(callers[1].waits);
    loop_skip(loop, 20000);
    ck_assert_uint_eq(callers[1].conn->number, 1);
    finish();
}
END_TEST

/* One idle line is left for the next order, as long as others have room. */
START_TEST(test_an_idle_line_is_left)
{
    begin(AUTO "min_idle = 3");
    for (int i = 0; i < 3; i++)
        fake_connect_shared(line_maker, 100);
    call_all(0, 10);
    ck_assert_uint_eq(look().idle, 1);
    ck_assert_uint_eq(look().active, 2);
    call(10, true);
    ck_assert_uint_eq(look().idle, 0);
    ck_assert_uint_eq(callers[10].conn->load, 1);
    call_all(11, 20);
    ck_assert_uint_eq(callers[10].conn->load, 1);
    finish();
}
END_TEST

/* ------------------------------------------------------------------ the ends */

/* A line that must not be used further accepts nothing new, and closes after its last exchange. */
START_TEST(test_max_requests)
{
    begin(AUTO "max_requests = 3");
    call_all(0, 4);
    fake_connect_shared(line_maker, 100);
    ck_assert_uint_eq(have_lines(0, 4), 3);
    fake_connect_shared(line_maker, 100);
    ck_assert_uint_eq(callers[3].conn->number, 2);
    hang_up(0);
    hang_up(1);
    ck_assert_uint_eq(look().stats->closed[CLOSE_MAX_REQUESTS], 0);
    hang_up(2);
    ck_assert_uint_eq(look().stats->closed[CLOSE_MAX_REQUESTS], 1);
    finish();
}
END_TEST

START_TEST(test_max_age)
{
    begin(AUTO "max_age = 100s");
    call_all(0, 2);
    fake_connect_shared(line_maker, 100);
    loop_skip(loop, 120000);
    call(2, false);
    ck_assert(callers[2].waits);
    fake_connect_shared(line_maker, 100);
    ck_assert_uint_eq(callers[2].conn->number, 2);
    hang_up(0);
    hang_up(1);
    ck_assert_uint_eq(look().stats->closed[CLOSE_MAX_AGE], 1);
    finish();
}
END_TEST

START_TEST(test_reconnect)
{
    begin(AUTO);
    call_all(0, 2);
    fake_connect_shared(line_maker, 100);
    pool_command(pool, POOL_RECONNECT);
    call(2, false);
    ck_assert(callers[2].waits);
    fake_connect_shared(line_maker, 100);
    ck_assert_uint_eq(callers[2].conn->number, 2);
    hang_up(0);
    ck_assert_uint_eq(look().active, 2);
    hang_up(1);
    ck_assert_uint_eq(look().stats->closed[CLOSE_RECONNECT], 1);
    finish();
}
END_TEST

START_TEST(test_address_gone)
{
    begin(AUTO);
    call_all(0, 2);
    fake_connect_shared(line_maker, 100);
    line_maker->gone_below = 2;
    line_maker->base.on_answer(pool_ways(pool)->at[0]);
    call(2, false);
    ck_assert(callers[2].waits);
    hang_up(0);
    hang_up(1);
    ck_assert_uint_eq(look().stats->closed[CLOSE_DNS_CHANGE], 1);
    finish();
}
END_TEST

/* The line is lost with everything it carried; callers that waited get another. */
START_TEST(test_lost)
{
    begin(AUTO "max_streams = 2\nmax_connections = 1");
    call_all(0, 3);
    fake_connect_shared(line_maker, 100);
    ck_assert(callers[2].waits);
    callers[1].conn = NULL;
    lose(0, CLOSE_ERROR);
    ck_assert_uint_eq(line_maker->dials.count, 1);
    fake_connect_shared(line_maker, 100);
    ck_assert_ptr_nonnull(callers[2].conn);
    finish();
}
END_TEST

/* ------------------------------------------------------------------- in doubt */

/* A line whose PING is late is not lent to any caller, and no caller waits for it. */
START_TEST(test_doubt)
{
    begin(AUTO);
    call(0, false);
    struct fake_conn *first = fake_connect_shared(line_maker, 100);
    hang_up(0);
    fake_conn_doubt(first, true);
    ck_assert_uint_eq(look().idle, 1);
    call(1, true);
    ck_assert(callers[1].waits);
    ck_assert_uint_eq(line_maker->dials.count, 1);
    fake_conn_doubt(first, false); /* it was alive after all */
    ck_assert_uint_eq(callers[1].conn->number, 1);
    finish();
}
END_TEST

/* Callers wait for a line to which a PING was just sent, as they do for a line that is connecting,
 * but not for long. */
START_TEST(test_fresh_doubt)
{
    begin(AUTO);
    call(0, false);
    struct fake_conn *first = fake_connect_shared(line_maker, 100);
    hang_up(0);
    first->base.awaited_until = loop_now(loop) + 500;
    fake_conn_doubt(first, true);
    call(1, _i);
    ck_assert_uint_eq(line_maker->dials.count, 0);
    loop_skip(loop, 400);
    ck_assert_uint_eq(line_maker->dials.count, 0);
    loop_skip(loop, 200);
    ck_assert_uint_eq(line_maker->dials.count, 1);
    fake_connect_shared(line_maker, 100);
    ck_assert_uint_eq(callers[1].conn->number, 2);
    finish();
}
END_TEST

/* Unread bytes on an idle line may be anything: it is not retired, but checked again once they are
 * read. */
START_TEST(test_unquiet)
{
    begin(AUTO);
    call(0, false);
    struct fake_conn *first = fake_connect_shared(line_maker, 100);
    hang_up(0);
    first->unquiet = true;
    call(1, true);
    ck_assert(callers[1].waits);
    ck_assert_uint_eq(line_maker->dials.count, 0);
    first->unquiet = false;
    loop_skip(loop, 2);
    ck_assert_uint_eq(callers[1].conn->number, 1);
    finish();
}
END_TEST

START_TEST(test_max_streams_changes)
{
    begin(AUTO "max_streams = 2\nmax_connections = 1");
    call_all(0, 5);
    fake_connect_shared(line_maker, 100);
    ck_assert_uint_eq(have_lines(0, 5), 2);
    struct config *other = parse_good("upstream a {\nurl = \"https://a.example\"\n"
                                      "max_streams = 4\nmax_connections = 1\n}\n");
    pool_configure(pool, other, find(other, "a"), false);
    config_unref(other);
    ck_assert_uint_eq(have_lines(0, 5), 4);
    finish();
}
END_TEST

SUITE()
{
    TEST(test_queue_limit);
    TEST(test_one_line_may_come_through_an_open_circuit);
    TEST(test_burst);
    TEST(test_orders_at_a_cold_start);
    LOOP(test_the_first_gives_up, 0, 2);
    TEST(test_burst_of_http1);
    TEST(test_hold_ends);
    TEST(test_failure_of_many);
    TEST(test_bounds);
    TEST(test_origins_limit);
    TEST(test_least_loaded);
    TEST(test_order_rides_alone);
    TEST(test_order_shares);
    TEST(test_order_is_joined);
    TEST(test_order_settles);
    TEST(test_an_idle_line_is_left);
    TEST(test_max_requests);
    TEST(test_max_age);
    TEST(test_reconnect);
    TEST(test_address_gone);
    TEST(test_lost);
    TEST(test_doubt);
    LOOP(test_fresh_doubt, 0, 2);
    TEST(test_unquiet);
    TEST(test_max_streams_changes);
}
