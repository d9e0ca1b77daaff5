/* The event loop: libuv's, with deadlines that can be stopped at once, tasks that
 * run at the end of the turn, the one read buffer all streams share, and the only
 * source of time and of randomness: nothing else asks the system for either, so that a
 * test can replay a run. Owned by the daemon (tests and `doctor` make their own). It runs
 * or it is being freed; its clock runs or, in tests, is held. One loop, one thread: nothing
 * here is called from another thread (worker.h is the only bridge). */
#pragma once

#include <time.h>
#include <uv.h>

#include "base/check.h"
#include "base/list.h"

struct loop;

#define LOOP_READ_SIZE (64 * 1024)

/* The log reads its clock from this loop until loop_free(). */
struct loop *loop_new(void);

/* Runs the deferred tasks, closes the loop's own handles, and frees it. Every other handle must
 * have been closed before: loop_run() returns once they are. */
void loop_free(struct loop *);

uv_loop_t *loop_uv(struct loop *);

/* Turns until loop_stop(), or until nothing is open and no deadline is set.
 * loop_turn() makes one turn, waiting for an event if `wait`. */
void loop_run(struct loop *);
void loop_turn(struct loop *, bool wait);
void loop_stop(struct loop *);

/* Milliseconds, as of this turn's beginning; what deadlines are measured in. Costs
 * nothing. */
uint64_t loop_now(const struct loop *);

/* Likewise, but it goes on while the machine sleeps: what ages are measured in. */
uint64_t loop_age_clock(const struct loop *);

/* Microseconds of a monotonic clock, read now; what latencies are measured in. */
uint64_t loop_clock_us(const struct loop *);

/* The wall clock, read now: CLOCK_REALTIME, and its whole seconds since 1970. */
struct timespec loop_wall(const struct loop *);
int64_t loop_wall_s(const struct loop *);

/* A random number, for jitter. Not for secrets: keys and nonces are mbedTLS's. */
uint32_t loop_random(struct loop *);

/* 1, 2, 3, ...: never the same twice. What lives in the loop and is told apart in the log
 * (lines, pools) takes its number here. */
uint64_t loop_number(struct loop *);

/* For tests: sets all of its clocks `ms` ahead and runs what is due by then. From
 * loop_hold() on they move by loop_skip() alone, however long a turn takes. From
 * loop_seed() on the random numbers are a sequence that the seed determines. */
void loop_skip(struct loop *, uint64_t ms);
void loop_hold(struct loop *);
void loop_seed(struct loop *, uint64_t seed);

/* LOOP_READ_SIZE bytes that any stream may read into within one callback. */
char *loop_read_buffer(struct loop *);

/* A task runs once, after the callbacks that are under way and before the loop waits
 * again: in this turn of the loop, or, behind a long chain of tasks that defer each
 * other, in the next one. It is how work reports its end outside the call that began
 * it, and how an object that may still be on the stack is freed. One that defers
 * itself for ever costs time, but keeps no deadline and no I/O from being served.
 * Lives inside its owner. */
struct task {
    struct link link;
    void (*run)(struct task *);
};

void task_init(struct task *, void (*run)(struct task *));
void loop_defer(struct loop *, struct task *); /* a second call changes nothing */
void task_forget(struct task *);

/* Likewise, but it runs once no other task is left, or before the rest of a chain that is put
 * off to the next turn: always in this one. It is for writes: what the callbacks and tasks of a
 * turn bring leaves at once. Tasks that it defers run as others do. */
void loop_defer_last(struct loop *, struct task *);

/* A point in time at which `expired` is called, once, from the loop (never
 * from deadline_*()). Lives inside its owner; must be stopped before that is
 * freed, and is stopped at once: nothing is called after. */
struct deadline {
    struct loop *loop;
    uint64_t due, order;
    size_t place; /* in the loop's heap, from 1; 0: not set */
    void (*expired)(struct deadline *);
};

void deadline_init(struct deadline *, struct loop *, void (*expired)(struct deadline *));
void deadline_at(struct deadline *, uint64_t due_ms); /* sets or moves it */
void deadline_in(struct deadline *, uint64_t ms);
void deadline_stop(struct deadline *); /* fine if it is not set */
bool deadline_is_set(const struct deadline *);
