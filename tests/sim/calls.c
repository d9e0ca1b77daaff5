/* The functions of libc by which libuv, c-ares and the daemon reach the kernel. A program's own
 * definition is found before libc's, by the shared libraries too. What concerns none of the
 * simulated descriptors goes on to the real kernel. */
#undef _FORTIFY_SOURCE   /* what it defines is defined here */
#undef _FILE_OFFSET_BITS /* it would give two functions one name */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/sim/disk.h"
#include "tests/sim/exits.h"
#include "tests/sim/kernel.h"
#include "tests/sim/life.h"
#include "tests/sim/queue.h"
#include "tests/sim/threads.h"

static int result(ssize_t n)
{
    if (n >= 0)
        return (int)n;
    errno = (int)-n;
    return -1;
}

static int wrong(int error)
{
    errno = error;
    return -1;
}

typedef long syscall_function(long number, ...);

/* libuv closes descriptors by it. */
long syscall(long number, ...)
{
    static syscall_function *real;
    long a[6];
    va_list arguments;
    va_start(arguments, number);
    for (size_t i = 0; i < COUNT_OF(a); i++)
        a[i] = va_arg(arguments, long);
    va_end(arguments);
    if (number == SYS_close && kernel_socket((int)a[0]))
        return kernel_close((int)a[0]);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ----------------------------------------------------------------- opening and closing */

int socket(int family, int type, int protocol)
{
    if (family != AF_INET && family != AF_INET6)
        return (int)syscall(SYS_socket, family, type, protocol);
    bool is_tcp = (type & 0xf) == SOCK_STREAM;
    int fd = kernel_open(is_tcp ? SOCKET_TCP : SOCKET_UDP);
    if (fd >= 0)
        kernel_socket(fd)->family = family;
    return fd;
}

int pipe2(int fds[2], int flags)
{
    (void)flags;
    static bool had_one;
    fds[0] = kernel_open(SOCKET_PIPE);
    fds[1] = fds[0] < 0 ? -1 : kernel_open(SOCKET_PIPE);
    if (fds[1] < 0) {
        if (fds[0] >= 0)
            kernel_close(fds[0]);
        return wrong(EMFILE);
    }
    struct socket *reads = kernel_socket(fds[0]), *writes = kernel_socket(fds[1]);
    reads->other = writes;
    writes->other = reads;
    writes->writes = true;
    reads->outlives = writes->outlives = !had_one; /* that of libuv's signals */
    had_one = true;
    return 0;
}

int eventfd(unsigned count, int flags)
{
    (void)flags;
    int fd = kernel_open(SOCKET_COUNTER);
    if (fd >= 0)
        kernel_socket(fd)->counter = count;
    return fd;
}

int epoll_create1(int flags)
{
    (void)flags;
    return kernel_open(SOCKET_EPOLL);
}

/* What libuv keeps, to give it up when there is no other descriptor for a client. */
int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int mode = va_arg(arguments, int);
    va_end(arguments);
    if (strcmp(path, "/dev/null") == 0 || strcmp(path, "/") == 0)
        return kernel_open(SOCKET_FREE);
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags)
{
    return open64(path, flags, 0);
}

int close(int fd)
{
    return kernel_socket(fd) ? kernel_close(fd) : (int)syscall(SYS_close, fd);
}

/* --------------------------------------------------------------------------- waiting */

int epoll_ctl(int epoll, int op, int fd, struct epoll_event *e)
{
    struct socket *s = kernel_socket(epoll), *on = kernel_socket(fd);
    if (s == NULL || s->kind != SOCKET_EPOLL)
        return wrong(EBADF);
    if (on == NULL)
        return wrong(fcntl(fd, F_GETFD) < 0 ? EBADF : EPERM);
    struct watched *w = &s->watched[fd - KERNEL_FIRST];
    if ((op == EPOLL_CTL_ADD) == w->is_on)
        return wrong(w->is_on ? EEXIST : ENOENT);
    w->is_on = op != EPOLL_CTL_DEL;
    if (w->is_on) {
        w->events = e->events;
        w->data = e->data;
    }
    return 0;
}

/* libuv waits by epoll_pwait(2); the daemon's look, which never waits, by epoll_wait(2). */
int epoll_pwait(int epoll, struct epoll_event *at, int most, int timeout, const sigset_t *mask)
{
    (void)mask;
    return kernel_wait(kernel_socket(epoll), at, most, timeout, kernel_is_loops(epoll));
}

