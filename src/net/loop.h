/* The event loop: libuv's, with deadlines that can be stopped at once, tasks that run at the end of
 * the turn, one read buffer shared by all streams, and the only source of time and randomness: no
 * other code gets either from the system, so that a test can replay a run. Owned by the daemon
 * (tests and `doctor` make their own). It is running or being freed; its clock runs or, in tests,
 * is held. One loop, one thread: nothing here is called from another thread (worker.h is the only
 * bridge). */
#pragma once

#include <time.h>
#include <uv.h>

#include "base/check.h"
#include "base/list.h"
#include "net/look.h"

struct loop;

#define LOOP_READ_SIZE (64 * 1024)

/* The log reads its clock from this loop until loop_free(). */
struct loop *loop_new(void);

/* Runs the deferred tasks, closes the loop's own handles, and frees it. Every other handle must
 * have been closed before, which is when loop_run() returns. */
void loop_free(struct loop *);

uv_loop_t *loop_uv(struct loop *);

/* Runs until loop_stop(), or until no handle is open and no deadline is set. loop_turn() makes one
 * turn, and waits for an event if `wait` is set. */
void loop_run(struct loop *);
void loop_turn(struct loop *, bool wait);
void loop_stop(struct loop *);

/* Busy polling: while something is due from elsewhere, the loop looks for events for up to `us`
 * microseconds after the last one, instead of sleeping at once. 0, the default: it sleeps. Every
 * handle, deadline and task is served as usual meanwhile. */
void loop_busy_poll(struct loop *, uint64_t us);

/* The embedded link of what is due, from loop_expect() until loop_received(); the second call may
 * be made at any time. */
void loop_expect(struct loop *, struct link *due);
void loop_received(struct link *due);

/* Milliseconds at the beginning of this turn, on the clock of deadlines. Costs nothing. */
uint64_t loop_now(const struct loop *);

/* Likewise, on a clock that goes on while the machine is suspended: used for ages. */
uint64_t loop_age_clock(const struct loop *);

/* Microseconds of a monotonic clock, read now: used for latencies. */
uint64_t loop_clock_us(const struct loop *);

/* Likewise, as of the event that is being handled: what a stream has read, or a task. All that one
 * event does has this time, which is read at most once. Anywhere else it is read now. */
uint64_t loop_event_us(struct loop *);

/* Likewise, and it runs even if the clocks are held: for the age of what the kernel said. */
uint64_t loop_real_clock_us(void);

/* The wall clock (CLOCK_REALTIME), read now, and its whole seconds since 1970. */
struct timespec loop_wall(const struct loop *);
int64_t loop_wall_s(const struct loop *);

/* A random number, for jitter. Not for secrets: keys and nonces are mbedTLS's. */
uint32_t loop_random(struct loop *);

/* 1, 2, 3, ...: never the same number twice. Objects that the log must distinguish (lines, pools)
 * get their numbers here. */
uint64_t loop_number(struct loop *);

/* For tests: loop_skip() sets all clocks `ms` ahead and runs what is due by then. After loop_hold()
 * the clocks move only by loop_skip(), however long a turn takes. After loop_seed() the random
 * numbers are a sequence determined by the seed. */
void loop_skip(struct loop *, uint64_t ms);
void loop_hold(struct loop *);
void loop_seed(struct loop *, uint64_t seed);

/* What the kernel has unread, asked for all streams at once. */
struct look *loop_look(struct loop *);

/* LOOP_READ_SIZE bytes that any stream may read into within one callback. */
char *loop_read_buffer(struct loop *);

/* For streams: what they have read is handed up between these two; see loop_event_us(). */
void loop_begin_event(struct loop *);
void loop_end_event(struct loop *);

/* A task runs once, after the callbacks that are under way and before the loop waits again: in this
 * turn of the loop, or, behind a long chain of tasks that defer each other, in the next one. Tasks
 * are used to report the end of an operation outside the call that began it, and to free an object
 * that may still be in use by a caller on the stack. A task that defers itself for ever costs time,
 * but does not stop deadlines and I/O from being served. Embedded in its owner. */
struct task {
    struct link link;
    void (*run)(struct task *);
};

void task_init(struct task *, void (*run)(struct task *));
void loop_defer(struct loop *, struct task *); /* a second call has no effect */
void task_forget(struct task *);

/* Likewise, but the task runs once no other is left, or before the rest of a long chain is
 * postponed to the next turn: always in this turn. Used for writes, so that the output of all
 * callbacks and tasks of a turn is sent together, without delay. Tasks that it defers run as
 * usual. */
void loop_defer_last(struct loop *, struct task *);

/* Likewise, but the task runs when the loop is about to wait for events, after all others of this
 * turn; and those that it defers run before the wait. Used to take what another thread has finished
 * by then, which need not wake the loop. Only a handle or a deadline makes the loop wait. */
void loop_defer_to_wait(struct loop *, struct task *);

/* Likewise, but the task runs once the loop has looked for events and found none, and after at most
 * LOOP_LOOKS more turns, or as soon as one begins in another millisecond. Until then the loop does not wait, and does not end. Used to gather what
 * several turns have for another thread, at the price of a look that finds nothing. */
#define LOOP_LOOKS 2
void loop_defer_to_idle(struct loop *, struct task *);

/* A point in time at which `expired` is called, once, from the loop (never from deadline_*()).
 * Embedded in its owner, which must stop it before it is freed. Stopping takes effect at once:
 * `expired` is not called afterwards. */
struct deadline {
    struct loop *loop;
    uint64_t due, order;
    size_t place; /* in the loop's heap, from 1; 0: not set */
    void (*expired)(struct deadline *);
};

void deadline_init(struct deadline *, struct loop *, void (*expired)(struct deadline *));
void deadline_at(struct deadline *, uint64_t due_ms); /* sets or moves it */
void deadline_in(struct deadline *, uint64_t ms);
void deadline_stop(struct deadline *); /* allowed if it is not set */
bool deadline_is_set(const struct deadline *);
