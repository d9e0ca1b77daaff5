#include "net/stream_uv.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/descriptors.h"
#include "net/address.h"

#define MAGIC 0x73747576
#define KEEPALIVE_S 30
#define UNSENT_MAX (256 * 1024)

/* What libuv is asked to do besides reading: to connect, then to write what the kernel does not
 * accept at once, at last to shut down. One at a time, and for most of a stream's life none, so
 * that an idle connection costs little. */
struct uv_request {
    struct stream_uv *of;
    union {
        uv_connect_t connect;
        uv_write_t write;
        uv_shutdown_t shutdown;
    } uv;
    size_t in_flight; /* bytes of `out` that were passed to uv_write */
    void *connect_owner;
    void (*connected)(void *owner, struct stream *, int status); /* NULL: it was called */
};

/* Bytes that come again when it is resumed. */
struct again {
    struct task give;
    struct stream_uv *stream;
    size_t len;
    char bytes[];
};

struct stream_uv {
    struct stream base;
    unsigned magic;
    int error;
    bool ended, closing, writing, full, shut_wanted, shut, reading;
    bool looked_at;      /* the loop's look includes it */
    uint64_t read_after; /* the last number of that look when something was read */
    struct loop *loop;
    struct buf out; /* bytes that the kernel did not accept at once */
    struct uv_request *request;
    struct task report;  /* reports an error found inside a call */
    struct again *again; /* NULL: none */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv; /* the last member: TCP has no more memory than it needs */
};

static struct stream_uv *self(struct stream *s)
{
    struct stream_uv *u = container_of(s, struct stream_uv, base);
    MAGIC_CHECK(u, MAGIC);
    return u;
}

static struct uv_request *request(struct stream_uv *u)
{
    if (u->request == NULL) {
        u->request = NEW(struct uv_request);
        u->request->of = u;
    }
    return u->request;
}

static void end_request(struct stream_uv *u)
{
    free(u->request);
    u->request = NULL;
}

static void forget_again(struct stream_uv *u)
{
    if (u->again)
        task_forget(&u->again->give);
    free(u->again);
    u->again = NULL;
}

/* ------------------------------------------------------------------- ending */

static void end(struct stream_uv *u, enum stream_end how, const char *why)
{
    if (u->ended || u->closing)
        return;
    u->ended = true;
    if (u->reading)
        uv_read_stop(&u->uv.stream);
    u->reading = false;
    if (u->base.events)
        u->base.events->on_end(u->base.owner, how, why);
}

/* The request stays until libuv has returned it, or the stream is closed. */
static void tell_connected(struct stream_uv *u, int status)
{
    void *owner = u->request->connect_owner;
    void (*connected)(void *, struct stream *, int) = u->request->connected;
    u->request->connected = NULL;
    connected(owner, &u->base, status);
}

static void report_error(struct task *t)
{
    struct stream_uv *u = container_of(t, struct stream_uv, report);
    MAGIC_CHECK(u, MAGIC);
    if (u->request && u->request->connected) {
        tell_connected(u, u->error);
        return;
    }
    end(u, STREAM_RESET, uv_strerror(u->error));
}

static void fail_later(struct stream_uv *u, int error)
{
    u->error = error;
    loop_defer(u->loop, &u->report);
}

static void on_closed(uv_handle_t *handle)
{
    struct stream_uv *u = handle->data;
    MAGIC_CHECK(u, MAGIC);
    buf_clear(&u->out);
    free(u->request); /* libuv has returned it */
    u->magic = 0;
    free(u);
}

static void uv_close_stream(struct stream *s, bool reset)
{
    struct stream_uv *u = self(s);
    if (u->closing)
        return;
    u->closing = true;
    s->events = NULL;
    task_forget(&u->report);
    forget_again(u);
    bool can_reset = reset && u->uv.handle.type == UV_TCP;
    if (!can_reset || uv_tcp_close_reset(&u->uv.tcp, on_closed) != 0)
        uv_close(&u->uv.handle, on_closed);
}

/* ------------------------------------------------------------------ writing */

static void write_queue(struct stream_uv *u);

/* libuv tells of a piece once the kernel has all of it, and may have passed on a part of it, or even
 * the rest, before. After an error its count says nothing. */
static void count_queued(struct stream_uv *u)
{
    if (u->error || u->shut) /* what was lost stays counted */
        return;
    u->base.queued = u->out.size;
    if (u->writing)
        u->base.queued -= u->request->in_flight - uv_stream_get_write_queue_size(&u->uv.stream);
}

static void uv_count(struct stream *s)
{
    count_queued(self(s));
}

