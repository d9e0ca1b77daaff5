/* When the pool does not dial: during a pause, even if its origin and settings change meanwhile,
 * and when it lacks descriptors. And that callers that wait cost the others no time. */
#include <time.h>

#include "config_fixture.h"
#include "pool_fixture.h"
#include "suite.h"

static void call_mixed(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        call(i, i % 2);
}

static size_t count(size_t from, size_t to, bool with_lines)
{
    size_t n = 0;
    for (size_t i = from; i < to; i++)
        n += with_lines ? callers[i].conn != NULL : callers[i].waits;
    return n;
}

/* ------------------------------------------------------------ a pause */

START_TEST(test_paused_dials_for_nobody)
{
    begin("min_idle = 2\nidle_timeout = 5s\nqueue_timeout = 30s");
    fake_connect(line_maker);
    fake_connect(line_maker);
    pool_command(pool, POOL_PAUSE);
    call_mixed(0, 6);
    loop_skip(loop, 6000); /* idle for too long: and not opened again */
    ck_assert_uint_eq(pool_lines(pool), 0);
    ck_assert_uint_eq(line_maker->started, 2);
    ck_assert_uint_eq(count(0, 6, false), 6);
    loop_skip(loop, 15000);
    loop_skip(loop, 10000); /* their own time limits still apply */
    ck_assert_uint_eq(count(0, 6, false), 0);
    refused(0, FAILURE_DESTINATION_UNAVAILABLE);
    ck_assert_str_eq(callers[0].why.detail, "the upstream is paused");
    call_mixed(6, 8);
    pool_command(pool, POOL_RESUME);
    ck_assert_uint_eq(line_maker->dials.count, 2);
    fake_connect(line_maker);
    fake_connect(line_maker);
    ck_assert_uint_eq(count(6, 8, true), 2);
    finish();
}
END_TEST

/* Failures, present or past, are not reported to callers that wait in a pause. */
START_TEST(test_paused_refuses_nobody)
{
    begin("breaker_failures = 2\nbreaker_min = 1h\nbreaker_max = 1h");
    call_mixed(0, 4);
    ck_assert_uint_eq(line_maker->dials.count, 4);
    pool_command(pool, POOL_PAUSE);
    for (int i = 0; i < 4; i++) /* opens the circuit */
        fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    call_mixed(4, 8);
    loop_turn(loop, false);
    loop_skip(loop, 1000);
    ck_assert_uint_eq(count(0, 8, false), 8);
    ck_assert_str_eq(look().state, "paused");
    ck_assert_str_eq(look().breaker, "open");
    ck_assert_uint_eq(line_maker->started, 4);
    pool_command(pool, POOL_RESUME); /* after a resume, the origin is tried at once */
    ck_assert_uint_eq(line_maker->dials.count, 8);
    while (line_maker->dials.count)
        fake_connect(line_maker);
    ck_assert_uint_eq(count(0, 8, true), 8);
    finish();
}
END_TEST

/* A line that is established or returned during a pause stays idle. */
START_TEST(test_paused_lends_nothing)
{
    begin("max_connections = 2");
    call(0, false);
    fake_connect(line_maker);
    call(1, false);
    pool_command(pool, POOL_PAUSE);
    fake_connect(line_maker);
    hang_up(0);
    ck_assert_uint_eq(look().idle, 2);
    ck_assert(callers[1].waits);
    pool_command(pool, POOL_DRAIN); /* ends the pause for callers that wait */
    ck_assert_ptr_nonnull(callers[1].conn);
    ck_assert_uint_eq(pool_lines(pool), 1);
    call(2, false);
    loop_turn(loop, false);
    refused(2, FAILURE_DESTINATION_UNAVAILABLE);
    finish();
}
END_TEST

/* The part of a wait that fell into a pause is known; pauses before the caller arrived do not
 * count. */
