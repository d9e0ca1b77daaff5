#include "net/loop.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"

/* A chain of tasks that defer each other is run to its end at once if it is no longer than this.
 * The rest of a longer chain (a task that keeps deferring itself) continues in the next turn, so
 * that tasks can never stop the loop from turning. */
#define PASSES_MOST 16

/* A reading of all clocks. */
struct reading {
    uint64_t turn_ms, clock_us, asleep_ms;
    struct timespec wall;
};

struct loop {
    uv_loop_t uv;
    uv_timer_t timer;     /* for the earliest deadline */
    uv_prepare_t prepare; /* tasks of timers and of closing handles run here */
    uv_check_t check;     /* tasks of I/O callbacks run here, before the loop waits again */
    uv_idle_t busy;       /* active while tasks are left over, so that the loop does not wait */
    uv_idle_t spin;       /* likewise, while it polls busily */
    uint64_t spin_us;     /* see loop_busy_poll() */
    uint64_t spin_until;  /* loop_clock_us(); 0: nothing was awaited since the last event */
    struct list due;      /* see loop_expect() */
    struct list tasks;
    struct list last;       /* tasks that run when no other is left */
    struct list to_wait;    /* see loop_defer_to_wait() */
    struct list to_idle;    /* see loop_defer_to_idle() */
    uv_idle_t looks;        /* active while there are some, so that the loop does not wait */
    unsigned looks_done;    /* turns since the first of them was deferred, and ... */
    uint64_t looks_since;   /* ... when that was, as uv_now() tells it */
    bool had_tasks;         /* since it last looked for events */
    bool running;           /* tasks */
    bool in_event;          /* see loop_event_us() */
    uint64_t event_us;      /* when it began; 0: nothing has asked yet */
    struct deadline **heap; /* 1-based heap; the earliest is at 1 */
    size_t heap_count, heap_room;
    uint64_t order, armed; /* armed: when the timer fires; 0: it is stopped */
    uint64_t skew;         /* ms by which the clocks were set ahead */
    bool held;             /* the clocks are stopped at `at` plus the skew */
    struct reading at;
    bool seeded; /* the random numbers are a sequence that starts here */
    uint64_t seed;
    uint64_t numbers; /* the last number returned by loop_number() */
    struct log_clock log_clock;
    struct look *look;
    char read_buffer[LOOP_READ_SIZE];
};

/* -------------------------------------------------------------------- tasks */

void loop_begin_event(struct loop *l)
{
    l->in_event = true;
    l->event_us = 0;
}

void loop_end_event(struct loop *l)
{
    l->in_event = false;
}

/* Runs the tasks on this list; tasks that these defer are appended to it, but are not run. */
static void run_pass(struct loop *l, struct list *tasks)
{
    struct link end = {0}, *first;
    list_push_back(tasks, &end);
    while ((first = list_first(tasks)) != &end) {
        list_remove(first);
        struct task *t = container_of(first, struct task, link);
        loop_begin_event(l);
        t->run(t);
    }
    loop_end_event(l);
    list_remove(&end);
}

static void on_busy(uv_idle_t *handle)
{
    (void)handle; /* being active is its only purpose */
}

static bool has_tasks(const struct loop *l)
{
    return l->tasks.count || l->last.count;
}

/* The tasks on `last` run before the turn ends, even if a chain of other tasks is interrupted. */
static void run_tasks(struct loop *l)
{
    CHECK(!l->running);
    l->running = true;
    for (int pass = 0; pass < PASSES_MOST && has_tasks(l); pass++)
        run_pass(l, l->tasks.count ? &l->tasks : &l->last);
    run_pass(l, &l->last);
    l->running = false;
    if (has_tasks(l))
        uv_idle_start(&l->busy, on_busy);
    else if (uv_is_active((uv_handle_t *)&l->busy))
        uv_idle_stop(&l->busy);
}

/* --------------------------------------------------------------- busy polling */

/* Called before the loop waits. An active idle handle makes it look for events without waiting.
 * The real clock, even if that of the loop is held: what is bounded is the processor's time. */
