/* What the daemon and its libraries ask the machine besides sockets: limits, clocks, chance, figures of
 * the process, and the files of the system that c-ares reads. All are the same on every machine. */
#undef _FILE_OFFSET_BITS /* it would give two functions one name */
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/process_figures.h"
#include "tests/sim/kernel.h"

static int limit_of(struct rlimit *l)
{
    l->rlim_cur = l->rlim_max = KERNEL_FIRST + kernel_limit_now();
    return 0;
}

int getrlimit(__rlimit_resource_t what, struct rlimit *l)
{
    (void)what;
    return limit_of(l);
}

int getrlimit64(__rlimit_resource_t what, struct rlimit64 *l)
{
    (void)what;
    return limit_of((struct rlimit *)l);
}

int setrlimit(__rlimit_resource_t what, const struct rlimit *l)
{
    (void)what;
    (void)l;
    return 0;
}

int setrlimit64(__rlimit_resource_t what, const struct rlimit64 *l)
{
    (void)what;
    (void)l;
    return 0;
}

/* ----------------------------------------------------------------------- time and chance */

int clock_gettime(clockid_t id, struct timespec *t)
{
    int64_t us = id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE
                     ? world_wall_us()
                     : (int64_t)world_us() + 1000000000;
    *t = (struct timespec){us / 1000000, us % 1000000 * 1000};
    return 0;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    (void)zone;
    int64_t us = world_wall_us();
    *t = (struct timeval){us / 1000000, us % 1000000};
    return 0;
}

time_t time(time_t *t)
{
    time_t now = world_wall_us() / 1000000;
    if (t)
        *t = now;
    return now;
}

static struct dice *chance(void)
{
    static struct dice dice;
    static bool is_there;
    if (!is_there)
        dice = dice_of("random", 0);
    is_there = true;
    return &dice;
}

uint32_t arc4random(void)
{
    return dice_draw(chance(), UINT32_MAX);
}

void arc4random_buf(void *to, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((unsigned char *)to)[i] = (unsigned char)dice_draw(chance(), 256);
}

ssize_t getrandom(void *to, size_t len, unsigned flags)
{
    (void)flags;
    arc4random_buf(to, len);
    return (ssize_t)len;
}

int rand(void)
{
    return (int)(dice_draw(chance(), UINT32_MAX) >> 1);
}

/* ------------------------------------------------------------- what /stats says of itself */

/* Its length must not depend on the machine. */
void process_figures_read(struct process_figures *f)
{
    *f = (struct process_figures){0};
}

pid_t getpid(void)
{
    return 4242;
}

/* ------------------------------------------------------------------ files */

/* c-ares reads the same everywhere. */
FILE *fopen(const char *restrict path, const char *restrict mode)
{
    typedef FILE *function(const char *, const char *);
    static function *real;
    static char servers[] = "nameserver 10.0.0.53\n", hosts[] = "127.0.0.1 localhost\n";
    if (strcmp(path, "/etc/resolv.conf") == 0)
        return fmemopen(servers, sizeof servers - 1, "r");
    if (strcmp(path, "/etc/hosts") == 0)
        return fmemopen(hosts, sizeof hosts - 1, "r");
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fopen");
    return real(path, mode);
}
