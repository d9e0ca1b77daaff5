/* The pool over lines of the test's own making: the cap, the queue, failing
 * dials, the circuit, and a storm after which all its numbers must agree.
 * What concerns single lines is in check_lines.c. */
#include "config_fixture.h"
#include "pool_fixture.h"
#include "storm.h"
#include "suite.h"

/* ------------------------------------------------------------ cap and queue */

START_TEST(test_hundred_callers)
{
    begin("max_connections = 5");
    for (size_t i = 0; i < 100; i++)
        call(i, false);
    ck_assert_uint_eq(line_maker->started, 5);
    for (int i = 0; i < 5; i++)
        fake_connect(line_maker);
    for (size_t i = 0; i < 100; i++) { /* each in turn, no caller overtaken */
        ck_assert_uint_eq(callers[i].place, i + 1);
        hang_up(i);
    }
    struct pool_view v = look();
    ck_assert_uint_eq(line_maker->started, 5);
    ck_assert_uint_eq(v.idle, 5);
    ck_assert_uint_eq(v.active + v.connecting + v.waiting, 0);
    ck_assert_uint_eq(v.stats->opened, 5);
    ck_assert_uint_eq(v.stats->reused, 95);
    finish();
}
END_TEST

START_TEST(test_no_more_dials_than_waiters)
{
    begin("max_connections = 5");
    call(0, false);
    call(1, false);
    pool_waiter_forget(&callers[1].waiter);
    ck_assert_uint_eq(line_maker->dials.count, 2); /* the dial was begun, and is not cancelled */
    call(2, false);
    ck_assert_uint_eq(line_maker->dials.count, 2);
    fake_connect(line_maker);
    fake_connect(line_maker);
    ck_assert(callers[0].conn && callers[2].conn && !callers[1].conn);
    finish();
}
END_TEST

/* A new caller does not overtake the waiting ones, even if a line is already idle. */
static size_t newcomer;

static void call_another(void)
{
    call(newcomer, false);
}

START_TEST(test_newcomer_is_last)
{
    begin("max_connections = 1");
    call(0, false);
    fake_connect(line_maker);
    call(1, false);
    call(2, false);
    newcomer = 3;
    callers[1].then = call_another; /* from inside the event that lends a line */
    hang_up(0);
    ck_assert_uint_eq(callers[1].place, 2);
    hang_up(1);
    hang_up(2);
    ck_assert_uint_eq(callers[2].place, 3);
    ck_assert_uint_eq(callers[3].place, 4);
    finish();
}
END_TEST

START_TEST(test_queue_limit)
{
    begin("max_connections = 1\nqueue_limit = 2");
    call(0, false); /* its line is being dialled: it does not count */
    call(1, false);
    call(2, false);
    call(3, false);
    ck_assert_int_eq(callers[3].refused, 0); /* never from inside */
    loop_turn(loop, false);
    refused(3, FAILURE_CONNECTION_LIMIT_REACHED);
    call(4, false);
    pool_waiter_forget(&callers[4].waiter); /* before its event */
    loop_turn(loop, false);
    ck_assert_uint_eq(callers[4].refused, 0);
    fake_connect(line_maker);
    call(5, false);
    loop_turn(loop, false);
    refused(5, FAILURE_CONNECTION_LIMIT_REACHED);
    hang_up(0);
    ck_assert_ptr_nonnull(callers[1].conn);
    call(5, false);
    ck_assert(callers[2].waits && callers[5].waits);
    finish();
}
END_TEST

START_TEST(test_queue_timeout)
{
    begin("max_connections = 1\nqueue_timeout = 2s");
    call(0, false);
    fake_connect(line_maker);
    call(1, false);
    loop_skip(loop, 1000);
    call(2, false);
    loop_skip(loop, 1500);
    refused(1, FAILURE_CONNECTION_LIMIT_REACHED);
    ck_assert_uint_eq(callers[2].refused, 0);
    hang_up(0);
    ck_assert_ptr_nonnull(callers[2].conn);
    ck_assert_uint_ge(look().max_wait_us, 0);
    finish();
}
END_TEST

