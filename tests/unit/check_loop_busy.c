/* Busy polling: when the loop spins, for how long, and that everything else goes on meanwhile.
 * Processor time is measured, which does not depend on what else the machine does. */
#include <time.h>

#include "net/loop.h"
#include "suite.h"

#define LONG_US 60000000

static struct loop *loop;
static struct link due;
static struct deadline deadline;
static unsigned turns;

static void expire(struct deadline *d)
{
    (void)d;
}

static void begin(void)
{
    loop = loop_new();
    due = (struct link){0};
    deadline_init(&deadline, loop, expire);
}

static void finish(void)
{
    deadline_stop(&deadline);
    loop_received(&due);
    loop_free(loop);
}

static uint64_t processor_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* How many turns the loop makes until a deadline expires, each of which waits if it may. */
static unsigned turns_within(uint64_t ms)
{
    turns = 0;
    deadline_in(&deadline, ms);
    for (; deadline_is_set(&deadline); turns++)
        loop_turn(loop, true);
    return turns;
}

START_TEST(sleeps_by_default)
{
    loop_expect(loop, &due);
    ck_assert_uint_lt(turns_within(30), 5);
}
END_TEST

START_TEST(spins_while_something_is_due)
{
    loop_busy_poll(loop, LONG_US);
    ck_assert_uint_lt(turns_within(30), 5); /* nothing is */
    loop_expect(loop, &due);
    loop_expect(loop, &due); /* again: nothing more */
    ck_assert_uint_gt(turns_within(30), 10);
    loop_received(&due);
    loop_received(&due);
    ck_assert_uint_lt(turns_within(30), 5);
}
END_TEST

START_TEST(is_switched_off)
{
    loop_busy_poll(loop, LONG_US);
    loop_expect(loop, &due);
    ck_assert_uint_gt(turns_within(30), 10);
    loop_busy_poll(loop, 0);
    ck_assert_uint_lt(turns_within(30), 5);
}
END_TEST

/* Once its time has passed without an event, it sleeps until there is one. */
START_TEST(spins_no_longer_than_it_may)
{
    loop_busy_poll(loop, 1000);
    loop_expect(loop, &due);
    uint64_t before = processor_us();
    turns_within(500);
    ck_assert_uint_lt(processor_us() - before, 250000);
}
END_TEST

static void run(struct task *t)
{
    (void)t;
}

static void on_event(uv_async_t *handle)
{
    loop_defer(loop, handle->data);
    uv_close((uv_handle_t *)handle, NULL);
}

/* Whatever happens to a request has a task, and may be followed by more. */
START_TEST(spins_again_after_an_event)
{
    struct task task;
    uv_async_t async = {.data = &task};
    task_init(&task, run);
    loop_busy_poll(loop, 300000);
    loop_expect(loop, &due);
    turns_within(400);
    ck_assert_uint_lt(turns_within(30), 5); /* its time has passed */
    ck_assert_int_eq(uv_async_init(loop_uv(loop), &async, on_event), 0);
    ck_assert_int_eq(uv_async_send(&async), 0);
    ck_assert_uint_gt(turns_within(30), 10);
}
END_TEST

static void on_heard(uv_async_t *handle)
{
    *(bool *)handle->data = true;
    uv_close((uv_handle_t *)handle, NULL);
}

/* Neither handles nor deadlines wait while it spins. */
START_TEST(serves_all_else_meanwhile)
{
    bool heard = false;
    uv_async_t async = {.data = &heard};
    loop_busy_poll(loop, LONG_US);
    loop_expect(loop, &due);
    ck_assert_int_eq(uv_async_init(loop_uv(loop), &async, on_heard), 0);
    ck_assert_uint_gt(turns_within(10), 5);
    ck_assert_int_eq(uv_async_send(&async), 0);
    while (!heard)
        loop_turn(loop, true);
}
END_TEST

/* Spinning keeps no loop alive that has nothing else to do. */
START_TEST(ends_as_usual)
{
    loop_busy_poll(loop, LONG_US);
    loop_expect(loop, &due);
    deadline_in(&deadline, 5);
    loop_run(loop);
    ck_assert(!deadline_is_set(&deadline));
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(sleeps_by_default);
    TEST(spins_while_something_is_due);
    TEST(is_switched_off);
    TEST(spins_no_longer_than_it_may);
    TEST(spins_again_after_an_event);
    TEST(serves_all_else_meanwhile);
    TEST(ends_as_usual);
}