int epoll_wait(int epoll, struct epoll_event *at, int most, int timeout)
{
    return epoll_pwait(epoll, at, most, timeout, NULL);
}

__attribute__((noinline)) static int poll_all(struct pollfd *at, nfds_t count, int timeout)
{
    int ready = 0;
    if (count == 0 || kernel_socket(at[0].fd) == NULL)
        return (int)syscall(SYS_poll, at, count, timeout);
    CHECK(timeout == 0);
    for (nfds_t i = 0; i < count; i++) {
        uint32_t is = kernel_readiness(kernel_socket(at[i].fd));
        at[i].revents = (short)(is & ((uint32_t)at[i].events | POLLERR | POLLHUP));
        ready += at[i].revents != 0;
    }
    return ready;
}

int poll(struct pollfd *at, nfds_t count, int timeout)
{
    return poll_all(at, count, timeout);
}

/* --------------------------------------------------------------------------- sockets */

static uint16_t port_of(const struct sockaddr *a)
{
    return ntohs(((const struct sockaddr_in *)(const void *)a)->sin_port); /* IPv6 alike */
}

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
    struct socket *s = kernel_socket(fd);
    if (s == NULL)
        return (int)syscall(SYS_connect, fd, to, len);
    if (s->kind == SOCKET_UDP) {
        memcpy(&s->server, to, len < sizeof s->server ? len : sizeof s->server);
        return 0;
    }
    if (to->sa_family != AF_INET)
        return wrong(ENETUNREACH);
    const struct sockaddr_in *four = (const void *)to;
    s->end = net_dial(ntohl(four->sin_addr.s_addr), port_of(to), s->source);
    return wrong(EINPROGRESS);
}

int bind(int fd, const struct sockaddr *to, socklen_t len)
{
    struct socket *s = kernel_socket(fd);
    if (s == NULL)
        return (int)syscall(SYS_bind, fd, to, len);
    s->port = port_of(to);
    if (to->sa_family != AF_INET || s->port)
        return 0;
    uint32_t address = ntohl(((const struct sockaddr_in *)(const void *)to)->sin_addr.s_addr);
    if (!exits_is_ours(address))
        return wrong(EADDRNOTAVAIL);
    s->source = address;
    return 0;
}

int listen(int fd, int backlog)
{
    struct socket *s = kernel_socket(fd);
    if (s == NULL)
        return (int)syscall(SYS_listen, fd, backlog);
    s->kind = SOCKET_LISTEN;
    return 0;
}

static void write_address(uint32_t address, uint16_t port, struct sockaddr *to, socklen_t *len)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(address);
    if (to)
        memcpy(to, &a, *len < sizeof a ? *len : sizeof a);
    if (len)
        *len = sizeof a;
}

static uint16_t client_port(const struct end *e)
{
    return (uint16_t)(20000 + end_number(e) % 40000);
}

int accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
    struct socket *s = kernel_socket(fd);
    if (s == NULL)
        return (int)syscall(SYS_accept4, fd, from, len, flags);
    if (s->backlog_len == 0)
        return wrong(EAGAIN);
    int new = kernel_open(SOCKET_TCP);
    if (new < 0)
        return -1;
    struct end *e = s->backlog[0];
    memmove(s->backlog, s->backlog + 1, --s->backlog_len * sizeof *s->backlog);
    kernel_socket(new)->end = e;
    kernel_socket(new)->port = s->port;
    kernel_socket(new)->family = s->family;
    world_say("connection %u: the daemon accepts it as %d", end_number(e), new);
    return new;
}

static bool is_accepted(const struct socket *s)
{
    return s->port != 0;
}

int getpeername(int fd, struct sockaddr *to, socklen_t *len)
{
    struct socket *s = kernel_socket(fd);
    if (s == NULL)
        return (int)syscall(SYS_getpeername, fd, to, len);
    if (s->end == NULL || !end_is_open(s->end))
        return wrong(ENOTCONN);
    if (is_accepted(s))
        write_address(0x7f000001, client_port(s->end), to, len);
    else
        write_address(end_address(s->end), end_port(s->end), to, len);
    return 0;
}