/* The wait of a caller for which a line is dialled is bounded by the dial and by its own
 * deadline. */
START_TEST(test_timeout_while_dialling)
{
    begin("max_connections = 1\nqueue_timeout = 2s");
    call(0, false);
    call(1, false); /* nothing is dialled for this one */
    loop_skip(loop, 2100);
    ck_assert_uint_eq(callers[0].refused, 0);
    refused(1, FAILURE_CONNECTION_LIMIT_REACHED);
    loop_skip(loop, UNTIL_MS);
    refused(0, FAILURE_CONNECTION_TIMEOUT);
    fake_connect(line_maker); /* no caller wants it: kept */
    ck_assert_uint_eq(look().idle, 1);
    finish();
}
END_TEST

START_TEST(test_until)
{
    begin("max_connections = 1\nqueue_timeout = 0");
    call(0, false);
    fake_connect(line_maker);
    call_until(1, false, loop_now(loop) + 500);
    loop_skip(loop, 400);
    ck_assert_uint_eq(callers[1].refused, 0);
    loop_skip(loop, 200);
    refused(1, FAILURE_CONNECTION_LIMIT_REACHED);
    finish();
}
END_TEST

/* ------------------------------------------------------------ failing dials */

START_TEST(test_first_waiter_is_refused)
{
    begin("max_connections = 2\nbreaker_failures = 9");
    for (size_t i = 0; i < 4; i++)
        call(i, false);
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    refused(0, FAILURE_CONNECTION_REFUSED);
    ck_assert_uint_eq(callers[1].refused, 0);
    ck_assert_uint_eq(line_maker->dials.count, 2); /* a caller waits: dialled again at once */
    fake_refuse(line_maker, FAILURE_DNS_ERROR);
    refused(1, FAILURE_DNS_ERROR);
    fake_connect(line_maker);
    fake_connect(line_maker);
    ck_assert(callers[2].conn && callers[3].conn);
    ck_assert_uint_eq(look().stats->connect_failed, 2);
    finish();
}
END_TEST

/* While a line is established there is still something to wait for. */
START_TEST(test_waiter_outlives_failure)
{
    begin("max_connections = 2\nbreaker_failures = 9");
    call(0, false);
    fake_connect(line_maker);
    call(1, false);
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    ck_assert_uint_eq(callers[1].refused, 0);
    ck_assert_uint_eq(line_maker->dials.count, 0); /* not at once again */
    loop_skip(loop, 1300);
    ck_assert_uint_eq(line_maker->dials.count, 1); /* but after breaker_min */
    hang_up(0);
    ck_assert_ptr_nonnull(callers[1].conn);
    finish();
}
END_TEST

/* The owner of a line that is not released yet learns how soon it is needed: by the time limit of
 * the last caller that waits. */
