/* The server side of TLS, against Python's OpenSSL (tls_client.py) and, for behaviour that no real
 * client shows, a plain socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/leaves.h"
#include "net/stream_tls.h"
#include "net/stream_uv.h"
#include "stopwatch.h"
#include "suite.h"
#include "until.h"

#define MUCH ((size_t)1024 * 1024)

/* A client's connection, taken over by TLS. */
struct visitor {
    struct stream *tcp, *tls;
    bool secured, failed, ended, is_closed;
    struct tls_report report;
    char version[16], alpn[16], detail[256];
    enum failure failure;
    enum stream_end how;
    size_t got;
};

static struct loop *loop;
static struct worker *worker;
static struct leaves *leaves;
static struct tls_context *context;
static uv_tcp_t listener;
static int port;
static char ca_file[64];
static struct visitor visitor;
static bool looks_first; /* reads the first bytes itself, as the front does */
static pid_t client_pid;
static int to_client, from_client;
static const char *const http1[] = {"http/1.1", NULL};

static const char *script(void)
{
    static char path[4096];
    const char *srcdir = getenv("srcdir");
    char here[] = __FILE__;
    const char *places[] = {dirname(here), srcdir ? srcdir : "."};
    const char *inside[] = {"", "tests/unit/"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%stls_client.py", places[i / 2], inside[i % 2]);
        if (access(path, R_OK) == 0)
            break;
    }
    return path;
}

/* --------------------------------------------------------------------- events */

static void on_data(void *owner, const char *data, size_t len)
{
    struct visitor *v = owner;
    uv_buf_t piece = uv_buf_init((char *)(uintptr_t)data, (unsigned)len);
    ck_assert(!v->is_closed && !v->ended);
    v->got += len;
    (void)stream_write(v->tls, &piece, 1);
}

static void on_end(void *owner, enum stream_end how, const char *why)
{
    struct visitor *v = owner;
    (void)why;
    ck_assert(!v->ended && !v->is_closed);
    v->ended = true;
    v->how = how;
    if (v->secured)
        stream_shutdown(v->tls);
}

static void on_drain(void *owner)
{
    (void)owner;
}

static const struct stream_events echo = {on_data, on_end, on_drain};

static void on_secured(void *owner, struct stream *s, const struct tls_report *report)
{
    struct visitor *v = owner;
    ck_assert(s == v->tls && !v->secured && !v->failed);
    v->secured = true;
    v->report = *report;
    snprintf(v->version, sizeof v->version, "%s", report->version);
    snprintf(v->alpn, sizeof v->alpn, "%s", report->alpn ? report->alpn : "-");
    stream_bind(s, &echo, v);
    stream_resume(s);
}

static void on_failed(void *owner, struct stream *s, enum failure why, const char *detail)
{
    struct visitor *v = owner;
    ck_assert(s == v->tls && !v->secured && !v->failed);
    v->failed = true;
    v->failure = why;
    snprintf(v->detail, sizeof v->detail, "%s", detail);
    stream_close(s);
    v->is_closed = true;
}

static const struct tls_events tls_events = {on_secured, on_failed};

static void accept_tls(struct visitor *v, struct span first)
{
    v->tls = stream_tls_accept(loop, worker, context, v->tcp, first, http1, &tls_events, v);
}

static void on_first(void *owner, const char *data, size_t len)
{
    struct visitor *v = owner;
    stream_pause(v->tcp);
    accept_tls(v, (struct span){data, len});
}

static void on_connection(uv_stream_t *listening, int status)
{
    static const struct stream_events looking = {on_first, on_end, on_drain};
    struct visitor *v = &visitor;
    ck_assert_int_eq(status, 0);
    *v = (struct visitor){.tcp = stream_uv_accept(loop, listening)};
    if (!looks_first) {
        accept_tls(v, SPAN(""));
        return;
    }
    stream_bind(v->tcp, &looking, v);
    stream_resume(v->tcp);
}

/* -------------------------------------------------------------------- fixture */

static void on_leaf(struct leaf_wait *wait, struct tls_context *leaf, const char *why)
{
    (void)wait;
    ck_assert_msg(leaf != NULL, "%s", why);
    context = tls_context_ref(leaf);
}

static void make_context(void)
{
    static const char *const host = "own.test";
    struct leaf_wait wait = {.done = on_leaf};
    struct ca_files made = {0};
    struct ca_error error;
    char why[160];
    ck_assert(ca_make(&host, 1, time(NULL), &made, why, sizeof why));
    struct ca *ca = ca_parse(text_span(&made.issuer), text_span(&made.key), &error);
    leaves_use(leaves, ca);
    ca_unref(ca);
    leaves_ask(leaves, "api.own.test", &wait);
    UNTIL(context);
    snprintf(ca_file, sizeof ca_file, "/tmp/check_accept.XXXXXX");
    int fd = mkstemp(ca_file);
    ck_assert(fd >= 0 && write(fd, made.anchor.at, made.anchor.len) == (ssize_t)made.anchor.len &&
              close(fd) == 0);
    ca_files_free(&made);
}

