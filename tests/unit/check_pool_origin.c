/* The pool and what it learns of its origin while lines are open: that a line may be dead, that no
 * streams are allowed for now, that HTTP/1.1 is required, or that a line leads to the wrong
 * server. */
#include "config_fixture.h"
#include "pool_fixture.h"
#include "suite.h"

#define AUTO "http2 = auto\n"

/* At the cap callers wait for it only as long as for a line that is connecting, however long the
 * queue timeout is. */
START_TEST(test_doubt_at_the_cap)
{
    begin(AUTO "max_connections = 1\nqueue_timeout = 1s");
    call(0, false);
    struct fake_conn *first = fake_connect_shared(line_maker, 100);
    hang_up(0);
    fake_conn_doubt(first, true);
    call(1, false);
    call(2, true);
    loop_skip(loop, 1500);
    ck_assert(callers[1].waits && callers[2].waits);
    ck_assert_uint_eq(line_maker->dials.count, 0);
    fake_conn_gone(first, CLOSE_ERROR);
    fake_connect_shared(line_maker, 100);
    ck_assert_uint_eq(have_lines(1, 3), 2);
    finish();
}
END_TEST

/* ------------------------------------------------- what the origin reports about itself */

/* SETTINGS_MAX_CONCURRENT_STREAMS of 0: no further line would help. */
START_TEST(test_limit_of_nought)
{
    begin(AUTO "max_connections = 5");
    call_all(0, 3);
    struct fake_conn *first = fake_connect_shared(line_maker, 0);
    unsigned started = line_maker->started;
    call(3, true);
    loop_skip(loop, 2000);
    ck_assert_uint_eq(have_lines(0, 4), 0);
    ck_assert_uint_eq(line_maker->started, started);
    fake_conn_allow(first, 10);
    ck_assert_uint_eq(have_lines(0, 3), 3);
    fake_connect_shared(line_maker, 10); /* the order's own */
    ck_assert_uint_eq(callers[3].conn->number, 2);
    finish();
}
END_TEST

/* HTTP_1_1_REQUIRED: for an hour HTTP/2 is not offered; exchanges already on the line continue. */
START_TEST(test_http1_wanted)
{
    begin(AUTO "max_connections = 5\nidle_timeout = 1m");
    call_all(0, 2);
    struct fake_conn *first = fake_connect_shared(line_maker, 100);
    ck_assert_int_eq(line_maker->offered, HTTP2_AUTO);
    first->base.wants_http1 = true;
    hang_up(0);
    call(2, false);
    ck_assert_uint_eq(line_maker->dials.count, 1);
    ck_assert_int_eq(line_maker->offered, HTTP2_NEVER);
    fake_connect(line_maker);
    ck_assert_uint_eq(callers[2].conn->number, 2);
    hang_up(1);
    ck_assert_uint_eq(line_maker->lines.count, 1);
    hang_up(2);
    loop_skip(loop, 59 * 60 * 1000);
    call(3, false);
    ck_assert_int_eq(line_maker->offered, HTTP2_NEVER);
    fake_connect(line_maker);
    hang_up(3);
    loop_skip(loop, 2 * 60 * 1000);
    call(4, false);
    ck_assert_int_eq(line_maker->offered, HTTP2_AUTO);
    finish();
}
END_TEST

/* Reported by the end of the last exchange, while other lines are idle. */
START_TEST(test_http1_wanted_at_the_end)
{
    begin(AUTO "max_connections = 5");
    call(0, false);
    struct fake_conn *first = fake_connect_shared(line_maker, 100);
    call(1, true); /* an order is alone on its line, so this uses a second line */
    fake_connect_shared(line_maker, 100);
    hang_up(1);
    ck_assert_uint_eq(look().idle, 1);
    callers[0].conn = NULL;
    first->base.wants_http1 = true;
    fake_conn_gone(first, CLOSE_RESPONSE);
    ck_assert_uint_eq(line_maker->lines.count, 0);
    call(2, false);
    ck_assert_int_eq(line_maker->offered, HTTP2_NEVER);
    finish();
}
END_TEST

static void call_new(size_t i)
{
    callers[i].waiter.wants_new = true;
    call(i, true);
}

/* A caller that wants a new line never gets a used one; others need not wait for that. */
START_TEST(test_new_line)
{
    begin("max_connections = 3");
    call(0, false);
    fake_connect(line_maker);
    hang_up(0);
    call_new(1);
    ck_assert(callers[1].waits);
    ck_assert_uint_eq(line_maker->dials.count, 1);
    call(2, false);
    ck_assert_uint_eq(callers[2].conn->number, 1);
    hang_up(2);
    ck_assert(callers[1].waits);
    fake_connect(line_maker);
    ck_assert_uint_eq(callers[1].conn->number, 2);
    ck_assert(!callers[1].reused);
    ck_assert_uint_eq(line_maker->lines.count, 2);
    finish();
}
END_TEST

/* At the cap one that is idle, or falls idle, makes room for it. */
START_TEST(test_new_line_at_the_cap)
{
    begin("max_connections = 1");
    call(0, false);
    fake_connect(line_maker);
    if (_i == 0)
        hang_up(0);
    call_new(1);
    ck_assert_uint_eq(line_maker->dials.count, _i == 0);
    if (_i == 1)
        hang_up(0);
    ck_assert_uint_eq(line_maker->lines.count, 0);
    ck_assert_uint_eq(look().stats->closed[CLOSE_RECONNECT], 1);
    fake_connect(line_maker);
    ck_assert_uint_eq(callers[1].conn->number, 2);
    hang_up(1);
    call_new(2);
    forget_caller(2); /* and is no longer counted */
    fake_connect(line_maker);
    call(3, false);
    ck_assert_uint_eq(callers[3].conn->number, 3);
    finish();
}
END_TEST

SUITE()
{
    TEST(test_doubt_at_the_cap);
    TEST(test_limit_of_nought);
    TEST(test_http1_wanted);
    TEST(test_http1_wanted_at_the_end);
    TEST(test_new_line);
    LOOP(test_new_line_at_the_cap, 0, 2);
}
