/* The simulated kernel under the daemon: its descriptors, and the functions of libc through which
 * libuv, c-ares and the daemon reach them (calls.c), its threads (threads.c) and its clocks. Real
 * descriptors, below KERNEL_FIRST, are passed on to the real kernel: files are real. One for the
 * process; it exists from the start. */
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "tests/sim/net.h"

#define KERNEL_FIRST 256
#define KERNEL_MOST 512 /* descriptors */

enum socket_kind {
    SOCKET_FREE,
    SOCKET_TCP, /* not connected yet: end is NULL */
    SOCKET_LISTEN,
    SOCKET_UDP,
    SOCKET_PIPE,
    SOCKET_COUNTER, /* eventfd(2) */
    SOCKET_EPOLL
};

#define BACKLOG_MOST 64
#define PIPE_MOST 4096

struct socket {
    enum socket_kind kind;
    int family;
    struct end *end;
    bool resets; /* SO_LINGER with 0 seconds */
    uint16_t port;
    uint32_t source; /* bound to it before it connects; 0: to none */
    struct end *backlog[BACKLOG_MOST];
    size_t backlog_len;
    struct socket *other;           /* of a pipe: the end that writes, or that reads */
    bool writes;                    /* a pipe's */
    bool outlives;                  /* libuv's own, which it opens once in a process */
    struct sockaddr_storage server; /* of a datagram socket */
    char bytes[PIPE_MOST];          /* of a pipe; a datagram */
    size_t len;
    uint64_t counter;
    struct watched *watched; /* of an epoll, by number of the descriptor */
};

struct watched {
    bool is_on;
    uint32_t events;
    epoll_data_t data;
};

void kernel_begin(void);
struct socket *kernel_socket(int fd); /* NULL: it is none of ours */
int kernel_open(enum socket_kind);    /* the lowest number that is free; -1 with EMFILE */
int kernel_close(int fd);
uint32_t kernel_readiness(const struct socket *);

/* How many descriptors the daemon may have: from now on. */
void kernel_limit(unsigned descriptors);
unsigned kernel_limit_now(void);
unsigned kernel_open_count(void);

/* The machine has no further descriptors, but for those that are given back. */
void kernel_press(bool pressed);
void kernel_say_open(void); /* in the trace */

/* The process that had them is gone: all of its descriptors are closed. */
void kernel_bury(void);

/* The daemon has several: is this the one on which its loop waits, which is its first? */
bool kernel_is_loops(int epoll);

/* A client arrives at the port; false: nothing listens there, or its backlog is full. */
bool kernel_offer(uint16_t port, struct end *);

/* A datagram for the socket; false: it is gone. */
bool kernel_deliver(int fd, unsigned generation, const void *data, size_t len);
unsigned kernel_generation(int fd);

/* Waits as epoll_wait(2) does; the world goes on meanwhile. `is_loop`: it is the loop that waits,
 * and not a look at what is unread. */
int kernel_wait(struct socket *epoll, struct epoll_event *, int most, int timeout_ms, bool is_loop);

/* Turns of the loop so far. */
uint64_t kernel_turns(void);

/* Called when the daemon sends a datagram to a name server. */
typedef void datagram_taker(int fd, const char *data, size_t len);
void kernel_take_datagrams(datagram_taker *);
datagram_taker *kernel_datagram_taker(void);