START_TEST(test_patience)
{
    begin("max_connections = 2");
    ck_assert_uint_eq(pool_queue_patience(&pool_ways(pool)->at[0]->queue), UINT64_MAX);
    call(0, false);
    call(1, true);
    ck_assert_uint_eq(pool_queue_patience(&pool_ways(pool)->at[0]->queue),
                      UINT64_MAX); /* a line is being dialled for each */
    fake_connect(line_maker);
    fake_connect(line_maker);
    ck_assert_uint_eq(pool_queue_patience(&pool_ways(pool)->at[0]->queue), UINT64_MAX);
    call(2, false);
    ck_assert_uint_eq(pool_queue_patience(&pool_ways(pool)->at[0]->queue), 2000);
    call(3, true);
    ck_assert_uint_eq(pool_queue_patience(&pool_ways(pool)->at[0]->queue), 500);
    pool_command(pool, POOL_PAUSE);
    ck_assert_uint_eq(pool_queue_patience(&pool_ways(pool)->at[0]->queue), UINT64_MAX);
    pool_command(pool, POOL_RESUME);
    call_all(4, 8);
    ck_assert_uint_eq(pool_queue_patience(&pool_ways(pool)->at[0]->queue),
                      500 / 3); /* six, two at a time */
    forget_caller(3);
    ck_assert_uint_eq(pool_queue_patience(&pool_ways(pool)->at[0]->queue), 2000 / 3);
    loop_skip(loop, 2000);
    pool_queue_gave_way(&pool_ways(pool)->at[0]->queue);
    pool_queue_gave_way(&pool_ways(pool)->at[0]->queue);
    ck_assert_uint_eq(pool_queue_patience(&pool_ways(pool)->at[0]->queue),
                      2000 / 4); /* it is one round later now */
    loop_skip(loop, 2000);
    ck_assert_uint_eq(pool_queue_patience(&pool_ways(pool)->at[0]->queue), 2000 / 3);
    call_all(8, 90);
    ck_assert_uint_eq(pool_queue_patience(&pool_ways(pool)->at[0]->queue), 100);
    for (size_t i = 4; i < 90; i++)
        forget_caller(i);
    ck_assert_uint_eq(pool_queue_patience(&pool_ways(pool)->at[0]->queue), 2000);
    hang_up(0);
    ck_assert_uint_eq(pool_queue_patience(&pool_ways(pool)->at[0]->queue), UINT64_MAX);
    finish();
}
END_TEST

/* The last established line is lost while others wait: a dial at once. */
START_TEST(test_last_line_lost)
{
    begin("max_connections = 2\nbreaker_failures = 9");
    call(0, false);
    fake_connect(line_maker);
    call(1, false);
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    lose(0, CLOSE_ERROR);
    ck_assert_uint_eq(line_maker->dials.count, 1);
    fake_connect(line_maker);
    ck_assert_ptr_nonnull(callers[1].conn);
    finish();
}
END_TEST

START_TEST(test_breaker)
{
    begin("max_connections = 4\nbreaker_failures = 2\nbreaker_min = 1s\nbreaker_max = 5s");
    for (size_t i = 0; i < 4; i++)
        call(i, false);
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    ck_assert_str_eq(look().state, "up");
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED); /* opens: two dials are left */
    ck_assert_str_eq(look().state, "open");
    refused(0, FAILURE_CONNECTION_REFUSED);
    ck_assert_uint_eq(callers[2].refused + callers[3].refused, 0);
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(callers[i].refused, 1);
    ck_assert_str_eq(look().breaker, "open");
    call(4, false); /* at once, but not from inside the call */
    ck_assert_uint_eq(callers[4].refused, 0);
    loop_turn(loop, false);
    refused(4, FAILURE_DESTINATION_UNAVAILABLE);
    ck_assert_uint_ge(callers[4].why.retry_after, 1);
    loop_skip(loop, 6100);
    call(5, false);
    call(6, false); /* one probe at a time */
    loop_turn(loop, false);
    ck_assert_str_eq(look().breaker, "half_open");
    ck_assert_uint_eq(line_maker->dials.count, 1);
    refused(6, FAILURE_DESTINATION_UNAVAILABLE);
    fake_connect(line_maker);
    ck_assert_ptr_nonnull(callers[5].conn);
    ck_assert_str_eq(look().breaker, "closed");
    ck_assert_str_eq(look().state, "up");
    finish();
}
END_TEST

/* A caller that has another response to give does not wait for a probe, but causes one to be
 * made. */
START_TEST(test_breaker_without_waiting)
{
    begin("max_connections = 4\nbreaker_failures = 1\nbreaker_min = 1s\nbreaker_max = 5s");
    call(0, false);
    fake_refuse(line_maker, FAILURE_CONNECTION_TIMEOUT);
    loop_skip(loop, 6100);
    callers[1].waiter.yields = true;
    call(1, false);
    loop_turn(loop, false);
    refused(1, FAILURE_DESTINATION_UNAVAILABLE);
    ck_assert_uint_eq(line_maker->dials.count, 1);
    ck_assert_str_eq(look().breaker, "half_open");
    fake_connect(line_maker);
    ck_assert_str_eq(look().breaker, "closed");
    callers[2].waiter.yields = true;
    call(2, false);
    ck_assert_ptr_nonnull(callers[2].conn);
    finish();
}
END_TEST

