/* Tasks that run when the loop is about to wait: after which others, before what, and that a task which
 * keeps coming back does not stop the loop from turning. Likewise those that run once it is idle. */
#include "net/loop.h"
#include "suite.h"

static struct loop *loop;
static struct deadline hour; /* something to wait for */
static char trace[64];
static size_t traced;

static void never(struct deadline *d)
{
    (void)d;
    ck_abort_msg("an hour is not over yet");
}

static void begin(void)
{
    traced = 0;
    trace[0] = '\0';
    loop = loop_new();
    deadline_init(&hour, loop, never);
    deadline_in(&hour, 3600 * 1000);
}

static void finish(void)
{
    deadline_stop(&hour);
    loop_free(loop);
}

struct named_task {
    struct task task;
    char name;
    struct task *defer; /* from inside */
};

static void run_named(struct task *t)
{
    struct named_task *n = container_of(t, struct named_task, task);
    ck_assert_uint_lt(traced + 1, sizeof trace);
    trace[traced++] = n->name;
    trace[traced] = '\0';
    if (n->defer)
        loop_defer(loop, n->defer);
}

static struct named_task named(char name)
{
    struct named_task n = {.name = name};
    task_init(&n.task, run_named);
    return n;
}

START_TEST(it_runs_behind_all_others)
{
    struct named_task a = named('a'), b = named('b'), x = named('x'), y = named('y');
    y.defer = &b.task;
    loop_defer_to_wait(loop, &y.task);
    loop_defer_to_wait(loop, &y.task); /* again: nothing more */
    loop_defer_last(loop, &x.task);
    loop_defer(loop, &a.task);
    loop_turn(loop, false);
    ck_assert_str_eq(trace, "axyb");
    loop_turn(loop, false);
    ck_assert_str_eq(trace, "axyb");
}
END_TEST

START_TEST(it_can_be_forgotten)
{
    struct named_task y = named('y');
    loop_defer_to_wait(loop, &y.task);
    task_forget(&y.task);
    loop_turn(loop, false);
    ck_assert_str_eq(trace, "");
}
END_TEST

struct restless {
    struct task task;
    int runs;
};

static void run_again(struct task *t)
{
    struct restless *r = container_of(t, struct restless, task);
    r->runs++;
    loop_defer_to_wait(loop, t);
}

/* The loop turns, and does not wait while something is left over. */
START_TEST(one_that_keeps_coming_back)
{
    struct restless r = {0};
    task_init(&r.task, run_again);
    loop_defer_to_wait(loop, &r.task);
    for (int i = 0; i < 10; i++)
        loop_turn(loop, true);
    ck_assert_int_ge(r.runs, 10);
    task_forget(&r.task);
}
END_TEST

START_TEST(it_runs_once_the_loop_is_idle)
{
    struct named_task a = named('a'), y = named('y');
    a.defer = &y.task;
    loop_defer_to_idle(loop, &a.task);
    loop_defer_to_idle(loop, &a.task); /* again: nothing more */
    loop_turn(loop, true);             /* it does not wait */
    ck_assert_str_eq(trace, "ay");
}
END_TEST

/* As a loop that has events in each turn. */
static void run_for_ever(struct task *t)
{
    loop_defer(loop, t);
}

/* False: a millisecond ended meanwhile, which ends the gathering, too. */
static bool gathers_for_some_turns(void)
{
    struct named_task y = named('y');
    traced = 0;
    trace[0] = '\0';
    uint64_t began = uv_now(loop_uv(loop));
    loop_defer_to_idle(loop, &y.task);
    for (int i = 0; i < LOOP_LOOKS; i++)
        loop_turn(loop, true);
    bool is_quick = uv_now(loop_uv(loop)) == began;
    if (is_quick)
        ck_assert_str_eq(trace, "");
    loop_turn(loop, true);
    ck_assert_str_eq(trace, "y");
    return is_quick;
}

START_TEST(it_runs_in_a_loop_that_is_never_idle)
{
    struct task busy;
    task_init(&busy, run_for_ever);
    loop_defer(loop, &busy);
    loop_turn(loop, true);
    unsigned tries = 0;
    while (!gathers_for_some_turns() && ++tries < 1000)
        continue;
    ck_assert_uint_lt(tries, 1000);
    task_forget(&busy);
}
END_TEST

static void take_two_ms(struct task *t)
{
    uint64_t until = loop_real_clock_us() + 2000;
    while (loop_real_clock_us() < until)
        continue;
    loop_defer(loop, t);
}

/* Where turns are long, waiting for more of them would delay what waits for the task. */
START_TEST(it_waits_for_no_long_turns)
{
    struct named_task y = named('y');
    struct task slow;
    task_init(&slow, take_two_ms);
    loop_defer(loop, &slow);
    loop_turn(loop, true);
    loop_defer_to_idle(loop, &y.task);
    loop_turn(loop, true);
    loop_turn(loop, true);
    ck_assert_str_eq(trace, "y");
    task_forget(&slow);
}
END_TEST

START_TEST(an_idle_one_can_be_forgotten)
{
    struct named_task y = named('y');
    loop_defer_to_idle(loop, &y.task);
    task_forget(&y.task);
    loop_turn(loop, false);
    loop_turn(loop, false);
    ck_assert_str_eq(trace, "");
}
END_TEST

START_TEST(the_loop_does_not_end_before_it)
{
    struct named_task y = named('y');
    deadline_stop(&hour);
    loop_defer_to_idle(loop, &y.task);
    loop_run(loop);
    ck_assert_str_eq(trace, "y");
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(it_runs_behind_all_others);
    TEST(it_can_be_forgotten);
    TEST(one_that_keeps_coming_back);
    TEST(it_runs_once_the_loop_is_idle);
    TEST(it_runs_in_a_loop_that_is_never_idle);
    TEST(it_waits_for_no_long_turns);
    TEST(an_idle_one_can_be_forgotten);
    TEST(the_loop_does_not_end_before_it);
}