START_TEST(test_part_of_the_wait_that_was_paused)
{
    begin("max_connections = 1");
    call(0, false);
    fake_connect(line_maker);
    pool_command(pool, POOL_PAUSE);
    loop_skip(loop, 30);
    pool_command(pool, POOL_RESUME);
    call(1, false);
    loop_skip(loop, 20);
    ck_assert_uint_eq(pool_waiter_paused_us(&callers[1].waiter), 0);
    pool_command(pool, POOL_PAUSE);
    loop_skip(loop, 7);
    pool_command(pool, POOL_PAUSE); /* changes nothing */
    ck_assert_uint_eq(pool_waiter_paused_us(&callers[1].waiter), 7000);
    pool_command(pool, POOL_DRAIN); /* ends it as well */
    loop_skip(loop, 4);
    hang_up(0);
    ck_assert_ptr_nonnull(callers[1].conn);
    ck_assert_uint_eq(pool_waiter_paused_us(&callers[1].waiter), 7000);
    ck_assert_uint_eq(look().max_wait_us, 24000);
    struct pool_waiter never = {0};
    ck_assert_uint_eq(pool_waiter_paused_us(&never), 0);
    finish();
}
END_TEST

static const struct pool_origin other_origin = {"a", "https://b.example:443", "b.example",
                                                "b.example:443", true};

static void redirect(void)
{
    struct config *other =
        parse_good("upstream a {\nurl = \"https://b.example\"\nhttp2 = never\nmin_idle = 0\n}\n");
    pool_redirect(pool, other, find(other, "a"), &other_origin, false);
    config_unref(other);
}

/* A new origin: the pause continues, callers that wait are served by the new origin, and the old
 * lines are not used. */
START_TEST(test_redirected_while_paused)
{
    begin("breaker_failures = 1\nmin_idle = 0\nmax_connections = 4");
    call(0, false);
    fake_connect(line_maker);
    call(1, false);
    pool_command(pool, POOL_PAUSE);
    ck_assert_uint_eq(line_maker->dials.count, 1); /* to the old one */
    redirect();
    ck_assert_uint_eq(line_maker->cancelled, 1);
    ck_assert_str_eq(look().state, "paused");
    ck_assert_str_eq(look().origin, "https://b.example:443");
    ck_assert_str_eq(pool_origin(pool)->authority, "b.example");
    call(2, true);
    hang_up(0);
    ck_assert_uint_eq(pool_lines(pool), 0);
    ck_assert(callers[1].waits && callers[2].waits);
    ck_assert_uint_eq(line_maker->started, 2);
    pool_command(pool, POOL_RESUME);
    ck_assert_uint_eq(line_maker->dials.count, 2);
    fake_connect(line_maker);
    fake_connect(line_maker);
    ck_assert(callers[1].conn && callers[2].conn);
    ck_assert_uint_eq(look().stats->opened, 3); /* its counters are the same upstream's */
    finish();
}
END_TEST

/* A drain continues likewise; without pause and drain, callers that wait go to the new origin at
 * once, although the old origin cannot be reached. */
START_TEST(test_redirected)
{
    begin("");
    pool_command(pool, POOL_DRAIN);
    redirect();
    ck_assert_str_eq(look().state, "draining");
    call(0, false);
    loop_turn(loop, false);
    refused(0, FAILURE_DESTINATION_UNAVAILABLE);
    finish();
    begin("breaker_failures = 1\nbreaker_min = 1h\nbreaker_max = 1h\nmin_idle = 1");
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    ck_assert_str_eq(look().breaker, "open");
    redirect();
    ck_assert_str_eq(look().breaker, "closed");
    call(1, true);
    fake_connect(line_maker);
    ck_assert_ptr_nonnull(callers[1].conn);
    finish();
}
END_TEST

/* A pool removed from the configuration does not send the requests that the pause held back. */
START_TEST(test_gone_while_paused)
{
    struct link request = {0};
    begin("min_idle = 1");
    fake_connect(line_maker);
    pool_enter(pool, &request);
    pool_command(pool, POOL_PAUSE);
    call(0, true);
    pool_retire(pool);
    refused(0, FAILURE_DESTINATION_UNAVAILABLE);
    call(1, false); /* one that was at the gate until now */
    loop_turn(loop, false);
    refused(1, FAILURE_DESTINATION_UNAVAILABLE);
    pool_leave(pool, &request);
    finish();
}
END_TEST

