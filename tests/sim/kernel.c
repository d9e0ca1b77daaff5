#include "tests/sim/kernel.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/sim/threads.h"

/* A loop that turns so often without anything having happened spins. */
#define TURNS_IDLE 3000
#define TURNS_PER_EVENT 40

static struct socket *sockets[KERNEL_MOST];
static unsigned generations[KERNEL_MOST];
static unsigned limit = KERNEL_MOST, open_count, most_open = KERNEL_MOST;
static int loops = -1; /* see kernel_is_loops() */
static uint64_t turns;
static datagram_taker *taker;
static struct dice dice;

void kernel_begin(void)
{
    dice = dice_of("kernel", 0);
}

struct socket *kernel_socket(int fd)
{
    return fd >= KERNEL_FIRST && fd < KERNEL_FIRST + KERNEL_MOST ? sockets[fd - KERNEL_FIRST]
                                                                 : NULL;
}

int kernel_open(enum socket_kind kind)
{
    unsigned i = 0;
    while (i < limit && sockets[i])
        i++;
    if (i >= limit || open_count >= most_open) {
        errno = i >= limit ? EMFILE : ENFILE;
        return -1;
    }
    struct socket *s = NEW(struct socket);
    s->kind = kind;
    if (kind == SOCKET_EPOLL)
        s->watched = must_calloc(KERNEL_MOST, sizeof *s->watched);
    sockets[i] = s;
    generations[i]++;
    open_count++;
    return KERNEL_FIRST + (int)i;
}

static void forget(size_t place)
{
    for (size_t i = 0; i < KERNEL_MOST; i++)
        if (sockets[i] && sockets[i]->kind == SOCKET_EPOLL)
            sockets[i]->watched[place].is_on = false;
}

int kernel_close(int fd)
{
    struct socket *s = kernel_socket(fd);
    if (s == NULL) {
        errno = EBADF;
        world_fault("descriptor", "descriptor %d was closed twice", fd);
        return -1;
    }
    forget((size_t)(fd - KERNEL_FIRST));
    if (s->end)
        end_close(s->end, s->resets);
    for (size_t i = 0; i < s->backlog_len; i++)
        end_close(s->backlog[i], true);
    if (s->other)
        s->other->other = NULL;
    sockets[fd - KERNEL_FIRST] = NULL;
    open_count--;
    free(s->watched);
    free(s);
    return 0;
}

void kernel_limit(unsigned descriptors)
{
    limit = descriptors < KERNEL_MOST ? descriptors : KERNEL_MOST;
}

void kernel_press(bool pressed)
{
    most_open = pressed ? open_count : KERNEL_MOST;
}

unsigned kernel_limit_now(void)
{
    return limit;
}

unsigned kernel_open_count(void)
{
    return open_count;
}

void kernel_say_open(void)
{
    static const char *const words[] = {"free", "TCP",     "listener", "UDP",
                                        "pipe", "eventfd", "epoll"};
    for (int i = 0; i < KERNEL_MOST; i++)
        if (sockets[i] && !sockets[i]->outlives)
            world_say("open: %d, %s", KERNEL_FIRST + i, words[sockets[i]->kind]);
}

void kernel_bury(void)
{
    loops = -1;
    for (int i = 0; i < KERNEL_MOST; i++)
        if (sockets[i] && !sockets[i]->outlives)
            kernel_close(KERNEL_FIRST + i);
}

bool kernel_is_loops(int epoll)
{
    if (loops < 0)
        loops = epoll;
    return epoll == loops;
}

bool kernel_offer(uint16_t port, struct end *e)
{
    for (size_t i = 0; i < KERNEL_MOST; i++) {
        struct socket *s = sockets[i];
        if (s == NULL || s->kind != SOCKET_LISTEN || s->port != port)
            continue;
        if (s->backlog_len == BACKLOG_MOST)
            return false;
        s->backlog[s->backlog_len++] = e;
        return true;
    }
    return false;
}

