/* Tasks and deadlines: their order, stopping and setting them from inside, and many of them at
 * random compared with a plain model. */
#include "net/loop.h"
#include "stopwatch.h"
#include "storm.h"
#include "suite.h"

static struct loop *loop;
static char trace[64];
static size_t traced;

static void note(char c)
{
    ck_assert_uint_lt(traced + 1, sizeof trace);
    trace[traced++] = c;
    trace[traced] = '\0';
}

static void begin(void)
{
    traced = 0;
    trace[0] = '\0';
    loop = loop_new();
}

static void finish(void)
{
    loop_free(loop);
}

/* -------------------------------------------------------------------- tasks */

struct named_task {
    struct task task;
    char name;
    struct task *defer, *forget; /* action to take inside the callback */
};

static void run_named(struct task *t)
{
    struct named_task *n = container_of(t, struct named_task, task);
    note(n->name);
    if (n->defer)
        loop_defer(loop, n->defer);
    n->defer = NULL;
    if (n->forget)
        task_forget(n->forget);
}

static struct named_task named(char name)
{
    struct named_task n = {.name = name};
    task_init(&n.task, run_named);
    return n;
}

START_TEST(test_tasks_in_order)
{
    struct named_task a = named('a'), b = named('b'), c = named('c');
    begin();
    loop_defer(loop, &a.task);
    loop_defer(loop, &b.task);
    loop_defer(loop, &c.task);
    loop_defer(loop, &a.task); /* again: nothing more */
    task_forget(&b.task);
    task_forget(&b.task);
    ck_assert_str_eq(trace, "");
    loop_turn(loop, false);
    ck_assert_str_eq(trace, "ac");
    loop_turn(loop, false);
    ck_assert_str_eq(trace, "ac");
    finish();
}
END_TEST

START_TEST(test_tasks_from_tasks)
{
    struct named_task a = named('a'), b = named('b'), c = named('c');
    begin();
    a.defer = &a.task; /* once more, after the others */
    a.forget = &c.task;
    loop_defer(loop, &a.task);
    loop_defer(loop, &b.task);
    loop_defer(loop, &c.task);
    loop_turn(loop, false);
    ck_assert_str_eq(trace, "aba");
    finish();
}
END_TEST

struct restless {
    struct task task, other;
    struct deadline deadline;
    uv_async_t async;
    unsigned runs, others;
    bool heard;
};

static void run_again(struct task *t)
{
    struct restless *r = container_of(t, struct restless, task);
    r->runs++;
    loop_defer(loop, t);
}

/* For the loop, two tasks that defer each other are the same as one that defers itself. */
static void run_turn_about(struct task *t)
{
    struct restless *r = container_of(t, struct restless, other);
    r->others++;
    loop_defer(loop, &r->task);
}

static void run_to_other(struct task *t)
{
    struct restless *r = container_of(t, struct restless, task);
    r->runs++;
    loop_defer(loop, &r->other);
}

static void on_heard(uv_async_t *handle)
{
    struct restless *r = handle->data;
    r->heard = true;
    uv_close((uv_handle_t *)handle, NULL);
}

static void end_restless(struct deadline *d)
{
    struct restless *r = container_of(d, struct restless, deadline);
    task_forget(&r->task);
    task_forget(&r->other);
}

/* A task that defers itself for ever delays neither deadlines nor I/O. */
START_TEST(test_a_restless_task)
{
    struct restless r = {0};
    begin();
    task_init(&r.task, _i ? run_to_other : run_again);
    task_init(&r.other, run_turn_about);
    deadline_init(&r.deadline, loop, end_restless);
    r.async.data = &r;
    ck_assert_int_eq(uv_async_init(loop_uv(loop), &r.async, on_heard), 0);
    loop_defer(loop, &r.task);
    loop_turn(loop, true); /* it does not block while there is something to do */
    unsigned first = r.runs;
    ck_assert_uint_gt(first, 0);
    loop_turn(loop, true);
    ck_assert_uint_gt(r.runs, first);
    ck_assert_int_eq(uv_async_send(&r.async), 0);
    for (int i = 0; i < 100 && !r.heard; i++)
        loop_turn(loop, true);
    ck_assert(r.heard);
    deadline_in(&r.deadline, 5);
    loop_run(loop); /* ends when its task does */
    ck_assert_int_eq(r.others > 0, _i);
    finish();
}
END_TEST

/* A finite chain of tasks runs completely within one turn. */
static struct named_task chain[8];