/* ------------------------------------------------------------ want of descriptors */

/* While a line is busy, no request is refused, and nothing is dialled for a second, whatever the
 * request. */
START_TEST(test_short_beside_a_busy_line)
{
    begin("min_idle = 3\nmax_connections = 9");
    fake_connect(line_maker);
    call(0, false);
    fake_refuse(line_maker, FAILURE_CONNECTION_LIMIT_REACHED);
    fake_refuse(line_maker, FAILURE_CONNECTION_LIMIT_REACHED);
    ck_assert_uint_eq(line_maker->dials.count, 0);
    call_mixed(1, 5);
    for (int i = 0; i < 50; i++)
        loop_turn(loop, false);
    loop_skip(loop, 900);
    ck_assert_uint_eq(line_maker->started, 3);
    ck_assert_uint_eq(count(1, 5, false), 4);
    hang_up(0);
    ck_assert_ptr_nonnull(callers[1].conn); /* the one line stays in use */
    loop_skip(loop, 200);
    ck_assert_uint_eq(line_maker->dials.count, 1); /* are there descriptors again? */
    fake_refuse(line_maker, FAILURE_CONNECTION_LIMIT_REACHED);
    loop_skip(loop, 1000);
    ck_assert_uint_eq(line_maker->dials.count, 1);
    ck_assert_str_eq(look().breaker, "closed"); /* not the origin's fault */
    loop_skip(loop, 1000); /* one that hangs does not keep the next from being tried */
    ck_assert_uint_eq(line_maker->dials.count, 2);
    fake_connect(line_maker);
    ck_assert_uint_eq(line_maker->dials.count, 2); /* there are: the next one is dialled at once */
    while (line_maker->dials.count)
        fake_connect(line_maker);
    ck_assert_uint_eq(count(1, 5, true), 4);
    loop_skip(loop,
              10000); /* the shortage is long over: as many as are wanted are dialled at once */
    lose(1, CLOSE_ERROR);
    call_mixed(5, 9);
    fake_connect(line_maker);
    ck_assert_uint_eq(line_maker->dials.count, 3);
    finish();
}
END_TEST

/* Each order has a line dialled for it: orders for which there was no descriptor wait for the lines
 * of the others. */
START_TEST(test_short_beside_dials_under_way)
{
    begin("max_connections = 9\nbreaker_failures = 9");
    for (size_t i = 0; i < 6; i++)
        call(i, i > 0);
    ck_assert_uint_eq(line_maker->dials.count, 6);
    for (size_t i = 0; i < 4; i++)
        fake_refuse(line_maker, FAILURE_CONNECTION_LIMIT_REACHED);
    ck_assert_uint_eq(line_maker->dials.count, 2);
    ck_assert_uint_eq(look().waiting, 6);
    fake_connect(line_maker);
    ck_assert_ptr_nonnull(callers[0].conn);
    for (size_t i = 1; i < 5; i++) {
        hang_up(i - 1);
        ck_assert_ptr_nonnull(callers[i].conn);
    }
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    ck_assert(callers[5].waits);
    hang_up(4);
    ck_assert_ptr_nonnull(callers[5].conn);
    finish();
}
END_TEST

/* The last dial that had a descriptor fails as well: then there is nothing to wait for. */
START_TEST(test_short_and_refused)
{
    begin("max_connections = 9\nbreaker_failures = 9");
    for (size_t i = 0; i < 3; i++)
        call(i, true);
    fake_refuse(line_maker, FAILURE_CONNECTION_LIMIT_REACHED);
    ck_assert_uint_eq(look().waiting, 3);
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    refused(0, FAILURE_CONNECTION_REFUSED);
    fake_refuse(line_maker, FAILURE_CONNECTION_LIMIT_REACHED);
    refused(1, FAILURE_CONNECTION_LIMIT_REACHED);
    ck_assert(callers[2].waits);
    loop_skip(loop, 1000);
    fake_connect(line_maker);
    ck_assert_ptr_nonnull(callers[2].conn);
    finish();
}
END_TEST