int getsockname(int fd, struct sockaddr *to, socklen_t *len)
{
    struct socket *s = kernel_socket(fd);
    if (s == NULL)
        return (int)syscall(SYS_getsockname, fd, to, len);
    write_address(0x7f000001, is_accepted(s) ? s->port : (uint16_t)50000, to, len);
    return 0;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    struct socket *s = kernel_socket(fd);
    if (s == NULL)
        return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
    if (level == SOL_SOCKET && name == SO_LINGER)
        s->resets = ((const struct linger *)value)->l_onoff != 0;
    return 0;
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    struct socket *s = kernel_socket(fd);
    if (s == NULL)
        return (int)syscall(SYS_getsockopt, fd, level, name, value, len);
    int n = 0;
    if (level == SOL_SOCKET && name == SO_ERROR)
        n = s->end ? end_take_error(s->end) : 0;
    else if (level == SOL_SOCKET && name == SO_TYPE)
        n = s->kind == SOCKET_UDP ? SOCK_DGRAM : SOCK_STREAM;
    else if (level == SOL_SOCKET && name == SO_PEERCRED)
        return wrong(EINVAL);
    memcpy(value, &n, *len < sizeof n ? *len : sizeof n);
    return 0;
}

int shutdown(int fd, int how)
{
    struct socket *s = kernel_socket(fd);
    if (s == NULL)
        return (int)syscall(SYS_shutdown, fd, how);
    return s->end ? result(end_shutdown(s->end)) : wrong(ENOTCONN);
}

/* ------------------------------------------------------------------ reading and writing */

static ssize_t read_pipe(struct socket *s, char *to, size_t len)
{
    size_t n = len < s->len ? len : s->len;
    if (n == 0)
        return -EAGAIN;
    memcpy(to, s->bytes, n);
    memmove(s->bytes, s->bytes + n, s->len - n);
    s->len -= n;
    return (ssize_t)n;
}

static ssize_t write_pipe(struct socket *s, const char *from, size_t len)
{
    struct socket *to = s->other;
    if (to == NULL)
        return -EPIPE;
    if (PIPE_MOST - to->len < len)
        return -EAGAIN;
    memcpy(to->bytes + to->len, from, len);
    to->len += len;
    return (ssize_t)len;
}

static ssize_t read_socket(struct socket *s, void *to, size_t len, bool peek)
{
    uint64_t count = s->counter;
    switch (s->kind) {
    case SOCKET_TCP: return s->end ? end_receive(s->end, to, len, peek) : -ENOTCONN;
    case SOCKET_PIPE: return read_pipe(s, to, len);
    case SOCKET_UDP: {
        ssize_t n = read_pipe(s, to, len);
        s->len = 0;
        return n;
    }
    case SOCKET_COUNTER:
        if (count == 0)
            return -EAGAIN;
        memcpy(to, &count, sizeof count);
        s->counter = 0;
        return sizeof count;
    default: return -EINVAL;
    }
}

static ssize_t write_tcp(struct end *e, const void *from, size_t len)
{
    queue_sees((struct span){from, len}, e);
    ssize_t n = end_send(e, from, life_writes(LIFE_SOCKET, len));
    life_after_write(LIFE_SOCKET);
    return n;
}

static ssize_t write_socket(int fd, struct socket *s, const void *from, size_t len)
{
    uint64_t more;
    switch (s->kind) {
    case SOCKET_TCP: return s->end ? write_tcp(s->end, from, len) : -EPIPE;
    case SOCKET_PIPE: return write_pipe(s, from, len);
    case SOCKET_UDP:
        if (kernel_datagram_taker())
            kernel_datagram_taker()(fd, from, len);
        return (ssize_t)len;
    case SOCKET_COUNTER:
        memcpy(&more, from, sizeof more);
        s->counter += more;
        return (ssize_t)len;
    default: return -EINVAL;
    }
}

ssize_t read(int fd, void *to, size_t len)
{
    struct socket *s = kernel_socket(fd);
    return s ? result(read_socket(s, to, len, false)) : syscall(SYS_read, fd, to, len);
}

ssize_t write(int fd, const void *from, size_t len)
{
    struct socket *s = kernel_socket(fd);
    return s ? result(write_socket(fd, s, from, len)) : disk_write(fd, from, len);
}