static void set_up(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int len = sizeof at;
    signal(SIGPIPE, SIG_IGN);
    tls_start();
    context = NULL;
    looks_first = false;
    visitor = (struct visitor){0};
    loop = loop_new();
    worker = worker_new(loop);
    leaves = leaves_new(loop, worker);
    make_context();
    CHECK(uv_tcp_init(loop_uv(loop), &listener) == 0);
    CHECK(uv_tcp_bind(&listener, (struct sockaddr *)&at, 0) == 0);
    CHECK(uv_listen((uv_stream_t *)&listener, 8, on_connection) == 0);
    CHECK(uv_tcp_getsockname(&listener, (struct sockaddr *)&at, &len) == 0);
    port = ntohs(at.sin_port);
}

static void close_visitor(void)
{
    if (visitor.tls && !visitor.is_closed)
        stream_close(visitor.tls);
    visitor.is_closed = true;
}

static void tear_down(void)
{
    close_visitor();
    unlink(ca_file);
    uv_close((uv_handle_t *)&listener, NULL);
    leaves_free(leaves);
    tls_context_unref(context);
    loop_turn(loop, false);
    worker_free(worker);
    loop_turn(loop, false);
    loop_free(loop);
}

/* One Python process for all tests, because it takes long to start. */
static void start_client(void)
{
    int in[2], out[2];
    CHECK(pipe(in) == 0 && pipe(out) == 0);
    if ((client_pid = fork()) == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]), close(in[1]), close(out[0]), close(out[1]);
        execlp("python3", "python3", script(), (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    to_client = in[1];
    from_client = out[0];
    CHECK(fcntl(from_client, F_SETFL, O_NONBLOCK) == 0);
}

static void stop_client(void)
{
    close(to_client);
    waitpid(client_pid, NULL, 0);
    close(from_client);
}

static bool has_line(char *words, size_t *len, size_t size)
{
    ssize_t n = read(from_client, words + *len, size - 1 - *len);
    ck_assert(n > 0 || (n < 0 && errno == EAGAIN));
    *len += n > 0 ? (size_t)n : 0;
    words[*len] = '\0';
    return *len && words[*len - 1] == '\n';
}

/* Lets the Python client connect; returns its description of the result. */
static const char *call(const char *sni, const char *manner)
{
    static char words[400];
    size_t len = 0;
    visitor = (struct visitor){0};
    dprintf(to_client, "%d %s %s %s\n", port, ca_file, sni, manner);
    UNTIL(has_line(words, &len, sizeof words));
    words[len - 1] = '\0';
    return words;
}

static void must_say(const char *sni, const char *manner, const char *words)
{
    const char *got = call(sni, manner);
    ck_assert_msg(strstr(got, words) == got, "%s %s: %s (%s)", sni, manner, got, visitor.detail);
}

static void must_fail(const char *sni, const char *manner, const char *words)
{
    const char *got = call(sni, manner);
    ck_assert_msg(strstr(got, "failed") == got && strstr(got, words), "%s %s: %s (%s)", sni, manner,
                  got, visitor.detail);
    ck_assert(visitor.failed && visitor.failure == FAILURE_TLS_PROTOCOL_ERROR);
}

/* ---------------------------------------------------------------------- tests */

START_TEST(speaks_both_versions)
{
    must_say("api.own.test", "v12", "ok TLSv1.2 -");
    ck_assert_str_eq(visitor.version, "TLSv1.2");
    close_visitor();
    must_say("api.own.test", "v13", "ok TLSv1.3 -");
    ck_assert_str_eq(visitor.version, "TLSv1.3");
    ck_assert(visitor.report.handshake_us > 0 && !visitor.report.resumed);
    ck_assert_uint_eq(visitor.got, strlen("order"));
}
END_TEST

START_TEST(goes_on_from_the_first_bytes)
{
    looks_first = true;
    must_say("api.own.test", "v12", "ok TLSv1.2 -");
    close_visitor();
    must_say("api.own.test", "v13", "ok TLSv1.3 -");
}
END_TEST

START_TEST(speaks_http1_alone)
{
    must_say("api.own.test", "h1", "ok TLSv1.3 http/1.1");
    ck_assert_str_eq(visitor.alpn, "http/1.1");
    close_visitor();
    must_say("api.own.test", "h2+h1", "ok TLSv1.3 http/1.1");
    close_visitor();
    must_fail("api.own.test", "h2", "NO_APPLICATION_PROTOCOL");
}
END_TEST

START_TEST(is_one_host_and_no_other)
{
    must_say("API.own.test", "v13", "ok TLSv1.3");
    close_visitor();
    must_say("-", "v13", "ok TLSv1.3");
    close_visitor();
    must_say("-", "v12", "ok TLSv1.2");
    close_visitor();
    must_fail("other.own.test", "v13", "UNRECOGNIZED_NAME");
    ck_assert_msg(strstr(visitor.detail, "another host") != NULL, "%s", visitor.detail);
    must_fail("other.own.test", "v12", "UNRECOGNIZED_NAME");
    must_fail("api.own.test.evil.test", "v13", "UNRECOGNIZED_NAME");
}
END_TEST

START_TEST(tells_the_ends_apart)
{
    must_say("api.own.test", "notify", "ok");
    UNTIL(visitor.ended);
    ck_assert_int_eq(visitor.how, STREAM_EOF);
    close_visitor();
    must_say("api.own.test", "cut", "ok");
    UNTIL(visitor.ended);
    ck_assert_int_eq(visitor.how, STREAM_CUT);
}
END_TEST

START_TEST(carries_much)
{
    must_say("api.own.test", "much", "ok");
    ck_assert_uint_eq(visitor.got, MUCH);
}
END_TEST

/* A client that does not trust the CA. */
START_TEST(hears_that_it_is_not_believed)
{
    char copy[sizeof ca_file];
    memcpy(copy, ca_file, sizeof copy);
    snprintf(ca_file, sizeof ca_file, "/etc/ssl/certs/ca-certificates.crt");
    const char *got = call("api.own.test", "v13");
    memcpy(ca_file, copy, sizeof copy);
    ck_assert_msg(strstr(got, "CERTIFICATE_VERIFY_FAILED") != NULL, "%s", got);
    UNTIL(visitor.failed);
    ck_assert_str_eq(visitor.detail, "client sent alert 48 (unknown_ca)");
}
END_TEST

/* ------------------------------------------------------------- bare sockets */

static int dial(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    visitor = (struct visitor){0};
    CHECK(connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
    UNTIL(visitor.tls || visitor.tcp);
    return fd;
}

static void send_all(int fd, const void *data, size_t len)
{
    CHECK(send(fd, data, len, 0) == (ssize_t)len);
}

START_TEST(refuses_what_is_not_tls)
{
    static const struct {
        const char *at;
        size_t len;
        const char *words;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18, "what the client sent is not TLS"},
        {"\x80\x2e\x01\x03\x01", 5, "what the client sent is not TLS"}, /* SSLv2 */
        {"\x16\x03\x01\xff\xff\x01", 6, ""},                            /* a record too long */
        {"\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9, ""},                /* a ServerHello */
        {"\x15\x03\x01\x00\x02\x02\x28", 7, "alert 40 (handshake_failure)"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int fd = dial();
        send_all(fd, cases[i].at, cases[i].len);
        UNTIL(visitor.failed);
        ck_assert_int_eq(visitor.failure, FAILURE_TLS_PROTOCOL_ERROR);
        ck_assert_msg(strstr(visitor.detail, cases[i].words) != NULL, "%s", visitor.detail);
        close(fd);
    }
}
END_TEST

START_TEST(bears_a_client_that_leaves)
{
    int fd = dial();
    close(fd);
    UNTIL(visitor.failed);
    ck_assert_int_eq(visitor.failure, FAILURE_CONNECTION_TERMINATED);
    ck_assert_str_eq(visitor.detail, "client closed during the TLS handshake");
    fd = dial();
    send_all(fd, "\x16\x03\x01\x00", 4);
    close(fd);
    UNTIL(visitor.failed);
    ck_assert_int_eq(visitor.failure, FAILURE_CONNECTION_TERMINATED);
}
END_TEST

START_TEST(closing_while_it_waits_or_works_is_silent)
{
    int fd = dial();
    close_visitor();
    loop_turn(loop, false);
    close(fd);
    fd = dial();
    send_all(fd, "\x16\x03\x01\x00", 4);
    usleep(1000);
    loop_turn(loop, false);
    close_visitor();
    close(fd);
    for (int i = 0; i < 20; i++) {
        loop_turn(loop, false);
        usleep(1000);
    }
    ck_assert(!visitor.secured && !visitor.failed);
}
END_TEST

SUITE()
{
    ONCE(start_client, stop_client);
    FIXTURE(set_up, tear_down);
    TEST(speaks_both_versions);
    TEST(goes_on_from_the_first_bytes);
    TEST(speaks_http1_alone);
    TEST(is_one_host_and_no_other);
    TEST(tells_the_ends_apart);
    TEST(carries_much);
    TEST(hears_that_it_is_not_believed);
    TEST(refuses_what_is_not_tls);
    TEST(bears_a_client_that_leaves);
    TEST(closing_while_it_waits_or_works_is_silent);
}
