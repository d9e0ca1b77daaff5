/* How many lines are kept open without a request, and when they are opened again: never in a storm.
 * Seen through their pool, over a fake connector. */
#include <stdio.h>

#include "config_fixture.h"
#include "pool_fixture.h"
#include "suite.h"

START_TEST(test_floor_from_the_start)
{
    begin("min_idle = 3");
    ck_assert_uint_eq(line_maker->dials.count, 3);
    ck_assert(!pool_floor_tried(pool));
    fake_connect(line_maker);
    fake_connect(line_maker);
    ck_assert(!pool_floor_tried(pool));
    fake_connect(line_maker);
    ck_assert(pool_floor_tried(pool));
    call(0, false);
    call(1, false);
    ck_assert_uint_eq(line_maker->dials.count, 0); /* lent ones count as open */
    finish();
    begin("min_idle = 3");
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    ck_assert(pool_floor_tried(pool));
    finish();
    begin("");
    ck_assert(pool_floor_tried(pool));
    finish();
}
END_TEST

START_TEST(test_floor_after_loss)
{
    begin("min_idle = 2\nidle_timeout = 1h");
    fake_connect(line_maker);
    fake_connect(line_maker);
    call(0, false);
    hang_up(0);
    fake_conn_gone(fake_conn_at(line_maker, 0), CLOSE_PEER);
    ck_assert_uint_eq(line_maker->dials.count, 0); /* a moment later */
    loop_skip(loop, 200);
    ck_assert_uint_eq(line_maker->dials.count, 1);
    fake_connect(line_maker);
    ck_assert_uint_eq(look().idle, 2);
    finish();
}
END_TEST

/* An origin that closes every line unused is dialled at longer and longer intervals. */
START_TEST(test_floor_is_paced)
{
    unsigned dials_early, dials_late;
    begin("min_idle = 1\nbreaker_max = 5s");
    for (int i = 0; i < 100; i++) { /* ten seconds */
        if (line_maker->dials.count) {
            fake_connect(line_maker);
            fake_conn_gone(fake_conn_at(line_maker, 0), CLOSE_PEER);
        }
        loop_skip(loop, 100);
    }
    dials_early = line_maker->started;
    ck_assert_uint_le(dials_early, 10);
    for (int i = 0; i < 300; i++) {
        if (line_maker->dials.count) {
            fake_connect(line_maker);
            fake_conn_gone(fake_conn_at(line_maker, 0), CLOSE_PEER);
        }
        loop_skip(loop, 100);
    }
    dials_late = line_maker->started - dials_early;
    ck_assert_uint_ge(dials_late, 5);
    ck_assert_uint_le(dials_late, 8);
    finish();
}
END_TEST

START_TEST(test_floor_after_failure)
{
    begin("min_idle = 2\nbreaker_failures = 3\nbreaker_min = 1s\nbreaker_max = 2s");
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    ck_assert_uint_eq(line_maker->dials.count, 0);
    loop_skip(loop, 700);
    ck_assert_uint_eq(line_maker->dials.count, 0);
    loop_skip(loop, 600);
    ck_assert_uint_eq(line_maker->dials.count, 2);
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED); /* opens the circuit */
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    loop_skip(loop, 2500);
    ck_assert_uint_eq(line_maker->dials.count, 1); /* one probe */
    fake_connect(line_maker);
    ck_assert_uint_eq(line_maker->dials.count, 1); /* and the rest after it */
    fake_connect(line_maker);
    ck_assert_uint_eq(look().idle, 2);
    finish();
}
END_TEST

/* When an order needs a line, one of two idle lines proves to be unfit; the order gets the other
 * one. */
START_TEST(test_floor_after_unfit)
{
    begin("min_idle = 2\nidle_timeout = 1h");
    fake_connect(line_maker);
    fake_connect(line_maker);
    fake_conn_at(line_maker, 1)->unquiet = true;
    loop_skip(loop, 5000);
    call(0, true);
    ck_assert_uint_eq(callers[0].conn->number, 1);
    hang_up(0);
    loop_skip(loop, 10000);
    ck_assert_uint_eq(pool_lines(pool), 2);
    finish();
}
END_TEST

/* Lines that were idle for too long are replaced by new ones, one per second. */
START_TEST(test_floor_at_idle_timeout)
{
    begin("min_idle = 3\nidle_timeout = 10s");
    while (line_maker->dials.count)
        fake_connect(line_maker);
    loop_skip(loop, 10100);
    ck_assert_uint_eq(closed(CLOSE_IDLE_TIMEOUT), 3);
    for (unsigned opened = 1; opened <= 3; opened++) {
        ck_assert_uint_eq(line_maker->dials.count, 1);
        ck_assert_uint_eq(line_maker->started, 3 + opened);
        fake_connect(line_maker);
        ck_assert_uint_eq(line_maker->dials.count, 0);
        loop_skip(loop, 1000);
    }
    ck_assert_uint_eq(pool_lines(pool), 3);
    finish();
}
END_TEST