static void spin(struct loop *l)
{
    uint64_t now = loop_real_clock_us();
    if (l->due.count && l->spin_until == 0)
        l->spin_until = now + l->spin_us;
    if (l->due.count && now < l->spin_until)
        uv_idle_start(&l->spin, on_busy);
    else
        uv_idle_stop(&l->spin);
}

void loop_busy_poll(struct loop *l, uint64_t us)
{
    l->spin_us = us;
    l->spin_until = 0;
    uv_idle_stop(&l->spin);
}

void loop_expect(struct loop *l, struct link *due)
{
    if (due->on == NULL)
        list_push_back(&l->due, due);
}

void loop_received(struct link *due)
{
    list_remove(due);
}

static void run_all(struct loop *l)
{
    while (has_tasks(l))
        run_pass(l, l->tasks.count ? &l->tasks : &l->last);
}

/* Whatever happens to a request has tasks. */
static void end_phase(struct loop *l)
{
    if (has_tasks(l)) {
        l->spin_until = 0;
        l->had_tasks = true;
    }
    run_tasks(l);
}

/* A look that found nothing left no tasks. Where turns are long none is waited for. */
static void look_again_or_run(struct loop *l)
{
    bool is_new = uv_now(&l->uv) == l->looks_since;
    if (l->to_idle.count && l->had_tasks && is_new && l->looks_done++ < LOOP_LOOKS)
        return;
    uv_idle_stop(&l->looks);
    run_pass(l, &l->to_idle);
    end_phase(l);
}

/* What such a task defers may in turn give another thread something. */
static void run_before_wait(struct loop *l)
{
    for (int pass = 0; pass < PASSES_MOST && l->to_wait.count; pass++) {
        run_pass(l, &l->to_wait);
        end_phase(l);
    }
    if (l->to_wait.count)
        uv_idle_start(&l->busy, on_busy);
}

static void on_prepare(uv_prepare_t *handle)
{
    struct loop *l = handle->data;
    end_phase(l);
    if (uv_is_active((uv_handle_t *)&l->looks))
        look_again_or_run(l);
    if (l->to_wait.count)
        run_before_wait(l);
    l->had_tasks = false;
    if (l->spin_us)
        spin(l);
}

static void on_check(uv_check_t *handle)
{
    end_phase(handle->data);
}

void task_init(struct task *t, void (*run)(struct task *))
{
    *t = (struct task){.run = run};
}

void loop_defer(struct loop *l, struct task *t)
{
    if (t->link.on == NULL)
        list_push_back(&l->tasks, &t->link);
}

void loop_defer_last(struct loop *l, struct task *t)
{
    if (t->link.on == NULL)
        list_push_back(&l->last, &t->link);
}

void loop_defer_to_wait(struct loop *l, struct task *t)
{
    if (t->link.on == NULL)
        list_push_back(&l->to_wait, &t->link);
}

void loop_defer_to_idle(struct loop *l, struct task *t)
{
    if (t->link.on)
        return;
    list_push_back(&l->to_idle, &t->link);
    if (uv_is_active((uv_handle_t *)&l->looks))
        return;
    l->looks_done = 0;
    l->looks_since = uv_now(&l->uv);
    uv_idle_start(&l->looks, on_busy);
}

void task_forget(struct task *t)
{
    list_remove(&t->link);
}

/* ---------------------------------------------------------------- deadlines */