/* If the other end is gone, the end of reading will report it. */
static void finish_shutdown(uv_shutdown_t *shutdown, int status)
{
    struct stream_uv *u = container_of(shutdown, struct uv_request, uv.shutdown)->of;
    MAGIC_CHECK(u, MAGIC);
    (void)status;
    end_request(u);
}

/* Nothing is in flight, and nothing can be written any more. */
static void shut_now(struct stream_uv *u)
{
    u->shut_wanted = false;
    if (u->closing || u->shut || (u->ended && u->error))
        return;
    u->shut = true;
    if (uv_shutdown(&request(u)->uv.shutdown, &u->uv.stream, finish_shutdown) != 0)
        end_request(u);
}

static void on_written(uv_write_t *write, int status)
{
    struct stream_uv *u = container_of(write, struct uv_request, uv.write)->of;
    MAGIC_CHECK(u, MAGIC);
    u->writing = false;
    if (u->closing)
        return;
    if (status < 0) {
        u->error = status;
        end(u, STREAM_RESET, uv_strerror(status));
        return;
    }
    buf_consume(&u->out, u->request->in_flight);
    count_queued(u);
    if (u->out.size == 0)
        end_request(u);
    write_queue(u);
    if (u->full && u->base.queued < STREAM_LOW) {
        u->full = false;
        if (u->base.events)
            u->base.events->on_drain(u->base.owner);
    }
}

/* Bytes passed to uv_write count as taken: the kernel may have any of them. */
static void write_queue(struct stream_uv *u)
{
    const char *at;
    size_t len = buf_front(&u->out, &at);
    if (len == 0) {
        if (u->shut_wanted)
            shut_now(u);
        return;
    }
    uv_buf_t piece = uv_buf_init((char *)at, (unsigned)len);
    request(u)->in_flight = len;
    int error = uv_write(&u->request->uv.write, &u->uv.stream, &piece, 1, on_written);
    if (error) {
        fail_later(u, error);
        return;
    }
    u->writing = true;
    u->base.taken += len;
    count_queued(u);
}

static void queue_rest(struct stream_uv *u, const uv_buf_t *pieces, size_t count, size_t skip)
{
    for (size_t i = 0; i < count; i++) {
        size_t gone = skip < pieces[i].len ? skip : pieces[i].len;
        skip -= gone;
        buf_append(&u->out, pieces[i].base + gone, pieces[i].len - gone);
    }
    count_queued(u);
}

/* Bytes that were not sent because of an error stay counted as queued, so that they do not count as
 * sent. */
static bool lose(struct stream_uv *u, const uv_buf_t *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++)
        u->base.queued += pieces[i].len;
    return true;
}

static bool uv_write_stream(struct stream *s, const uv_buf_t *pieces, size_t count)
{
    struct stream_uv *u = self(s);
    size_t taken = 0;
    for (size_t i = 0; i < count; i++)
        s->written += pieces[i].len;
    if (u->closing || u->error || u->shut)
        return lose(u, pieces, count);
    if (u->out.size == 0) {
        int n = uv_try_write(&u->uv.stream, pieces, (unsigned)count);
        if (n < 0 && n != UV_EAGAIN) {
            fail_later(u, n);
            return lose(u, pieces, count);
        }
        taken = n > 0 ? (size_t)n : 0;
        s->taken += taken;
    }
    queue_rest(u, pieces, count, taken);
    if (u->out.size && !u->writing)
        write_queue(u);
    if (u->out.size > STREAM_HIGH)
        u->full = true;
    return !u->full;
}

static void uv_shutdown_stream(struct stream *s)
{
    struct stream_uv *u = self(s);
    if (u->out.size)
        u->shut_wanted = true;
    else
        shut_now(u);
}

/* ------------------------------------------------------------------ reading */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct stream_uv *u = handle->data;
    (void)suggested;
    *buf = uv_buf_init(loop_read_buffer(u->loop), LOOP_READ_SIZE);
}

/* libuv reports a hang-up after a partial read as the end, whether it is FIN or RST. */
static ssize_t true_end(const struct stream_uv *u)
{
    uv_os_fd_t fd;
    int error = 0;
    socklen_t size = sizeof error;
    if (uv_fileno(&u->uv.handle, &fd) == 0)
        (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return error ? uv_translate_sys_error(error) : UV_EOF;
}

static void on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf)
{
    struct stream_uv *u = handle->data;
    MAGIC_CHECK(u, MAGIC);
    u->read_after = look_number(loop_look(u->loop));
    count_queued(u); /* which says nothing any more after an error */
    if (n == UV_EOF)
        n = u->error ? u->error : true_end(u); /* a failed write may have taken SO_ERROR away */
    loop_begin_event(u->loop);
    if (n > 0 && !u->closing && u->base.events)
        u->base.events->on_data(u->base.owner, buf->base, (size_t)n);
    else if (n == UV_EOF)
        end(u, STREAM_EOF, "end of stream");
    else if (n < 0) {
        u->error = (int)n;
        end(u, STREAM_RESET, uv_strerror((int)n));
    }
    loop_end_event(u->loop);
}

