#include <stdatomic.h>
#include <unistd.h>

#include "net/worker.h"
#include "suite.h"

struct work {
    struct job job;
    struct worker *worker;
    int work_us;
    bool by_thread, done, again;
    size_t done_at; /* its position in the order in which jobs ended */
};

static struct loop *loop;
static struct worker *worker;
static uv_thread_t main_thread;
static atomic_int most_at_once, at_once;
static size_t ends;

static void work(struct job *job)
{
    struct work *w = container_of(job, struct work, job);
    int now = atomic_fetch_add(&at_once, 1) + 1;
    if (now > atomic_load(&most_at_once))
        atomic_store(&most_at_once, now);
    uv_thread_t self = uv_thread_self();
    w->by_thread = !uv_thread_equal(&self, &main_thread);
    usleep((useconds_t)w->work_us);
    atomic_fetch_sub(&at_once, 1);
}

static void done(struct job *job)
{
    struct work *w = container_of(job, struct work, job);
    uv_thread_t self = uv_thread_self();
    ck_assert(uv_thread_equal(&self, &main_thread));
    ck_assert(!job->running);
    w->done = true;
    w->done_at = ++ends;
    if (w->again) {
        w->again = w->done = false;
        worker_submit(w->worker, job);
    }
}

static struct work make(int work_us)
{
    return (struct work){.job = {.work = work, .done = done}, .worker = worker, .work_us = work_us};
}

static void set_up(void)
{
    main_thread = uv_thread_self();
    ends = 0;
    loop = loop_new();
    worker = worker_new(loop);
}

static void tear_down(void)
{
    worker_free(worker);
    loop_free(loop);
}

START_TEST(runs_in_order_on_one_other_thread)
{
    struct work all[20];
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        all[i] = make(200);
        worker_submit(worker, &all[i].job);
        ck_assert(!all[i].done);
    }
    loop_run(loop); /* ends by itself once there is nothing to do */
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        ck_assert(all[i].done && all[i].by_thread);
        ck_assert_uint_eq(all[i].done_at, i + 1);
    }
    ck_assert_int_eq(atomic_load(&most_at_once), 1);
}
END_TEST

START_TEST(idle_worker_does_not_hold_the_loop)
{
    loop_run(loop);
}
END_TEST

START_TEST(hands_over_two_and_forgets_the_rest)
{
    struct work all[4];
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        all[i] = make(5000);
        worker_submit(worker, &all[i].job);
    }
    ck_assert(all[0].job.running && all[1].job.running);
    ck_assert(!all[2].job.running && !all[3].job.running);
    ck_assert(!worker_forget(worker, &all[0].job));
    ck_assert(!worker_forget(worker, &all[1].job));
    ck_assert(worker_forget(worker, &all[2].job));
    loop_run(loop);
    ck_assert(all[0].done && all[1].done && all[3].done);
    ck_assert(!all[2].done && !all[2].by_thread);
}
END_TEST

START_TEST(who_yields_goes_last)
{
    static const size_t place[] = {1, 4, 5, 6, 2, 3}; /* the first starts at once */
    struct work all[] = {make(2000), make(0), make(0), make(0), make(0), make(0)};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        all[i].job.yields = i < 4;
        worker_submit(worker, &all[i].job);
    }
    ck_assert(all[0].job.running && !all[1].job.running && all[4].job.running);
    ck_assert(worker_forget(worker, &all[3].job));
    worker_submit(worker, &all[3].job);
    loop_run(loop);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        ck_assert_uint_eq(all[i].done_at, place[i]);
}
END_TEST

START_TEST(forgetting_what_was_never_given_or_is_done)
{
    struct work w = make(0);
    ck_assert(worker_forget(worker, &w.job));
    worker_submit(worker, &w.job);
    loop_run(loop);
    ck_assert(w.done);
    ck_assert(worker_forget(worker, &w.job));
}
END_TEST

START_TEST(may_be_submitted_again_from_done)
{
    struct work w = make(100);
    w.again = true;
    worker_submit(worker, &w.job);
    loop_run(loop);
    ck_assert(w.done);
    ck_assert_uint_eq(ends, 2);
}
END_TEST

START_TEST(freeing_waits_for_what_runs)
{
    struct loop *own = loop_new();
    struct worker *short_lived = worker_new(own);
    struct work a = make(20000), b = make(1000);
    worker_submit(short_lived, &a.job);
    worker_submit(short_lived, &b.job);
    worker_free(short_lived);
    ck_assert(a.done && b.done);
    loop_free(own);
}
END_TEST

SUITE()
{
    FIXTURE(set_up, tear_down);
    TEST(runs_in_order_on_one_other_thread);
    TEST(idle_worker_does_not_hold_the_loop);
    TEST(hands_over_two_and_forgets_the_rest);
    TEST(who_yields_goes_last);
    TEST(forgetting_what_was_never_given_or_is_done);
    TEST(may_be_submitted_again_from_done);
    TEST(freeing_waits_for_what_runs);
}
