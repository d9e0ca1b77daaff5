#include "tests/sim/threads.h"

#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <uv.h>

#include "base/alloc.h"

#define STACK_SIZE (256 * 1024)
#define THREADS_MOST 64

struct thread {
    ucontext_t context;
    void (*entry)(void *);
    void *arg;
    const uv_cond_t *waits_for;
    bool ended, due; /* due: an event will run it */
};

static struct thread *threads[THREADS_MOST];
static size_t thread_count;
static struct thread *current; /* NULL: the main thread */
static ucontext_t main_context;
static const uv_cond_t *main_waits_for;
static void (*on_abandon)(void), (*leave_now)(void);
static struct dice dice;
static bool has_dice;

static uint64_t draw_wake_up(void)
{
    if (!has_dice)
        dice = dice_of("threads", 0);
    has_dice = true;
    return dice_chance(&dice, 10) ? dice_between(&dice, 100, 5000) : dice_between(&dice, 2, 60);
}

bool threads_on_main(void)
{
    return current == NULL;
}

void threads_on_abandon(void (*leave)(void))
{
    on_abandon = leave;
}

/* From the main thread or from another: the process ends here. */
_Noreturn void threads_abandon(void)
{
    on_abandon();
    abort();
}

static void run(struct thread *t)
{
    CHECK(current == NULL && !t->ended);
    current = t;
    swapcontext(&main_context, &t->context);
    current = NULL;
    if (leave_now) {
        void (*leave)(void) = leave_now;
        leave_now = NULL;
        leave();
    }
}

static void run_due(void *owner)
{
    struct thread *t = owner;
    t->due = false;
    if (!t->ended)
        run(t);
}

static void wake_in(struct thread *t, uint64_t us)
{
    if (t->due)
        return;
    t->due = true;
    world_in(us, run_due, t);
}

static void leave_thread(void)
{
    struct thread *t = current;
    swapcontext(&t->context, &main_context);
}

static void begin_thread(void)
{
    struct thread *t = current;
    t->entry(t->arg);
    t->ended = true;
    leave_thread();
    abort();
}

_Noreturn void threads_forget(void (*leave)(void))
{
    for (size_t i = 0; i < thread_count; i++)
        threads[i]->ended = true;
    main_waits_for = NULL;
    leave_now = current ? leave : NULL;
    if (current)
        leave_thread();
    leave();
    abort();
}

void threads_sleep(uint64_t us)
{
    if (current == NULL) {
        world_pass(us);
        return;
    }
    wake_in(current, us);
    leave_thread();
}

/* ------------------------------------------------------- in the place of libuv's functions */

int uv_thread_create(uv_thread_t *id, void (*entry)(void *), void *arg)
{
    CHECK(thread_count < THREADS_MOST);
    struct thread *t = NEW(struct thread);
    getcontext(&t->context);
    t->context.uc_stack.ss_sp = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(t->context.uc_stack.ss_sp != MAP_FAILED);
    t->context.uc_stack.ss_size = STACK_SIZE;
    t->entry = entry;
    t->arg = arg;
    makecontext(&t->context, begin_thread, 0);
    threads[thread_count++] = t;
    *id = (uv_thread_t)thread_count;
    wake_in(t, draw_wake_up());
    return 0;
}

static void let_world_go_on(void)
{
    if (world_next_us() == UINT64_MAX)
        world_fault("asleep", "the loop waits for a thread that nothing wakes");
    if (world_failed())
        threads_abandon();
    world_step();
}

int uv_thread_join(uv_thread_t *id)
{
    struct thread *t = threads[*id - 1];
    while (!t->ended)
        let_world_go_on();
    munmap(t->context.uc_stack.ss_sp, STACK_SIZE);
    return 0;
}

int uv_mutex_init(uv_mutex_t *m)
{
    memset(m, 0, sizeof *m);
    return 0;
}

void uv_mutex_destroy(uv_mutex_t *m)
{
    (void)m;
}

/* Its memory holds one number: whether it is taken. A thread may sleep while it has one. */
void uv_mutex_lock(uv_mutex_t *m)
{
    int *taken = (int *)m;
    while (*taken) {
        if (current)
            threads_sleep(10);
        else
            let_world_go_on();
    }
    *taken = 1;
}

void uv_mutex_unlock(uv_mutex_t *m)
{
    *(int *)m = 0;
}

int uv_cond_init(uv_cond_t *c)
{
    memset(c, 0, sizeof *c);
    return 0;
}

void uv_cond_destroy(uv_cond_t *c)
{
    (void)c;
}

void uv_cond_signal(uv_cond_t *c)
{
    if (main_waits_for == c) {
        main_waits_for = NULL;
        return;
    }
    for (size_t i = 0; i < thread_count; i++) {
        if (threads[i]->ended || threads[i]->waits_for != c)
            continue;
        threads[i]->waits_for = NULL;
        wake_in(threads[i], draw_wake_up());
        return;
    }
}

void uv_cond_wait(uv_cond_t *c, uv_mutex_t *m)
{
    uv_mutex_unlock(m);
    if (current) {
        current->waits_for = c;
        leave_thread();
    } else {
        main_waits_for = c;
        while (main_waits_for)
            let_world_go_on();
    }
    uv_mutex_lock(m);
}

/* Only the main thread waits so. */
int uv_cond_timedwait(uv_cond_t *c, uv_mutex_t *m, uint64_t timeout_ns)
{
    uint64_t until = world_us() + timeout_ns / 1000;
    CHECK(current == NULL);
    uv_mutex_unlock(m);
    main_waits_for = c;
    while (main_waits_for && world_next_us() <= until)
        let_world_go_on();
    bool is_late = main_waits_for != NULL;
    if (is_late && until > world_us())
        world_pass(until - world_us());
    main_waits_for = NULL;
    uv_mutex_lock(m);
    return is_late ? UV_ETIMEDOUT : 0;
}