static void uv_pause_stream(struct stream *s)
{
    struct stream_uv *u = self(s);
    if (u->reading)
        uv_read_stop(&u->uv.stream);
    u->reading = false;
    if (u->again)
        task_forget(&u->again->give);
}

static void uv_resume_stream(struct stream *s);

/* It reads on from here, so that a pause or a close from inside has its effect. */
static void give_again(struct task *t)
{
    struct again *a = container_of(t, struct again, give);
    struct stream_uv *u = a->stream;
    MAGIC_CHECK(u, MAGIC);
    u->again = NULL;
    uv_resume_stream(&u->base);
    if (u->base.events)
        u->base.events->on_data(u->base.owner, a->bytes, a->len);
    free(a);
}

static void uv_resume_stream(struct stream *s)
{
    struct stream_uv *u = self(s);
    if (u->reading || u->ended || u->closing)
        return;
    if (u->again) {
        loop_defer(u->loop, &u->again->give);
        return;
    }
    int error = uv_read_start(&u->uv.stream, on_alloc, on_read);
    u->reading = error == 0;
    if (error)
        fail_later(u, error);
}

static bool peek_is_quiet(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* What was read since the look may have been followed by more, or by the end. And what the look
 * reports as unread may have been read since. */
static bool uv_is_quiet(struct stream *s, uint64_t within_us)
{
    struct stream_uv *u = self(s);
    struct look *look = loop_look(u->loop);
    int fd = stream_uv_fd(s);
    if (u->again || u->ended || u->closing || u->error || fd < 0)
        return false;
    if (within_us == 0)
        return peek_is_quiet(fd);
    if (!u->looked_at)
        u->looked_at = look_add(look, fd);
    return (u->looked_at &&
            look_is_quiet(look, fd, loop_real_clock_us(), within_us, u->read_after)) ||
           peek_is_quiet(fd);
}

static bool uv_is_broken(struct stream *s)
{
    struct stream_uv *u = self(s);
    struct pollfd p = {.fd = stream_uv_fd(s)};
    if (u->ended || u->closing || u->error || p.fd < 0)
        return true;
    return poll(&p, 1, 0) == 1 && p.revents & (POLLERR | POLLHUP);
}

/* ----------------------------------------------------------------- creating */

static const struct stream_ops ops = {
    .write = uv_write_stream,
    .shutdown = uv_shutdown_stream,
    .pause = uv_pause_stream,
    .resume = uv_resume_stream,
    .is_quiet = uv_is_quiet,
    .is_broken = uv_is_broken,
    .close = uv_close_stream,
    .count = uv_count,
};

static struct stream_uv *create(struct loop *l, bool is_pipe)
{
    size_t size = offsetof(struct stream_uv, uv) + (is_pipe ? sizeof(uv_pipe_t) : sizeof(uv_tcp_t));
    struct stream_uv *u = must_calloc(1, size);
    u->magic = MAGIC;
    u->base.ops = &ops;
    u->loop = l;
    if (is_pipe)
        CHECK(uv_pipe_init(loop_uv(l), &u->uv.pipe, 0) == 0);
    else
        CHECK(uv_tcp_init(loop_uv(l), &u->uv.tcp) == 0);
    u->uv.handle.data = u;
    task_init(&u->report, report_error);
    return u;
}

static void tune(struct stream_uv *u)
{
    uv_tcp_nodelay(&u->uv.tcp, 1);
    uv_tcp_keepalive(&u->uv.tcp, 1, KEEPALIVE_S); /* a tunnel has no other timer */
}

/* Bytes that a slow client has not read yet wait in this process, and through back-pressure at the
 * origin, instead of filling megabytes of the kernel's buffers. */
static void bound_unsent(struct stream_uv *u)
{
    int bytes = UNSENT_MAX;
    setsockopt(stream_uv_fd(&u->base), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

struct stream *stream_uv_accept(struct loop *l, uv_stream_t *listening)
{
    bool is_pipe = listening->type == UV_NAMED_PIPE;
    struct stream_uv *u = create(l, is_pipe);
    if (uv_accept(listening, &u->uv.stream) != 0) {
        uv_close_stream(&u->base, false);
        return NULL;
    }
    if (!is_pipe) {
        tune(u);
        bound_unsent(u);
    }
    return &u->base;
}

static void on_connect(uv_connect_t *connect, int status)
{
    struct stream_uv *u = container_of(connect, struct uv_request, uv.connect)->of;
    MAGIC_CHECK(u, MAGIC);
    if (u->closing)
        return;
    if (status == 0 && u->uv.handle.type == UV_TCP)
        tune(u);
    struct uv_request *r = u->request;
    u->request = NULL; /* the owner may write, or close the stream */
    r->connected(r->connect_owner, &u->base, status);
    free(r);
}

static struct stream_uv *create_to_connect(struct loop *l, bool is_pipe, void *owner,
                                           void (*done)(void *owner, struct stream *, int status))
{
    struct stream_uv *u = create(l, is_pipe);
    request(u)->connect_owner = owner;
    u->request->connected = done;
    return u;
}

static void connect_now(struct stream_uv *u, const struct sockaddr *address)
{
    int error = uv_tcp_connect(&u->request->uv.connect, &u->uv.tcp, address, on_connect);
    if (error == 0 && descriptors_beside(stream_uv_fd(&u->base)) == DESCRIPTORS_GONE)
        error = UV_EMFILE; /* the last descriptors are reserved for other uses */
    if (error)
        fail_later(u, error);
}

struct stream *stream_uv_connect(struct loop *l, const struct sockaddr *address, void *owner,
                                 void (*done)(void *owner, struct stream *, int status))
{
    struct stream_uv *u = create_to_connect(l, false, owner, done);
    connect_now(u, address);
    return &u->base;
}

/* The port is chosen when the destination is known (ip(7)), so that one port serves several. */
static int bind_to(int fd, const struct sockaddr_storage *source)
{
    int one = 1;
    bool is_ipv4 = source->ss_family == AF_INET;
    socklen_t size = is_ipv4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    struct sockaddr_storage from = *source;
    address_set_port(&from, 0);
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    return bind(fd, (struct sockaddr *)&from, size);
}

static int open_at(struct stream_uv *u, const struct sockaddr_storage *source)
{
    int fd = socket(source->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return uv_translate_sys_error(errno);
    int error = bind_to(fd, source) ? uv_translate_sys_error(errno) : 0;
    if (error == 0)
        error = uv_tcp_open(&u->uv.tcp, fd);
    if (error)
        close(fd);
    return error;
}

struct stream *stream_uv_connect_from(struct loop *l, const struct sockaddr_storage *source,
                                      const struct sockaddr *address, void *owner,
                                      void (*done)(void *owner, struct stream *, int status))
{
    struct stream_uv *u = create_to_connect(l, false, owner, done);
    int error = open_at(u, source);
    if (error)
        fail_later(u, error);
    else
        connect_now(u, address);
    return &u->base;
}

struct stream *stream_uv_connect_unix(struct loop *l, const char *path, void *owner,
                                      void (*done)(void *owner, struct stream *, int status))
{
    struct stream_uv *u = create_to_connect(l, true, owner, done);
    uv_pipe_connect(&u->request->uv.connect, &u->uv.pipe, path, on_connect);
    return &u->base;
}

bool stream_uv_peer(const struct stream *s, struct sockaddr_storage *peer)
{
    const struct stream_uv *u = container_of(s, const struct stream_uv, base);
    int len = sizeof *peer;
    return u->uv.handle.type == UV_TCP &&
           uv_tcp_getpeername(&u->uv.tcp, (struct sockaddr *)peer, &len) == 0;
}

bool stream_uv_local(const struct stream *s, struct sockaddr_storage *local)
{
    const struct stream_uv *u = container_of(s, const struct stream_uv, base);
    int len = sizeof *local;
    return u->uv.handle.type == UV_TCP &&
           uv_tcp_getsockname(&u->uv.tcp, (struct sockaddr *)local, &len) == 0;
}

void stream_uv_unread(struct stream *s, const char *data, size_t len)
{
    struct stream_uv *u = self(s);
    CHECK(!u->reading && u->again == NULL);
    if (len == 0)
        return;
    struct again *a = must_calloc(1, sizeof *a + len);
    a->stream = u;
    a->len = len;
    memcpy(a->bytes, data, len);
    task_init(&a->give, give_again);
    u->again = a;
}

int stream_uv_fd(const struct stream *s)
{
    const struct stream_uv *u = container_of(s, const struct stream_uv, base);
    uv_os_fd_t fd;
    return uv_fileno(&u->uv.handle, &fd) == 0 ? fd : -1;
}
