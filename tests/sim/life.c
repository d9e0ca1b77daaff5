#include "tests/sim/life.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include "base/alloc.h"
#include "daemon/daemon.h"
#include "tests/sim/disk.h"
#include "tests/sim/kernel.h"
#include "tests/sim/threads.h"

#define SIGNALS_MOST 16

static struct {
    unsigned number;
    bool is_on, has_ended, with_power;
    int status;
    jmp_buf back;
    bool is_ours[KERNEL_FIRST]; /* real descriptors that are not the daemon's */
    uv_signal_t *signals[SIGNALS_MOST];
    uint64_t pause_us, began_us;
    void (*told)(bool with_power);
} life;

/* At which writes it is killed. */
static struct {
    bool is_set, is_now, with_power;
    unsigned left;
} at_write[LIFE_WRITES];

/* ------------------------------------------------------------------------- its signals */

/* libuv keeps its list of handles in the process, where a dead daemon's would stay. */
int uv_signal_start(uv_signal_t *handle, uv_signal_cb call, int number)
{
    typedef int function(uv_signal_t *, uv_signal_cb, int);
    static function *real;
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "uv_signal_start");
    for (size_t i = 0; i < SIGNALS_MOST; i++)
        if (life.signals[i] == NULL || life.signals[i] == handle) {
            life.signals[i] = handle;
            return real(handle, call, number);
        }
    CHECK(false); /* SIGNALS_MOST is too few */
    return UV_ENOMEM;
}

void uv_close(uv_handle_t *handle, uv_close_cb call)
{
    typedef void function(uv_handle_t *, uv_close_cb);
    static function *real;
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "uv_close");
    for (size_t i = 0; i < SIGNALS_MOST; i++)
        if ((uv_handle_t *)life.signals[i] == handle)
            life.signals[i] = NULL;
    real(handle, call);
}

bool life_hears(int number)
{
    for (size_t i = 0; life.is_on && i < SIGNALS_MOST; i++)
        if (life.signals[i] && life.signals[i]->signum == number)
            return true;
    return false;
}

/* -------------------------------------------------------------------------- its death */

static void note_real_descriptors(void)
{
    for (int fd = 0; fd < KERNEL_FIRST; fd++)
        life.is_ours[fd] = syscall(SYS_fcntl, fd, F_GETFD) >= 0;
}

/* What Linux does when a process has gone. */
static void bury(void)
{
    for (size_t i = 0; i < SIGNALS_MOST; i++) {
        if (life.signals[i])
            uv_signal_stop(life.signals[i]);
        life.signals[i] = NULL;
    }
    for (int fd = 0; fd < KERNEL_FIRST; fd++)
        if (!life.is_ours[fd] && syscall(SYS_fcntl, fd, F_GETFD) >= 0)
            syscall(SYS_close, fd);
    kernel_bury();
    if (life.with_power)
        disk_lose();
}

static void let_world_go_on(void)
{
    uint64_t until = world_us() + life.pause_us;
    while (world_next_us() <= until && !world_failed())
        world_step();
    if (until > world_us())
        world_pass(until - world_us());
}

static void go_back(void)
{
    longjmp(life.back, 1);
}

void life_kill(bool with_power)
{
    if (!life.is_on)
        return;
    world_say("script: the daemon is killed%s", with_power ? ", with the machine" : "");
    life.is_on = false;
    life.with_power = with_power;
    threads_forget(go_back);
}

static void live(const char *config)
{
    life.number++;
    life.is_on = true;
    life.began_us = world_us();
    if (setjmp(life.back) == 0) {
        life.status = daemon_run(config, false, false);
        life.is_on = false;
        life.has_ended = true;
        return;
    }
    bury();
    if (life.told)
        life.told(life.with_power);
    let_world_go_on();
    if (world_failed())
        threads_abandon();
    world_say("script: the daemon starts again");
}

int life_run(const char *config)
{
    note_real_descriptors();
    while (!life.has_ended)
        live(config);
    return life.status;
}

uint64_t life_began_us(void)
{
    return life.began_us;
}

unsigned life_number(void)
{
    return life.number;
}

bool life_is_on(void)
{
    return life.is_on;
}

void life_pause(uint64_t us)
{
    life.pause_us = us;
}

void life_on_death(void (*told)(bool with_power))
{
    life.told = told;
}

/* -------------------------------------------------------------------------- at a write */

void life_kill_at(enum life_write kind, unsigned writes, bool with_power)
{
    at_write[kind].is_set = true;
    at_write[kind].left = writes;
    at_write[kind].with_power = with_power;
}

static struct dice *chance(void)
{
    static struct dice dice;
    static bool is_there;
    if (!is_there)
        dice = dice_of("last write", 0);
    is_there = true;
    return &dice;
}

size_t life_writes(enum life_write kind, size_t len)
{
    if (!life.is_on || !at_write[kind].is_set || at_write[kind].left-- > 0)
        return len;
    at_write[kind].is_set = false;
    at_write[kind].is_now = world_takes("a kill at a write");
    return at_write[kind].is_now ? dice_draw(chance(), (uint32_t)len + 1) : len;
}

void life_after_write(enum life_write kind)
{
    if (!at_write[kind].is_now)
        return;
    at_write[kind].is_now = false;
    life_kill(at_write[kind].with_power);
}
