/* Streams over real sockets, TCP and unix. The peer is a plain descriptor, from which the test
 * reads and to which it writes when it wants to. */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "net/stream_uv.h"
#include "stopwatch.h"
#include "suite.h"
#include "until.h"

enum { TCP, UNIX, KINDS };

static struct loop *loop;
static struct stream *stream;
static struct text got;
static unsigned ends, drains, connects;
static enum stream_end end_how;
static int connect_status;
static int listener, peer;
static struct sockaddr_storage address;
static socklen_t address_len;
static char path[80];
static enum {
    STAY,
    CLOSE_IN_DATA,
    CLOSE_IN_END,
    CLOSE_IN_DRAIN,
    CLOSE_IN_CONNECT,
    PAUSE_IN_DATA,
    SAY_IN_DATA
} act;

static void close_stream(void)
{
    stream_close(stream);
    stream = NULL;
}

static void on_data(void *owner, const char *data, size_t len)
{
    ck_assert_ptr_eq(owner, &got);
    ck_assert_ptr_nonnull(stream);
    text_add(&got, (struct span){data, len});
    if (act == PAUSE_IN_DATA)
        stream_pause(stream);
    if (act == SAY_IN_DATA)
        (void)stream_write(stream, &(uv_buf_t){.base = "lost", .len = 4}, 1);
    if (act == CLOSE_IN_DATA)
        close_stream();
}

static void on_end(void *owner, enum stream_end how, const char *why)
{
    ck_assert_ptr_eq(owner, &got);
    ck_assert_ptr_nonnull(stream);
    ck_assert_ptr_nonnull(why);
    ends++;
    end_how = how;
    if (act == CLOSE_IN_END)
        close_stream();
}

static void on_drain(void *owner)
{
    ck_assert_ptr_eq(owner, &got);
    drains++;
    ck_assert_uint_lt(stream_queued(stream), STREAM_LOW);
    if (act == CLOSE_IN_DRAIN)
        close_stream();
}

static const struct stream_events events = {on_data, on_end, on_drain};

static void listen_on(int kind)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&address;
    struct sockaddr_un *un = (struct sockaddr_un *)&address;
    memset(&address, 0, sizeof address);
    address_len = kind == TCP ? sizeof *in : sizeof *un;
    snprintf(path, sizeof path, "/tmp/check_stream_uv.%d", (int)getpid());
    unlink(path);
    if (kind == TCP) {
        in->sin_family = AF_INET;
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        un->sun_family = AF_UNIX;
        snprintf(un->sun_path, sizeof un->sun_path, "%s", path);
    }
    listener = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, address_len), 0);
    ck_assert_int_eq(listen(listener, 5), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &address_len), 0);
}

static void on_connect(void *owner, struct stream *s, int status)
{
    ck_assert_ptr_eq(owner, &got);
    ck_assert_ptr_eq(s, stream);
    connects++;
    connect_status = status;
    if (act == CLOSE_IN_CONNECT)
        close_stream();
}

static void dial(int kind)
{
    stream = kind == TCP ? stream_uv_connect(loop, (struct sockaddr *)&address, &got, on_connect)
                         : stream_uv_connect_unix(loop, path, &got, on_connect);
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(connects, 0); /* no event from inside the call */
}

static void set_up(int kind)
{
    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    loop = loop_new();
    got = (struct text){0};
    text_add_str(&got, "");
    ends = drains = connects = 0;
    act = STAY;
    peer = -1;
    listen_on(kind);
}

static void meet(int kind)
{
    connects = 0;
    dial(kind);
    UNTIL(connects);
    ck_assert_int_eq(connect_status, 0);
    peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(peer, 0);
    stream_bind(stream, &events, &got);
    stream_resume(stream);
}

static void begin(int kind)
{
    set_up(kind);
    meet(kind);
}

static void close_peer(void)
{
    close(peer);
    peer = -1;
}

static void finish(void)
{
    if (stream)
        close_stream();
    if (peer >= 0)
        close_peer();
    close(listener);
    unlink(path);
    loop_run(loop); /* ends: nothing is left open */
    loop_free(loop);
    text_free(&got);
}

static bool say(const char *text, size_t len)
{
    uv_buf_t piece = uv_buf_init((char *)text, (unsigned)len);
    return stream_write(stream, &piece, 1);
}