START_TEST(test_a_chain_of_tasks)
{
    begin();
    for (size_t i = 0; i < COUNT_OF(chain); i++) {
        chain[i] = named((char)('a' + i));
        if (i)
            chain[i - 1].defer = &chain[i].task;
    }
    loop_defer(loop, &chain[0].task);
    loop_turn(loop, false);
    ck_assert_str_eq(trace, "abcdefgh");
    finish();
}
END_TEST

START_TEST(test_freeing_runs_tasks)
{
    struct named_task a = named('a');
    begin();
    loop_defer(loop, &a.task);
    finish();
    ck_assert_str_eq(trace, "a");
}
END_TEST

/* The last tasks run after all others, including those that others defer; tasks that the last ones
 * defer run in the same turn. */
START_TEST(test_last_tasks)
{
    struct named_task a = named('a'), b = named('b'), c = named('c'), x = named('x'),
                      y = named('y');
    begin();
    a.defer = &b.task;
    x.defer = &c.task;
    loop_defer_last(loop, &x.task);
    loop_defer_last(loop, &y.task);
    loop_defer_last(loop, &x.task); /* again: nothing more */
    loop_defer(loop, &x.task);
    loop_defer(loop, &a.task);
    loop_turn(loop, false);
    ck_assert_str_eq(trace, "abxyc");
    loop_defer_last(loop, &x.task);
    loop_defer_last(loop, &y.task);
    task_forget(&x.task);
    loop_turn(loop, false);
    ck_assert_str_eq(trace, "abxycy");
    loop_defer_last(loop, &x.task);
    finish();
    ck_assert_str_eq(trace, "abxycyx");
}
END_TEST

/* An endless chain of tasks does not put the last ones off to another turn. */
START_TEST(test_last_behind_an_endless_chain)
{
    struct restless r = {0};
    struct named_task x = named('x');
    begin();
    task_init(&r.task, run_again);
    loop_defer(loop, &r.task);
    loop_defer_last(loop, &x.task);
    loop_turn(loop, false);
    ck_assert_str_eq(trace, "x");
    loop_defer_last(loop, &x.task);
    loop_turn(loop, false);
    ck_assert_str_eq(trace, "xx");
    task_forget(&r.task);
    finish();
}
END_TEST

static void on_io(uv_async_t *handle)
{
    note('i');
    loop_defer(loop, handle->data);
    uv_close((uv_handle_t *)handle, NULL);
}

/* A task that an I/O callback defers runs in the same turn. */
START_TEST(test_tasks_of_callbacks)
{
    uv_async_t async;
    struct named_task a = named('a');
    begin();
    async.data = &a.task;
    ck_assert_int_eq(uv_async_init(loop_uv(loop), &async, on_io), 0);
    ck_assert_int_eq(uv_async_send(&async), 0);
    loop_turn(loop, true);
    ck_assert_str_eq(trace, "ia");
    loop_run(loop);
    finish();
}
END_TEST

/* ---------------------------------------------------------------- deadlines */

struct named_deadline {
    struct deadline deadline;
    char name;
    struct named_deadline *stop, *set; /* action to take inside the callback */
    uint64_t set_in;
};

static void run_deadline(struct deadline *d)
{
    struct named_deadline *n = container_of(d, struct named_deadline, deadline);
    ck_assert(!deadline_is_set(d));
    ck_assert_uint_ge(loop_now(loop), d->due);
    note(n->name);
    if (n->stop)
        deadline_stop(&n->stop->deadline);
    struct named_deadline *set = n->set;
    n->set = NULL;
    if (set)
        deadline_in(&set->deadline, n->set_in);
}

static void init(struct named_deadline *n, char name)
{
    *n = (struct named_deadline){.name = name};
    deadline_init(&n->deadline, loop, run_deadline);
}

START_TEST(test_deadline_order)
{
    struct named_deadline a, b, c, d;
    begin();
    init(&a, 'a'), init(&b, 'b'), init(&c, 'c'), init(&d, 'd');
    deadline_in(&c.deadline, 30000);
    deadline_in(&a.deadline, 10000);
    deadline_in(&b.deadline, 10000); /* the same time: in the order in which they were set */
    deadline_in(&d.deadline, UINT64_MAX);
    loop_skip(loop, 9999 - 1000);
    ck_assert_str_eq(trace, "");
    loop_skip(loop, 1001);
    ck_assert_str_eq(trace, "ab");
    ck_assert(!deadline_is_set(&a.deadline) && deadline_is_set(&c.deadline));
    loop_skip(loop, 40000);
    ck_assert_str_eq(trace, "abc");
    ck_assert(deadline_is_set(&d.deadline));
    deadline_stop(&d.deadline);
    deadline_stop(&d.deadline);
    loop_run(loop); /* nothing is set: ends */
    finish();
}
END_TEST