unsigned kernel_generation(int fd)
{
    return generations[fd - KERNEL_FIRST];
}

bool kernel_deliver(int fd, unsigned generation, const void *data, size_t len)
{
    struct socket *s = kernel_socket(fd);
    if (s == NULL || generations[fd - KERNEL_FIRST] != generation || s->len)
        return false;
    memcpy(s->bytes, data, len);
    s->len = len;
    return true;
}

void kernel_take_datagrams(datagram_taker *t)
{
    taker = t;
}

datagram_taker *kernel_datagram_taker(void)
{
    return taker;
}

uint32_t kernel_readiness(const struct socket *s)
{
    switch (s->kind) {
    case SOCKET_TCP: return s->end ? end_readiness(s->end) : EPOLLOUT | EPOLLHUP;
    case SOCKET_LISTEN: return s->backlog_len ? EPOLLIN : 0;
    case SOCKET_UDP: return EPOLLOUT | (s->len ? EPOLLIN : 0);
    case SOCKET_PIPE:
        if (s->writes)
            return s->other && s->other->len < PIPE_MOST ? EPOLLOUT : 0;
        return s->len ? EPOLLIN : 0;
    case SOCKET_COUNTER: return EPOLLOUT | (s->counter ? EPOLLIN : 0);
    case SOCKET_EPOLL:
    case SOCKET_FREE: break;
    }
    return 0;
}

/* ---------------------------------------------------------------------------- waiting */

uint64_t kernel_turns(void)
{
    return turns;
}

static int collect(const struct socket *epoll, struct epoll_event *at, int most)
{
    int n = 0;
    for (size_t i = 0; i < KERNEL_MOST && n < most; i++) {
        const struct watched *w = &epoll->watched[i];
        if (!w->is_on || sockets[i] == NULL)
            continue;
        uint32_t is = kernel_readiness(sockets[i]) & (w->events | EPOLLERR | EPOLLHUP);
        if (is)
            at[n++] = (struct epoll_event){.events = is, .data = w->data};
    }
    return n;
}

static void shuffle(struct epoll_event *at, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int j = (int)dice_draw(&dice, (uint32_t)i + 1);
        struct epoll_event kept = at[i];
        at[i] = at[j];
        at[j] = kept;
    }
}

/* What the turn before cost: some microseconds, rarely as long as a busy machine takes. */
static void pass_turn(void)
{
    turns++;
    uint64_t allowed = TURNS_IDLE + world_us() / 1000 + TURNS_PER_EVENT * world_events();
    if (turns > allowed)
        world_fault("spin", "%llu turns of the loop for %llu events", (unsigned long long)turns,
                    (unsigned long long)world_events());
    world_pass(1 + dice_draw(&dice, 20));
    if (dice_draw(&dice, 200) == 0)
        world_pass(dice_draw(&dice, 4000));
}

static void run_due(void)
{
    while (world_next_us() <= world_us() && !world_failed())
        world_step();
}

int kernel_wait(struct socket *epoll, struct epoll_event *at, int most, int timeout_ms,
                bool is_loop)
{
    if (!is_loop)
        return collect(epoll, at, most);
    pass_turn();
    uint64_t until = timeout_ms < 0 ? UINT64_MAX : world_us() + (uint64_t)timeout_ms * 1000;
    run_due();
    for (;;) {
        int n = collect(epoll, at, most);
        shuffle(at, n);
        if (n || world_us() >= until || world_failed()) {
            if (world_failed())
                threads_abandon();
            return n;
        }
        uint64_t next = world_next_us();
        if (next == UINT64_MAX && until == UINT64_MAX) {
            world_fault("asleep", "the daemon waits for nothing that could ever happen");
            continue;
        }
        if (next > until) {
            world_pass(until - world_us());
            return 0;
        }
        world_step();
        run_due();
    }
}