START_TEST(test_open_lines_serve_on)
{
    begin("max_connections = 4\nbreaker_failures = 1");
    call(0, false);
    call(1, false);
    fake_connect(line_maker);
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    ck_assert_str_eq(look().breaker, "open");
    ck_assert_uint_eq(callers[1].refused, 0);
    hang_up(0);
    ck_assert_ptr_nonnull(callers[1].conn);
    call(2, false);
    loop_turn(loop, false);
    ck_assert_uint_eq(callers[2].refused, 0); /* waits for the open line */
    lose(1, CLOSE_ERROR);
    refused(2, FAILURE_DESTINATION_UNAVAILABLE); /* there is none any more */
    finish();
}
END_TEST

/* ------------------------------------------------------------ its life */

START_TEST(test_retire)
{
    begin("min_idle = 2");
    struct link request = {0};
    pool_enter(pool, &request);
    fake_connect(line_maker);
    call(0, false);
    pool_retire(pool);
    ck_assert_str_eq(look().state, "draining");
    loop_turn(loop, false);
    ck_assert(!emptied);
    hang_up(0);
    ck_assert_uint_eq(look().idle, 0);
    ck_assert_uint_eq(look().stats->closed[CLOSE_DRAIN], 1);
    pool_leave(pool, &request);
    ck_assert(!emptied); /* not from inside */
    loop_turn(loop, false);
    ck_assert(emptied);
    finish();
}
END_TEST

START_TEST(test_retire_serves_waiters)
{
    begin("max_connections = 1");
    call(0, false);
    fake_connect(line_maker);
    call(1, false);
    pool_retire(pool);
    hang_up(0);
    ck_assert_ptr_nonnull(callers[1].conn);
    hang_up(1);
    ck_assert_uint_eq(pool_lines(pool), 0);
    finish();
}
END_TEST

START_TEST(test_daemon_drains)
{
    begin("min_idle = 2");
    fake_connect(line_maker);
    fake_connect(line_maker);
    call(0, false);
    pool_drain(pool);
    ck_assert_uint_eq(pool_lines(pool), 1);
    call(1, false); /* in progress already when the daemon began to drain */
    fake_connect(line_maker);
    ck_assert_ptr_nonnull(callers[1].conn);
    hang_up(0);
    hang_up(1);
    ck_assert_uint_eq(pool_lines(pool), 0);
    finish();
}
END_TEST

START_TEST(test_configure)
{
    struct config *other;
    begin("max_connections = 1");
    call(0, false);
    fake_connect(line_maker);
    call(1, false);
    other = parse_good("upstream a {\nurl = \"https://a.example\"\nmax_connections = 2\n}\n");
    pool_configure(pool, other, find(other, "a"), false);
    config_unref(other);
    ck_assert_uint_eq(line_maker->dials.count, 1); /* the waiter gets its own */
    fake_connect(line_maker);
    ck_assert_ptr_nonnull(callers[1].conn);
    hang_up(0);
    hang_up(1);
    ck_assert_uint_eq(look().idle, 2); /* the old line was kept */
    finish();
}
END_TEST

/* ------------------------------------------------------------ a storm */