START_TEST(test_short_without_a_line)
{
    begin("");
    call(0, true);
    fake_refuse(line_maker, FAILURE_CONNECTION_LIMIT_REACHED);
    refused(0, FAILURE_CONNECTION_LIMIT_REACHED);
    loop_skip(loop, 1000);
    call(1, false);
    fake_connect(line_maker); /* there are some again */
    ck_assert_ptr_nonnull(callers[1].conn);
    lose(1, CLOSE_ERROR);
    call(2, true);
    fake_refuse(line_maker, FAILURE_CONNECTION_LIMIT_REACHED);
    refused(2, FAILURE_CONNECTION_LIMIT_REACHED);
    call(3, true); /* for up to a second it waits instead of being refused */
    call(4, false);
    ck_assert_uint_eq(line_maker->dials.count, 0);
    loop_skip(loop, 1000);
    ck_assert_uint_eq(line_maker->dials.count, 1);
    fake_connect(line_maker);
    fake_connect(line_maker);
    ck_assert(callers[3].conn && callers[4].conn);
    finish();
}
END_TEST

/* ------------------------------------------------------------ a crowd */

#define CROWD 50000

static void never(void *owner, struct line *line)
{
    (void)owner, (void)line;
    ck_abort_msg("there is no line to be had");
}

static void never_refused(void *owner, const struct verdict *why)
{
    (void)owner, (void)why;
    ck_abort_msg("nobody is refused here");
}

static void join(struct pool_waiter *w, bool is_order)
{
    w->is_order = w->rides_alone = is_order;
    w->on_line = never;
    w->on_refused = never_refused;
    ck_assert_ptr_null(pool_acquire(pool, pool_ways(pool)->at[0], w, loop_now(loop) + UNTIL_MS));
}

/* CPU time of requests that come and go, of both kinds. */
static uint64_t cost_us(void)
{
    struct pool_waiter w = {0};
    struct timespec from, to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    for (int i = 0; i < 2000; i++) {
        join(&w, i % 2);
        /* It is determined for which callers to dial, as after any change. */
        line_maker->base.on_answer(pool_ways(pool)->at[0]);
        pool_waiter_forget(&w);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    return (uint64_t)(to.tv_sec - from.tv_sec) * 1000000 +
           (uint64_t)((to.tv_nsec - from.tv_nsec) / 1000);
}

/* Iterating over all waiting callers for each request would cost a thousand times as much. */
START_TEST(test_waiting_costs_nobody_else)
{
    static struct pool_waiter crowd[CROWD];
    begin("max_connections = 4\nqueue_limit = 1000000\nqueue_timeout = 1h");
    call_mixed(0, 4);
    while (line_maker->dials.count)
        fake_connect(line_maker);
    uint64_t alone = cost_us();
    for (size_t i = 0; i < CROWD; i++)
        join(&crowd[i], i % 3 == 0);
    ck_assert_uint_eq(look().waiting, CROWD);
    uint64_t crowded = cost_us();
    ck_assert_msg(crowded < 20 * alone + 20000, "%d us in a crowd, %d alone", (int)crowded,
                  (int)alone);
    for (size_t i = 0; i < CROWD; i++)
        pool_waiter_forget(&crowd[i]);
    finish();
}
END_TEST

SUITE()
{
    TEST(test_paused_dials_for_nobody);
    TEST(test_paused_refuses_nobody);
    TEST(test_paused_lends_nothing);
    TEST(test_part_of_the_wait_that_was_paused);
    TEST(test_redirected_while_paused);
    TEST(test_redirected);
    TEST(test_gone_while_paused);
    TEST(test_short_beside_a_busy_line);
    TEST(test_short_beside_dials_under_way);
    TEST(test_short_and_refused);
    TEST(test_short_without_a_line);
    TEST(test_waiting_costs_nobody_else);
}