/* Files are only appended to, from one piece, and only so. */
ssize_t pwritev64v2(int fd, const struct iovec *at, int count, off64_t place, int flags)
{
    CHECK(count == 1 && place == -1 && flags == RWF_NOWAIT);
    return disk_write_at_once(fd, at->iov_base, at->iov_len);
}

static ssize_t write_pieces(int fd, struct socket *s, const struct iovec *at, int count)
{
    ssize_t sum = 0;
    for (int i = 0; i < count; i++) {
        if (at[i].iov_len == 0)
            continue;
        ssize_t n = write_socket(fd, s, at[i].iov_base, at[i].iov_len);
        if (n < 0)
            return sum ? sum : n;
        sum += n;
        if ((size_t)n < at[i].iov_len)
            break;
    }
    return sum;
}

ssize_t writev(int fd, const struct iovec *at, int count)
{
    struct socket *s = kernel_socket(fd);
    return s ? result(write_pieces(fd, s, at, count)) : syscall(SYS_writev, fd, at, count);
}

ssize_t readv(int fd, const struct iovec *at, int count)
{
    struct socket *s = kernel_socket(fd);
    if (s == NULL)
        return syscall(SYS_readv, fd, at, count);
    return count ? result(read_socket(s, at[0].iov_base, at[0].iov_len, false)) : 0;
}

static void write_server(const struct socket *s, struct sockaddr *to, socklen_t *len)
{
    socklen_t size =
        s->server.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    memcpy(to, &s->server, *len < size ? *len : size);
    *len = size;
}

ssize_t recvfrom(int fd, void *to, size_t len, int flags, struct sockaddr *from,
                 socklen_t *from_len)
{
    struct socket *s = kernel_socket(fd);
    if (s == NULL)
        return syscall(SYS_recvfrom, fd, to, len, flags, from, from_len);
    if (from && s->kind == SOCKET_UDP)
        write_server(s, from, from_len);
    return result(read_socket(s, to, len, flags & MSG_PEEK));
}

ssize_t recv(int fd, void *to, size_t len, int flags)
{
    return recvfrom(fd, to, len, flags, NULL, NULL);
}

ssize_t sendto(int fd, const void *at, size_t len, int flags, const struct sockaddr *to,
               socklen_t n)
{
    struct socket *s = kernel_socket(fd);
    if (s == NULL)
        return syscall(SYS_sendto, fd, at, len, flags, to, n);
    return result(write_socket(fd, s, at, len));
}

ssize_t send(int fd, const void *at, size_t len, int flags)
{
    return sendto(fd, at, len, flags, NULL, 0);
}

ssize_t __read_chk(int fd, void *to, size_t len, size_t room);
ssize_t __recv_chk(int fd, void *to, size_t len, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *to, size_t len, size_t room, int flags, struct sockaddr *from,
                       socklen_t *from_len);
int __poll_chk(struct pollfd *at, nfds_t count, int timeout, size_t room);

ssize_t __read_chk(int fd, void *to, size_t len, size_t room)
{
    (void)room;
    return read(fd, to, len);
}

ssize_t __recv_chk(int fd, void *to, size_t len, size_t room, int flags)
{
    (void)room;
    return recv(fd, to, len, flags);
}

ssize_t __recvfrom_chk(int fd, void *to, size_t len, size_t room, int flags, struct sockaddr *from,
                       socklen_t *from_len)
{
    (void)room;
    return recvfrom(fd, to, len, flags, from, from_len);
}

int __poll_chk(struct pollfd *at, nfds_t count, int timeout, size_t room)
{
    (void)room;
    return poll(at, count, timeout);
}

/* ------------------------------------------------------------------ descriptors and files */

static void *third(va_list arguments)
{
    return va_arg(arguments, void *);
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = third(arguments);
    va_end(arguments);
    return kernel_socket(fd) ? 0 : (int)syscall(SYS_ioctl, fd, request, argument);
}

static int control(int fd, int command, void *argument)
{
    if (kernel_socket(fd))
        return command == F_GETFL ? O_RDWR | O_NONBLOCK : 0;
    return (int)syscall(SYS_fcntl, fd, command, argument);
}

int fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = third(arguments);
    va_end(arguments);
    return control(fd, command, argument);
}

int fcntl64(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = third(arguments);
    va_end(arguments);
    return control(fd, command, argument);
}

int fdatasync(int fd)
{
    return disk_sync(fd);
}

int fsync(int fd)
{
    return disk_sync(fd);
}