START_TEST(test_deadline_moves)
{
    struct named_deadline a, b;
    begin();
    init(&a, 'a'), init(&b, 'b');
    deadline_in(&a.deadline, 10000);
    deadline_in(&b.deadline, 20000);
    deadline_in(&a.deadline, 30000); /* later */
    loop_skip(loop, 25000);
    ck_assert_str_eq(trace, "b");
    deadline_at(&a.deadline, 0); /* long past: it fires at the next turn, not now */
    ck_assert_str_eq(trace, "b");
    loop_turn(loop, true);
    ck_assert_str_eq(trace, "ba");
    finish();
}
END_TEST

START_TEST(test_deadline_inside)
{
    struct named_deadline a, b, c, d;
    begin();
    init(&a, 'a'), init(&b, 'b'), init(&c, 'c'), init(&d, 'd');
    a.stop = &b; /* due at the same time */
    a.set = &a;  /* the same deadline again, already due */
    c.stop = &d; /* due later */
    deadline_in(&a.deadline, 1000);
    deadline_in(&b.deadline, 1000);
    deadline_in(&c.deadline, 1000);
    deadline_in(&d.deadline, 2000);
    loop_skip(loop, 1000);
    ck_assert_str_eq(trace, "ac"); /* set inside: waits for the next turn */
    loop_turn(loop, true);
    ck_assert_str_eq(trace, "aca");
    loop_run(loop);
    ck_assert_str_eq(trace, "aca");
    finish();
}
END_TEST

/* A deadline stopped before the earliest one must not swallow the others. */
START_TEST(test_real_time)
{
    struct named_deadline a, b, c;
    begin();
    init(&a, 'a'), init(&b, 'b'), init(&c, 'c');
    uint64_t before = clock_us();
    deadline_in(&a.deadline, 5);
    deadline_in(&b.deadline, 30);
    deadline_in(&c.deadline, 15);
    deadline_stop(&a.deadline);
    loop_run(loop);
    ck_assert_str_eq(trace, "cb");
    ck_assert_uint_ge(clock_us() - before, 15 * 1000); /* not at the stopped one's time */
    finish();
}
END_TEST

#define MANY 500

static struct {
    struct deadline deadline;
    uint64_t due; /* 0: not set */
} many[MANY];
static size_t set_count, fired;
static uint64_t last_due;

static size_t place_of(const struct deadline *d)
{
    for (size_t i = 0; i < MANY; i++)
        if (&many[i].deadline == d)
            return i;
    ck_abort_msg("not one of ours");
}

static void one_of_many(struct deadline *d)
{
    size_t i = place_of(d);
    ck_assert_uint_eq(many[i].due, d->due);
    ck_assert_uint_le(last_due, d->due);
    last_due = d->due;
    many[i].due = 0;
    set_count--;
    fired++;
    if (i % 7 == 0 && many[(i + 1) % MANY].due) { /* stop another one inside */
        deadline_stop(&many[(i + 1) % MANY].deadline);
        many[(i + 1) % MANY].due = 0;
        set_count--;
    }
}

static void set_one(size_t i, uint64_t due)
{
    set_count += many[i].due == 0;
    many[i].due = due;
    deadline_at(&many[i].deadline, due);
}

static void stop_one(size_t i)
{
    set_count -= many[i].due != 0;
    many[i].due = 0;
    deadline_stop(&many[i].deadline);
}

/* Random sets, moves, stops and skips: each skip fires exactly the deadlines that are due, in order
 * of time. */
START_TEST(test_many)
{
    begin();
    storm_seed(_i);
    for (size_t i = 0; i < MANY; i++)
        deadline_init(&many[i].deadline, loop, one_of_many);
    for (int round = 0; round < 300; round++) {
        for (int op = 0; op < 200; op++) {
            size_t i = draw(MANY);
            if (draw(3))
                set_one(i, loop_now(loop) + 1000 + draw(100000));
            else
                stop_one(i);
            ck_assert_int_eq(deadline_is_set(&many[i].deadline), many[i].due != 0);
        }
        last_due = 0;
        loop_skip(loop, draw(3000));
        for (size_t i = 0; i < MANY; i++)
            ck_assert(many[i].due == 0 || many[i].due > loop_now(loop));
    }
    last_due = 0;
    loop_skip(loop, 200000);
    ck_assert_uint_eq(set_count, 0);
    ck_assert_uint_gt(fired, 1000);
    finish();
}
END_TEST