static void one_operation(void)
{
    size_t i = draw(CALLERS);
    struct caller *c = &callers[i];
    switch (draw(12)) {
    case 0:
    case 1:
    case 2:
        if (!c->waits && !c->conn)
            call_until(i, draw(2), loop_now(loop) + 1 + draw(9000));
        break;
    case 3:
    case 4:
        if (c->conn)
            hang_up(i);
        break;
    case 5:
        if (c->conn)
            lose(i, draw(2) ? CLOSE_ERROR : CLOSE_RESPONSE);
        break;
    case 6:
        if (c->waits)
            forget_caller(i);
        break;
    case 7:
    case 8:
        if (line_maker->dials.count)
            fake_connect(line_maker);
        break;
    case 9:
        if (line_maker->dials.count && draw(3) == 0)
            fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
        break;
    case 10:
        if (line_maker->lines.count && draw(3) == 0) {
            struct fake_conn *f = fake_conn_at(line_maker, draw((unsigned)line_maker->lines.count));
            f->unquiet |= f->load == 0 && draw(2);
            if (f->load == 0 && !f->unquiet)
                fake_conn_gone(f, CLOSE_PEER);
        }
        break;
    default:
        loop_skip(loop, draw(400));
        if (draw(50) == 0)
            line_maker->gone_below = line_maker->opened;
    }
}

static void check_numbers(void)
{
    struct pool_view v = look();
    size_t closed = 0, lent = 0, waiting = 0;
    for (size_t i = 0; i < CLOSE_REASON_COUNT; i++)
        closed += v.stats->closed[i];
    for (size_t i = 0; i < CALLERS; i++) {
        lent += callers[i].conn != NULL;
        waiting += callers[i].waits;
    }
    ck_assert_uint_eq(v.idle + v.active + v.connecting, pool_lines(pool));
    ck_assert_uint_le(pool_lines(pool), 7);
    ck_assert_uint_eq(v.connecting, line_maker->dials.count);
    ck_assert_uint_eq(v.idle + v.active, line_maker->lines.count);
    ck_assert_uint_eq(v.stats->opened, v.idle + v.active + closed);
    ck_assert_uint_eq(v.stats->opened, line_maker->opened);
    ck_assert_uint_eq(v.stats->connect_failed,
                      line_maker->started - line_maker->opened - line_maker->dials.count);
    ck_assert_uint_eq(v.active, lent);
    ck_assert_uint_le(v.idle, 4);
}

/* Returns an idle line that may be lent now. Before the pool lends or closes a line on which bytes
 * arrived unasked, it checks that line again. */
static bool has_quiet_line(void)
{
    for (size_t i = 0; i < line_maker->lines.count; i++) {
        const struct fake_conn *f = fake_conn_at(line_maker, i);
        if (f->load == 0 && !f->unquiet)
            return true;
    }
    return false;
}

static void check_pool(void)
{
    check_numbers();
    if (one_in(16))
        loop_turn(loop, false);
    if (has_quiet_line())
        ck_assert_uint_eq(look().waiting, 0);
}

START_TEST(test_storm)
{
    begin("max_connections = 7\nmin_idle = 2\nmax_idle = 4\nmax_requests = 9\nmax_age = 20s\n"
          "queue_limit = 10\nqueue_timeout = 3s\nidle_timeout = 5s\nbreaker_failures = 3");
    storm_seed(_i);
    loop_seed(loop, draw(1000000));
    storm(20000, one_operation, check_pool);
    loop_turn(loop, false);
    check_numbers();
    ck_assert_uint_gt(look().stats->opened, 100);
    ck_assert_uint_gt(look().stats->reused, 100);
    finish();
}
END_TEST

SUITE()
{
    TEST(test_hundred_callers);
    TEST(test_no_more_dials_than_waiters);
    TEST(test_newcomer_is_last);
    TEST(test_queue_limit);
    TEST(test_queue_timeout);
    TEST(test_timeout_while_dialling);
    TEST(test_until);
    TEST(test_first_waiter_is_refused);
    TEST(test_waiter_outlives_failure);
    TEST(test_patience);
    TEST(test_last_line_lost);
    TEST(test_breaker);
    TEST(test_breaker_without_waiting);
    TEST(test_open_lines_serve_on);
    TEST(test_retire);
    TEST(test_retire_serves_waiters);
    TEST(test_daemon_drains);
    TEST(test_configure);
    STORM(test_storm, 5);
}