static bool sooner(const struct deadline *a, const struct deadline *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void put(struct loop *l, size_t place, struct deadline *d)
{
    l->heap[place] = d;
    d->place = place;
}

static void sift_up(struct loop *l, struct deadline *d, size_t place)
{
    for (; place > 1 && sooner(d, l->heap[place / 2]); place /= 2)
        put(l, place, l->heap[place / 2]);
    put(l, place, d);
}

static void sift_down(struct loop *l, struct deadline *d, size_t place)
{
    for (size_t child; (child = place * 2) <= l->heap_count; place = child) {
        if (child < l->heap_count && sooner(l->heap[child + 1], l->heap[child]))
            child++;
        if (!sooner(l->heap[child], d))
            break;
        put(l, place, l->heap[child]);
    }
    put(l, place, d);
}

static void heap_remove(struct loop *l, struct deadline *d)
{
    struct deadline *last = l->heap[l->heap_count--];
    size_t place = d->place;
    d->place = 0;
    if (last == d)
        return;
    if (place > 1 && sooner(last, l->heap[place / 2]))
        sift_up(l, last, place);
    else
        sift_down(l, last, place);
}

static void on_timer(uv_timer_t *handle);

/* The timer is moved only when it would fire too late: most deadlines are stopped long before they
 * expire, and an unnecessary turn costs less than moving the timer each time. */
static void arm(struct loop *l)
{
    if (l->heap_count == 0) {
        if (l->armed)
            uv_timer_stop(&l->timer);
        l->armed = 0;
        return;
    }
    uint64_t due = l->heap[1]->due, now = loop_now(l);
    if (l->armed && l->armed <= due)
        return;
    uv_timer_start(&l->timer, on_timer, due > now ? due - now : 0, 0);
    l->armed = due ? due : 1;
}

static void run_deadlines(struct loop *l)
{
    uint64_t now = loop_now(l), last = l->order;
    while (l->heap_count && l->heap[1]->due <= now && l->heap[1]->order <= last) {
        struct deadline *d = l->heap[1];
        heap_remove(l, d);
        d->expired(d);
    }
    l->armed = 0;
    uv_timer_stop(&l->timer);
    arm(l);
}

static void on_timer(uv_timer_t *handle)
{
    run_deadlines(handle->data);
}

void deadline_init(struct deadline *d, struct loop *l, void (*expired)(struct deadline *))
{
    *d = (struct deadline){.loop = l, .expired = expired};
}

void deadline_at(struct deadline *d, uint64_t due_ms)
{
    struct loop *l = d->loop;
    if (d->place)
        heap_remove(l, d);
    d->due = due_ms;
    d->order = ++l->order;
    if (++l->heap_count >= l->heap_room) {
        l->heap_room = l->heap_room ? l->heap_room * 2 : 64;
        l->heap = must_realloc(l->heap, l->heap_room * sizeof(struct deadline *));
    }
    sift_up(l, d, l->heap_count);
    arm(l);
}

void deadline_in(struct deadline *d, uint64_t ms)
{
    uint64_t now = loop_now(d->loop);
    deadline_at(d, ms > UINT64_MAX - now ? UINT64_MAX : now + ms);
}

void deadline_stop(struct deadline *d)
{
    if (d->place == 0)
        return;
    heap_remove(d->loop, d);
    if (d->loop->heap_count == 0)
        arm(d->loop);
}

bool deadline_is_set(const struct deadline *d)
{
    return d->place != 0;
}

/* ---------------------------------------------------------- time, randomness */

static struct timespec read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t;
}