static void stop_loop(struct deadline *d)
{
    (void)d;
    note('s');
    loop_stop(loop);
}

/* Clocks that are held advance together, and only by loop_skip(). */
START_TEST(test_clocks)
{
    begin();
    uint64_t real_us = loop_clock_us(loop);
    ck_assert_int_le(labs((long)(loop_wall_s(loop) - time(NULL))), 2);
    loop_hold(loop);
    uint64_t turn = loop_now(loop), age = loop_age_clock(loop), us = loop_clock_us(loop);
    struct timespec wall = loop_wall(loop);
    ck_assert_uint_ge(us, real_us);
    for (int i = 0; i < 3; i++)
        loop_turn(loop, false);
    ck_assert_uint_eq(loop_clock_us(loop), us);
    ck_assert_int_eq(loop_wall(loop).tv_nsec, wall.tv_nsec);
    loop_skip(loop, 2600);
    ck_assert_uint_eq(loop_now(loop), turn + 2600);
    ck_assert_uint_eq(loop_age_clock(loop), age + 2600);
    ck_assert_uint_eq(loop_clock_us(loop), us + 2600000);
    long ns = wall.tv_nsec + 600000000;
    ck_assert_int_eq(loop_wall(loop).tv_sec, wall.tv_sec + 2 + ns / 1000000000);
    ck_assert_int_eq(loop_wall(loop).tv_nsec, ns % 1000000000);
    ck_assert_int_eq(loop_wall_s(loop), loop_wall(loop).tv_sec);
    finish();
}
END_TEST

static uint64_t task_us[2][2];

static void note_task_time(struct task *t)
{
    static int n;
    (void)t;
    task_us[n][0] = loop_event_us(loop);
    while (loop_clock_us(loop) < task_us[n][0] + 2000)
        ;
    task_us[n++][1] = loop_event_us(loop);
}

/* All that one task does has one time, and the next task another. */
START_TEST(test_time_of_an_event)
{
    struct task first, second;
    begin();
    task_init(&first, note_task_time);
    task_init(&second, note_task_time);
    loop_defer(loop, &first);
    loop_defer(loop, &second);
    loop_turn(loop, false);
    ck_assert_uint_eq(task_us[0][0], task_us[0][1]);
    ck_assert_uint_eq(task_us[1][0], task_us[1][1]);
    ck_assert_uint_ge(task_us[1][0], task_us[0][0] + 2000);
    uint64_t outside = loop_event_us(loop);
    ck_assert_uint_ge(outside, task_us[1][0] + 2000);
    loop_skip(loop, 10);
    ck_assert_uint_ge(loop_event_us(loop), outside + 10000);
    finish();
}
END_TEST

START_TEST(test_seeded_random)
{
    enum { DRAWS = 1000 };
    uint32_t first[DRAWS], others = 0, bits = 0;
    begin();
    loop_seed(loop, 0);
    for (size_t i = 0; i < DRAWS; i++)
        bits |= first[i] = loop_random(loop);
    ck_assert_uint_eq(bits, UINT32_MAX);
    loop_seed(loop, 0);
    for (size_t i = 0; i < DRAWS; i++)
        ck_assert_uint_eq(loop_random(loop), first[i]);
    loop_seed(loop, 1);
    for (size_t i = 0; i < DRAWS; i++)
        others += loop_random(loop) != first[i];
    ck_assert_uint_gt(others, DRAWS - 3);
    finish();
}
END_TEST

START_TEST(test_stop)
{
    struct deadline stop;
    struct named_deadline far;
    begin();
    init(&far, 'f');
    deadline_init(&stop, loop, stop_loop);
    deadline_in(&stop, 5);
    deadline_in(&far.deadline, 3600 * 1000);
    loop_run(loop);
    ck_assert_str_eq(trace, "s");
    deadline_stop(&far.deadline);
    finish();
}
END_TEST

SUITE()
{
    TEST(test_tasks_in_order);
    TEST(test_tasks_from_tasks);
    LOOP(test_a_restless_task, 0, 2);
    TEST(test_a_chain_of_tasks);
    TEST(test_freeing_runs_tasks);
    TEST(test_last_tasks);
    TEST(test_last_behind_an_endless_chain);
    TEST(test_tasks_of_callbacks);
    TEST(test_deadline_order);
    TEST(test_deadline_moves);
    TEST(test_deadline_inside);
    TEST(test_real_time);
    STORM(test_many, 2);
    TEST(test_clocks);
    TEST(test_time_of_an_event);
    TEST(test_seeded_random);
    TEST(test_stop);
}