/* Whatever closes the lines of a pool without requests, there are at most ten handshakes in ten
 * seconds, not counting those of the first fill. */
static void end_all(int how)
{
    switch (how) {
    case 0: /* the origin closes all of them at once */
    case 1: /* or each when it is very young */
        while (line_maker->lines.count)
            fake_conn_gone(fake_conn_at(line_maker, 0), how ? CLOSE_ERROR : CLOSE_PEER);
        break;
    case 2: /* the name's addresses change */
        line_maker->gone_below = line_maker->opened + 1;
        line_maker->base.on_answer(pool_ways(pool)->at[0]);
        break;
    default: break; /* idle_timeout, or max_age */
    }
}

START_TEST(test_no_storm)
{
    static const char *const directives[] = {"", "", "", "idle_timeout = 100ms", "max_age = 100ms"};
    struct text all = {0};
    text_printf(&all, "min_idle = 30\nmax_connections = 40\nmax_idle = 40\n%s", directives[_i]);
    begin(all.at);
    text_free(&all);
    ck_assert_uint_eq(line_maker->started, 30);
    unsigned seconds = _i < 3 ? 10 : 40;
    for (unsigned i = 0; i < seconds * 10; i++) {
        while (line_maker->dials.count)
            fake_connect(line_maker);
        end_all(_i);
        loop_skip(loop, 100);
    }
    ck_assert_uint_ge(line_maker->started, 30 + seconds / 4); /* nor does the pool give up */
    ck_assert_uint_le(line_maker->started, 30 + seconds + 1);
    finish();
}
END_TEST

/* Lines that live shorter than min_idle seconds are nevertheless all open at the same time. */
START_TEST(test_a_floor_of_short_lives)
{
    begin("min_idle = 3\nidle_timeout = 300ms");
    unsigned together = 0;
    for (int i = 0; i < 100; i++) {
        while (line_maker->dials.count)
            fake_connect(line_maker);
        together += look().idle == 3;
        loop_skip(loop, 100);
    }
    ck_assert_uint_ge(together, 6);
    ck_assert_uint_le(line_maker->started, 3 + 11);
    finish();
}
END_TEST

/* If lines end before the first fill is complete, they are not replaced at once. */
START_TEST(test_no_storm_while_filling)
{
    begin("min_idle = 10");
    for (int i = 0; i < 100; i++) {
        if (line_maker->dials.count)
            fake_connect(line_maker);
        while (line_maker->lines.count)
            fake_conn_gone(fake_conn_at(line_maker, 0), CLOSE_PEER);
        loop_skip(loop, 100);
    }
    ck_assert_uint_le(line_maker->started, 10 + 11);
    finish();
}
END_TEST

/* The effects of an operator's command take place at once. */
START_TEST(test_floor_after_verbs)
{
    begin("min_idle = 3");
    while (line_maker->dials.count)
        fake_connect(line_maker);
    pool_command(pool, POOL_RECONNECT);
    ck_assert_uint_eq(line_maker->dials.count, 3);
    while (line_maker->dials.count)
        fake_connect(line_maker);
    pool_command(pool, POOL_DRAIN);
    ck_assert_uint_eq(pool_lines(pool), 0);
    pool_command(pool, POOL_RESUME);
    ck_assert_uint_eq(line_maker->dials.count, 3);
    struct config *other =
        parse_good("upstream a {\nurl = \"https://a.example\"\nhttp2 = never\nmin_idle = 5\n}\n");
    while (line_maker->dials.count)
        fake_connect(line_maker);
    pool_configure(pool, other, find(other, "a"), false);
    config_unref(other);
    ck_assert_uint_eq(line_maker->dials.count, 2);
    finish();
}
END_TEST

SUITE()
{
    TEST(test_floor_from_the_start);
    TEST(test_floor_after_loss);
    TEST(test_floor_is_paced);
    TEST(test_floor_after_failure);
    TEST(test_floor_after_unfit);
    TEST(test_floor_at_idle_timeout);
    LOOP(test_no_storm, 0, 5);
    TEST(test_a_floor_of_short_lives);
    TEST(test_no_storm_while_filling);
    TEST(test_floor_after_verbs);
}