static uint64_t in_ms(struct timespec t)
{
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* How long the machine has been suspended since it was booted. */
static uint64_t asleep_ms(void)
{
    uint64_t awake = in_ms(read_clock(CLOCK_MONOTONIC)), all = in_ms(read_clock(CLOCK_BOOTTIME));
    return all > awake ? all - awake : 0;
}

uint64_t loop_now(const struct loop *l)
{
    return (l->held ? l->at.turn_ms : uv_now(&l->uv)) + l->skew;
}

uint64_t loop_age_clock(const struct loop *l)
{
    return loop_now(l) + (l->held ? l->at.asleep_ms : asleep_ms());
}

uint64_t loop_clock_us(const struct loop *l)
{
    return (l->held ? l->at.clock_us : uv_hrtime() / 1000) + l->skew * 1000;
}

uint64_t loop_event_us(struct loop *l)
{
    if (!l->in_event)
        return loop_clock_us(l);
    if (l->event_us == 0)
        l->event_us = loop_clock_us(l);
    return l->event_us;
}

uint64_t loop_real_clock_us(void)
{
    return uv_hrtime() / 1000;
}

struct timespec loop_wall(const struct loop *l)
{
    struct timespec t = l->held ? l->at.wall : read_clock(CLOCK_REALTIME);
    t.tv_sec += (time_t)(l->skew / 1000);
    t.tv_nsec += (long)(l->skew % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

int64_t loop_wall_s(const struct loop *l)
{
    return loop_wall(l).tv_sec;
}

static struct timespec log_wall(void *loop)
{
    return loop_wall(loop);
}

static uint64_t log_ms(void *loop)
{
    return loop_clock_us(loop) / 1000;
}

/* splitmix64: any seed will do, even 0. */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t x = *seed += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint32_t loop_random(struct loop *l)
{
    return l->seeded ? (uint32_t)(next_random(&l->seed) >> 32) : arc4random();
}

uint64_t loop_number(struct loop *l)
{
    return ++l->numbers;
}

void loop_seed(struct loop *l, uint64_t seed)
{
    l->seeded = true;
    l->seed = seed;
}

/* --------------------------------------------------------------------- loop */

struct loop *loop_new(void)
{
    struct loop *l = NEW(struct loop);
    arena_keep_blocks();
    buf_keep_chunks();
    list_init(&l->tasks);
    list_init(&l->last);
    list_init(&l->to_wait);
    list_init(&l->to_idle);
    list_init(&l->due);
    CHECK(uv_loop_init(&l->uv) == 0);
    uv_timer_init(&l->uv, &l->timer);
    uv_prepare_init(&l->uv, &l->prepare);
    uv_check_init(&l->uv, &l->check);
    uv_idle_init(&l->uv, &l->busy);
    uv_idle_init(&l->uv, &l->spin);
    uv_idle_init(&l->uv, &l->looks);
    uv_unref((uv_handle_t *)&l->spin);
    l->timer.data = l->prepare.data = l->check.data = l;
    uv_prepare_start(&l->prepare, on_prepare);
    uv_check_start(&l->check, on_check);
    uv_unref((uv_handle_t *)&l->prepare);
    uv_unref((uv_handle_t *)&l->check);
    l->look = look_new();
    l->log_clock = (struct log_clock){l, log_wall, log_ms};
    log_use_clock(&l->log_clock);
    return l;
}

void loop_free(struct loop *l)
{
    run_all(l);
    uv_close((uv_handle_t *)&l->busy, NULL);
    uv_close((uv_handle_t *)&l->spin, NULL);
    uv_close((uv_handle_t *)&l->looks, NULL);
    uv_close((uv_handle_t *)&l->timer, NULL);
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->check, NULL);
    do {
        uv_run(&l->uv, UV_RUN_DEFAULT);
        run_all(l);
    } while (uv_loop_alive(&l->uv));
    CHECK(uv_loop_close(&l->uv) == 0);
    log_forget_clock(&l->log_clock);
    look_free(l->look);
    free(l->heap);
    free(l);
}

uv_loop_t *loop_uv(struct loop *l)
{
    return &l->uv;
}

void loop_run(struct loop *l)
{
    do {
        run_tasks(l);
        if (uv_run(&l->uv, UV_RUN_DEFAULT))
            break; /* stopped */
    } while (has_tasks(l) || uv_loop_alive(&l->uv));
}

void loop_turn(struct loop *l, bool wait)
{
    run_tasks(l);
    uv_run(&l->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    run_tasks(l);
}

void loop_stop(struct loop *l)
{
    uv_stop(&l->uv);
}

struct look *loop_look(struct loop *l)
{
    return l->look;
}

char *loop_read_buffer(struct loop *l)
{
    return l->read_buffer;
}

void loop_skip(struct loop *l, uint64_t ms)
{
    uv_update_time(&l->uv);
    l->skew += ms;
    run_deadlines(l);
    run_tasks(l);
}

void loop_hold(struct loop *l)
{
    l->at = (struct reading){uv_now(&l->uv), uv_hrtime() / 1000, asleep_ms(),
                             read_clock(CLOCK_REALTIME)};
    l->held = true;
}