static void peer_says(const char *text)
{
    ck_assert_int_eq(write(peer, text, strlen(text)), (ssize_t)strlen(text));
}

/* Everything that is available to the peer now; -1 at the end. */
static ssize_t peer_takes(void)
{
    static char sink[1 << 20];
    ssize_t n = read(peer, sink, sizeof sink);
    return n > 0 ? n : n == 0 || errno != EAGAIN ? -1 : 0;
}

/* Appends what the peer receives to `taken`; false at the end. */
static bool peer_takes_more(size_t *taken)
{
    ssize_t n = peer_takes();
    *taken += n > 0 ? (size_t)n : 0;
    return n >= 0;
}

static void turns(int n)
{
    while (n--)
        loop_turn(loop, false);
}

START_TEST(test_both_ways)
{
    char text[10];
    struct sockaddr_storage other;
    uv_buf_t pieces[2] = {uv_buf_init((char *)"he", 2), uv_buf_init((char *)"llo", 3)};
    begin(_i);
    ck_assert(stream_write(stream, pieces, 2));
    ck_assert_uint_eq(stream_taken(stream), 5); /* at once, without a turn */
    ck_assert_uint_eq(stream_queued(stream), 0);
    ck_assert_int_eq(read(peer, text, sizeof text), 5);
    ck_assert_int_eq(memcmp(text, "hello", 5), 0);
    peer_says("back");
    UNTIL(got.len == 4);
    ck_assert_str_eq(got.at, "back");
    ck_assert_int_eq(stream_uv_peer(stream, &other), _i == TCP);
    finish();
}
END_TEST

static struct stream *accepted;

static void on_connection(uv_stream_t *handle, int status)
{
    ck_assert_int_eq(status, 0);
    accepted = stream_uv_accept(loop, handle);
}

START_TEST(test_accepting)
{
    uv_tcp_t handle;
    loop = loop_new();
    listen_on(TCP);
    ck_assert_int_eq(uv_tcp_init(loop_uv(loop), &handle), 0);
    ck_assert_int_eq(uv_tcp_open(&handle, listener), 0);
    ck_assert_int_eq(uv_listen((uv_stream_t *)&handle, 5, on_connection), 0);
    peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(peer, (struct sockaddr *)&address, address_len), 0);
    accepted = NULL;
    UNTIL(accepted);
    stream = accepted;
    ends = 0;
    got = (struct text){0};
    stream_bind(stream, &events, &got);
    peer_says("early"); /* a new stream is paused */
    turns(20);
    ck_assert_uint_eq(got.len, 0);
    stream_resume(stream);
    UNTIL(got.len == 5);
    close_stream();
    close_peer();
    uv_close((uv_handle_t *)&handle, NULL);
    loop_run(loop);
    loop_free(loop);
    text_free(&got);
}
END_TEST

/* ------------------------------------------------------------ back-pressure */

/* Fills the kernel's buffers and the queue; returns how many bytes that took. */
static size_t fill(void)
{
    static char piece[100000];
    size_t written = 0;
    bool more = true;
    while (more) {
        more = say(piece, sizeof piece);
        written += sizeof piece;
        ck_assert_uint_eq(stream_taken(stream) + stream_queued(stream) >= written, true);
        ck_assert_uint_lt(written, 100 << 20);
    }
    ck_assert_uint_gt(stream_queued(stream), STREAM_HIGH);
    return written;
}

START_TEST(test_back_pressure)
{
    begin(_i);
    size_t written = fill(), taken = 0;
    ck_assert(!say("x", 1)); /* still full */
    written++;
    turns(10);
    ck_assert_uint_eq(drains, 0);
    UNTIL(!peer_takes_more(&taken) || taken == written);
    ck_assert_uint_eq(taken, written);
    UNTIL(drains);
    ck_assert_uint_eq(drains, 1);
    ck_assert_uint_eq(stream_queued(stream), 0);
    ck_assert_uint_eq(stream_taken(stream), written);
    ck_assert(say("y", 1));
    finish();
}
END_TEST

/* A part of what is in flight is with the kernel, which no event has said: it counts as sent. */
static void close_in_flight(bool peer_ends)
{
    static char much[4 << 20];
    size_t written = fill(), taken = 0;
    ck_assert(!say(much, sizeof much));
    while (taken < written / 3) {
        ck_assert(peer_takes_more(&taken));
        turns(1);
    }
    if (peer_ends) {
        ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
        UNTIL(ends);
    }
    ck_assert_uint_gt(stream_queued(stream), 0);
    size_t sent = stream_written(stream) - stream_queued(stream);
    close_stream();
    UNTIL(!peer_takes_more(&taken));
    ck_assert_uint_eq(taken, sent);
}

START_TEST(test_closed_in_flight)
{
    begin(_i);
    close_in_flight(false);
    finish();
}
END_TEST

START_TEST(test_end_in_flight)
{
    begin(_i);
    close_in_flight(true);
    finish();
}
END_TEST

START_TEST(test_shutdown_after_queue)
{
    begin(_i);
    size_t written = fill(), taken = 0;
    stream_shutdown(stream);
    UNTIL(!peer_takes_more(&taken));
    ck_assert_uint_eq(taken, written); /* all of it, then the end */
    peer_says("still open this way");
    UNTIL(got.len == 19);
    ck_assert_uint_eq(ends, 0);
    finish();
}
END_TEST

START_TEST(test_pausing)
{
    begin(_i);
    act = PAUSE_IN_DATA;
    peer_says("a");
    UNTIL(got.len == 1);
    peer_says("b");
    close_peer();
    turns(20);
    ck_assert_uint_eq(got.len, 1);
    ck_assert_uint_eq(ends, 0); /* the end is delayed as well */
    stream_pause(stream);
    act = STAY;
    stream_resume(stream);
    stream_resume(stream);
    UNTIL(ends);
    ck_assert_str_eq(got.at, "ab");
    ck_assert_int_eq(end_how, STREAM_EOF);
    finish();
}
END_TEST

START_TEST(test_is_quiet)
{
    begin(_i);
    stream_pause(stream);
    ck_assert(stream_is_quiet(stream, 0));
    peer_says("a");
    ck_assert(!stream_is_quiet(stream, 0));
    stream_resume(stream);
    UNTIL(got.len == 1);
    ck_assert(stream_is_quiet(stream, 0));
    stream_pause(stream);
    close_peer();
    ck_assert(!stream_is_quiet(stream, 0)); /* an end that has not been read yet */
    stream_resume(stream);
    UNTIL(ends);
    ck_assert(!stream_is_quiet(stream, 0));
    finish();
}
END_TEST

#define LONG_US 60000000

/* A line that is about to carry an order: what arrives at any time before the question is noticed,
 * even if the last answer of the kernel would still serve. */
START_TEST(test_is_quiet_as_of_lately)
{
    begin(_i);
    ck_assert(stream_is_quiet(stream, LONG_US));
    peer_says("a");
    UNTIL(got.len == 1);
    ck_assert(stream_is_quiet(stream, LONG_US)); /* asked anew, since something was read */
    uint64_t asked = look_number(loop_look(loop));
    ck_assert(stream_is_quiet(stream, LONG_US));
    ck_assert_uint_eq(look_number(loop_look(loop)), asked);
    stream_pause(stream);
    peer_says("b");
    ck_assert(!stream_is_quiet(stream, 0));
    usleep(2000);
    ck_assert(!stream_is_quiet(stream, 1000));
    finish();
}
END_TEST

/* The answer and the end arrive together, but the answer alone is read in this turn. */
START_TEST(test_an_end_behind_the_answer_is_noticed)
{
    begin(_i);
    ck_assert(stream_is_quiet(stream, LONG_US));
    act = PAUSE_IN_DATA;
    peer_says("a");
    close_peer();
    UNTIL(got.len == 1);
    ck_assert(!stream_is_quiet(stream, LONG_US));
    stream_resume(stream);
    UNTIL(ends);
    ck_assert(!stream_is_quiet(stream, LONG_US));
    finish();
}
END_TEST

static void reset_peer(void)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close_peer();
}

/* A write that fails reports this later, and reports that nothing of it was accepted. */
START_TEST(test_write_error)
{
    begin(_i);
    stream_pause(stream);
    reset_peer();
    ck_assert(say("lost", 4));
    ck_assert_uint_eq(ends, 0);
    ck_assert_uint_eq(stream_taken(stream), 0);
    ck_assert(say("more", 4));
    UNTIL(ends);
    ck_assert_int_eq(end_how, STREAM_RESET);
    turns(10);
    ck_assert_uint_eq(ends, 1);
    finish();
}
END_TEST

/* Another stream's event writes in the turn in which the reset is there to be read: the write takes the
 * socket's error away, and what is read then is no orderly end. */
START_TEST(test_reset_met_by_a_write)
{
    begin(TCP);
    struct stream *first = stream, *other;
    int first_peer = peer, other_peer;
    meet(TCP);
    other = stream, other_peer = peer;
    stream = first, peer = first_peer;
    act = SAY_IN_DATA;
    ck_assert_int_eq(write(other_peer, "now", 3), 3);
    reset_peer();
    UNTIL(ends);
    ck_assert_int_eq(end_how, STREAM_RESET);
    stream_close(other);
    close(other_peer);
    finish();
}
END_TEST

START_TEST(test_reset_while_reading)
{
    begin(TCP);
    reset_peer();
    UNTIL(ends);
    ck_assert_int_eq(end_how, STREAM_RESET);
    finish();
}
END_TEST

START_TEST(test_we_reset)
{
    char byte;
    begin(TCP);
    stream_reset(stream);
    stream = NULL;
    struct pollfd p = {.fd = peer, .events = POLLIN};
    turns(5);
    ck_assert_int_eq(poll(&p, 1, 5000), 1);
    ck_assert_int_eq(read(peer, &byte, 1), -1);
    ck_assert_int_eq(errno, ECONNRESET);
    finish();
}
END_TEST

START_TEST(test_refused)
{
    set_up(_i);
    close(listener);
    unlink(path);
    dial(_i);
    UNTIL(connects);
    ck_assert_int_eq(connect_status, _i == TCP ? UV_ECONNREFUSED : UV_ENOENT);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    finish();
}
END_TEST

START_TEST(test_close_while_connecting)
{
    set_up(_i);
    dial(_i);
    close_stream();
    turns(20);
    ck_assert_uint_eq(connects, 0);
    dial(_i);
    loop_turn(loop, false);
    connects = 0;
    close_stream();
    turns(20);
    ck_assert_uint_eq(connects, 0);
    act = CLOSE_IN_CONNECT;
    dial(_i);
    UNTIL(connects);
    finish();
}
END_TEST

START_TEST(test_close_inside)
{
    begin(_i);
    act = CLOSE_IN_DATA;
    peer_says("a");
    peer_says("b");
    UNTIL(stream == NULL);
    turns(20);
    ck_assert_uint_eq(ends, 0);
    finish();
    begin(_i);
    act = CLOSE_IN_END;
    close_peer();
    UNTIL(stream == NULL);
    finish();
    begin(_i);
    act = CLOSE_IN_DRAIN;
    fill();
    UNTIL(peer_takes() < 0 || stream == NULL);
    ck_assert_uint_eq(drains, 1);
    finish();
}
END_TEST

START_TEST(test_close_with_work_left)
{
    begin(_i); /* a full queue, with a shutdown behind it */
    fill();
    stream_shutdown(stream);
    close_stream();
    turns(5);
    ck_assert_uint_eq(ends + drains, 0);
    finish();
    begin(_i); /* an error that has not been reported yet */
    reset_peer();
    (void)!say("x", 1);
    close_stream();
    turns(5);
    ck_assert_uint_eq(ends, 0);
    finish();
    begin(_i); /* half-closed */
    stream_shutdown(stream);
    finish();
}
END_TEST

SUITE()
{
    LOOP(test_both_ways, 0, KINDS);
    TEST(test_accepting);
    LOOP(test_back_pressure, 0, KINDS);
    LOOP(test_closed_in_flight, 0, KINDS);
    LOOP(test_end_in_flight, 0, KINDS);
    LOOP(test_shutdown_after_queue, 0, KINDS);
    LOOP(test_pausing, 0, KINDS);
    LOOP(test_is_quiet, 0, KINDS);
    LOOP(test_is_quiet_as_of_lately, 0, KINDS);
    LOOP(test_an_end_behind_the_answer_is_noticed, 0, KINDS);
    LOOP(test_write_error, 0, KINDS);
    TEST(test_reset_met_by_a_write);
    TEST(test_reset_while_reading);
    TEST(test_we_reset);
    LOOP(test_refused, 0, KINDS);
    LOOP(test_close_while_connecting, 0, KINDS);
    LOOP(test_close_inside, 0, KINDS);
    LOOP(test_close_with_work_left, 0, KINDS);
}
