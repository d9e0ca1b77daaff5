/* net/dial.h against listeners on loopback, and against addresses that do not respond. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_dns.h"
#include "net/dial.h"
#include "stopwatch.h"
#include "suite.h"
#include "until.h"

#define HOLE_FILLERS 20

static struct loop *loop;
static struct fake_dns *server;
static struct dns *dns;

/* One port on several loopback addresses, each of which listens, refuses or does not respond. */
static uint16_t port;
static int sockets[64];
static size_t socket_count;

static struct sockaddr_in ipv4(const char *ip)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    ck_assert_int_eq(inet_pton(AF_INET, ip, &at.sin_addr), 1);
    return at;
}

static int keep(int fd)
{
    ck_assert_int_ge(fd, 0);
    ck_assert_uint_lt(socket_count, COUNT_OF(sockets));
    return sockets[socket_count++] = fd;
}

static bool try_bind(int fd, const char *ip)
{
    struct sockaddr_in at = ipv4(ip);
    socklen_t len = sizeof at;
    int one = 1;
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof at))
        return false;
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    port = ntohs(at.sin_port);
    return true;
}

/* A port that is free on every address of these tests, whatever else runs on this machine. */
static void choose_port(void)
{
    static const char *const all[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        int fd = keep(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (try_bind(fd, all[i]))
            continue;
        while (socket_count)
            close(sockets[--socket_count]);
        port = 0;
        i = SIZE_MAX; /* start again with the first address */
    }
}

/* Bound only, so connections are refused. */
static int refuse_on(const char *ip)
{
    int fd = keep(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ck_assert(try_bind(fd, ip));
    return fd;
}

static int listen_on(const char *ip)
{
    int fd = refuse_on(ip);
    ck_assert_int_eq(listen(fd, 16), 0);
    return fd;
}

/* A listener whose backlog is full: the kernel drops new connections. */
static bool swallow_on(const char *ip)
{
    struct sockaddr_in at;
    int fd = refuse_on(ip);
    ck_assert_int_eq(listen(fd, 0), 0);
    at = ipv4(ip);
    for (int i = 0; i < HOLE_FILLERS; i++) {
        int filler = keep(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        struct pollfd p = {.fd = filler, .events = POLLOUT};
        (void)!connect(filler, (struct sockaddr *)&at, sizeof at);
        if (poll(&p, 1, 100) == 0)
            return true;
    }
    return false; /* this kernel does not support it */
}

static void setup(void)
{
    loop = loop_new();
    server = fake_dns_new(loop);
    dns = dns_new(loop, &(struct dns_limits){1000, 60000, 0});
    ck_assert_ptr_nonnull(dns);
    ck_assert(dns_set_servers(dns, fake_dns_servers(server)));
    port = 0;
    socket_count = 0;
    choose_port();
}

static void teardown(void)
{
    dns_free(dns);
    fake_dns_free(server);
    loop_run(loop);
    loop_free(loop);
    while (socket_count)
        close(sockets[--socket_count]);
}

/* A caller and the events it has received. */
struct caller {
    struct dial_target target;
    struct dial *dial;
    struct sockaddr_storage fixed;
    unsigned connected, failed, asked; /* asked: calls of permit() */
    const char *forbidden;             /* a forbidden address; "*": all */
    struct stream *stream;
    struct dial_report report;
    char peer[ADDRESS_TEXT], detail[200];
    enum failure why;
};

static void on_connected(void *owner, struct stream *stream, const struct dial_report *report)
{
    struct caller *c = owner;
    c->connected++;
    c->stream = stream;
    c->report = *report;
    if (report->peer.ss_family != AF_UNSPEC)
        address_format(&report->peer, c->peer);
}

static void on_failed(void *owner, enum failure why, const char *detail)
{
    struct caller *c = owner;
    c->failed++;
    c->why = why;
    snprintf(c->detail, sizeof c->detail, "%s", detail);
}

static enum failure permit(void *context, const struct sockaddr *addr)
{
    struct caller *c = context;
    struct sockaddr_storage forbidden;
    c->asked++;
    ck_assert(addr->sa_family != AF_INET ||
              ((const struct sockaddr_in *)(const void *)addr)->sin_port == htons(port));
    if (strcmp(c->forbidden, "*") == 0)
        return FAILURE_DESTINATION_IP_PROHIBITED;
    ck_assert(address_parse(c->forbidden, &forbidden));
    return address_same((struct sockaddr *)&forbidden, addr) ? FAILURE_DESTINATION_IP_PROHIBITED
                                                             : FAILURE_NONE;
}

static void start(struct caller *c, const char *host)
{
    static const struct dial_events events = {on_connected, on_failed};
    c->target.host = host;
    c->target.port = port;
    if (c->target.dns_timeout_ms == 0)
        c->target.dns_timeout_ms = 2000;
    if (c->target.connect_timeout_ms == 0)
        c->target.connect_timeout_ms = 5000;
    if (c->forbidden) {
        c->target.permit = permit;
        c->target.permit_context = c;
    }
    c->dial = dial_start(loop, dns, &c->target, &events, c);
    ck_assert_uint_eq(c->connected + c->failed, 0);
}

static void wait_for(struct caller *c)
{
    UNTIL(c->connected + c->failed);
    if (c->stream)
        stream_close(c->stream);
}

/* Dials and waits for the result. */
static void dial_host(struct caller *c, const char *host)
{
    start(c, host);
    wait_for(c);
    turn_for(loop, 5);
    ck_assert_uint_eq(c->connected + c->failed, 1);
}

static void fix(struct caller *c, const char *path)
{
    struct sockaddr_un *un = (void *)&c->fixed;
    un->sun_family = AF_UNIX;
    snprintf(un->sun_path, sizeof un->sun_path, "%s", path);
    c->target.connect_to = &c->fixed;
}

/* ---------------------------------------------------------------- addresses */

START_TEST(literal_connects)
{
    struct caller c = {0};
    listen_on("127.0.0.1");
    dial_host(&c, "127.0.0.1");
    ck_assert_uint_eq(c.connected, 1);
    ck_assert_ptr_nonnull(c.stream);
    ck_assert_int_eq(strncmp(c.peer, "127.0.0.1:", 10), 0);
    ck_assert_uint_lt(c.report.connect_us, 5000000);
}
END_TEST

START_TEST(name_connects)
{
    struct caller c = {0};
    char expected[ADDRESS_TEXT];
    listen_on("127.0.0.1");
    fake_dns_set(server, "api.test", "127.0.0.1", 60);
    dial_host(&c, "api.test");
    ck_assert_uint_eq(c.connected, 1);
    snprintf(expected, sizeof expected, "127.0.0.1:%u", port);
    ck_assert_str_eq(c.peer, expected);
    ck_assert_uint_gt(c.report.dns_us, 0);
}
END_TEST

START_TEST(refused_names_the_address)
{
    struct caller c = {0};
    char expected[200];
    refuse_on("127.0.0.1");
    dial_host(&c, "127.0.0.1");
    ck_assert_int_eq(c.why, FAILURE_CONNECTION_REFUSED);
    snprintf(expected, sizeof expected, "127.0.0.1:%u: connection refused", port);
    ck_assert_str_eq(c.detail, expected);
}
END_TEST

START_TEST(second_address_is_tried)
{
    struct caller c = {0};
    refuse_on("127.0.0.2");
    listen_on("127.0.0.1");
    fake_dns_set(server, "api.test", "127.0.0.2,127.0.0.1", 60);
    loop_hold(loop); /* at once: no head start ever runs out */
    dial_host(&c, "api.test");
    ck_assert_uint_eq(c.connected, 1);
    ck_assert_int_eq(strncmp(c.peer, "127.0.0.1:", 10), 0);
}
END_TEST

START_TEST(all_refused_fails_once)
{
    struct caller c = {0};
    refuse_on("127.0.0.2");
    refuse_on("127.0.0.1");
    fake_dns_set(server, "api.test", "127.0.0.2,127.0.0.1", 60);
    dial_host(&c, "api.test");
    ck_assert_int_eq(c.why, FAILURE_CONNECTION_REFUSED);
    ck_assert_int_eq(strncmp(c.detail, "127.0.0.1:", 10), 0);
}
END_TEST

START_TEST(ipv6_goes_first)
{
    struct caller c = {0};
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    listen_on("127.0.0.1");
    at.sin6_port = htons(port);
    int fd = keep(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 16))
        return; /* no IPv6 here */
    fake_dns_set(server, "api.test", "127.0.0.1,::1", 60);
    dial_host(&c, "api.test");
    ck_assert_int_eq(strncmp(c.peer, "[::1]:", 6), 0);
}
END_TEST

START_TEST(silent_address_loses_its_head_start)
{
    struct caller c = {0};
    if (!swallow_on("127.0.0.3"))
        return;
    listen_on("127.0.0.1");
    fake_dns_set(server, "api.test", "127.0.0.3,127.0.0.1", 60);
    uint64_t began = clock_us();
    dial_host(&c, "api.test");
    ck_assert_uint_eq(c.connected, 1);
    ck_assert_int_eq(strncmp(c.peer, "127.0.0.1:", 10), 0);
    ck_assert_uint_ge(clock_us() - began, 200000);
    ck_assert_uint_ge(c.report.connect_us, 200000);
}
END_TEST

START_TEST(silence_ends_with_the_timeout)
{
    struct caller c = {.target.connect_timeout_ms = 400};
    char expected[200];
    if (!swallow_on("127.0.0.3"))
        return;
    refuse_on("127.0.0.1");
    fake_dns_set(server, "api.test", "127.0.0.3,127.0.0.1", 60);
    dial_host(&c, "api.test");
    ck_assert_int_eq(c.why, FAILURE_CONNECTION_TIMEOUT);
    snprintf(expected, sizeof expected, "127.0.0.3:%u: no TCP connection within 400ms", port);
    ck_assert_str_eq(c.detail, expected);
}
END_TEST

START_TEST(timeout_in_seconds_reads_well)
{
    struct caller c = {.target.connect_timeout_ms = 5000};
    if (!swallow_on("127.0.0.3"))
        return;
    start(&c, "127.0.0.3");
    turn_for(loop, 20);
    loop_skip(loop, 5000);
    wait_for(&c);
    ck_assert_ptr_nonnull(strstr(c.detail, "no TCP connection within 5s"));
}
END_TEST

/* ------------------------------------------------------------------- names */

START_TEST(dns_failures_pass_through)
{
    struct caller unknown = {0}, slow = {.target.dns_timeout_ms = 50};
    port = 443;
    dial_host(&unknown, "none.test");
    ck_assert_int_eq(unknown.why, FAILURE_DNS_ERROR);
    ck_assert_ptr_nonnull(strstr(unknown.detail, "no such host"));
    fake_dns_set(server, "slow.test", "", 60);
    fake_dns_reply(server, "slow.test", FAKE_SILENCE);
    dial_host(&slow, "slow.test");
    ck_assert_int_eq(slow.why, FAILURE_DNS_TIMEOUT);
}
END_TEST

/* ------------------------------------------------------------------- permit */

START_TEST(forbidden_address_is_passed_over)
{
    struct caller c = {.forbidden = "127.0.0.2"};
    listen_on("127.0.0.2");
    listen_on("127.0.0.1");
    fake_dns_set(server, "api.test", "127.0.0.2,127.0.0.1", 60);
    dial_host(&c, "api.test");
    ck_assert_uint_eq(c.connected, 1);
    ck_assert_uint_eq(c.asked, 2);
    ck_assert_int_eq(strncmp(c.peer, "127.0.0.1:", 10), 0);
}
END_TEST

START_TEST(all_forbidden_says_why)
{
    struct caller c = {.forbidden = "*"};
    listen_on("127.0.0.1");
    fake_dns_set(server, "api.test", "127.0.0.1,127.0.0.2", 60);
    dial_host(&c, "api.test");
    ck_assert_int_eq(c.why, FAILURE_DESTINATION_IP_PROHIBITED);
    ck_assert_uint_eq(c.asked, 2);
    ck_assert_ptr_nonnull(strstr(c.detail, "not permitted"));
}
END_TEST

START_TEST(refusal_by_the_network_outweighs_permit)
{
    struct caller c = {.forbidden = "127.0.0.1"};
    refuse_on("127.0.0.2");
    fake_dns_set(server, "api.test", "127.0.0.2,127.0.0.1", 60);
    dial_host(&c, "api.test");
    ck_assert_int_eq(c.why, FAILURE_CONNECTION_REFUSED);
    ck_assert_int_eq(strncmp(c.detail, "127.0.0.2:", 10), 0);
}
END_TEST

/* ------------------------------------------------------------ fixed address */

START_TEST(fixed_address_needs_no_dns)
{
    struct caller c = {0};
    listen_on("127.0.0.1");
    struct sockaddr_in at = ipv4("127.0.0.1");
    memcpy(&c.fixed, &at, sizeof at);
    c.target.connect_to = &c.fixed;
    dial_host(&c, "never.asked.test");
    ck_assert_uint_eq(c.connected, 1);
    ck_assert_uint_eq(c.report.dns_us, 0);
    ck_assert_int_eq(strncmp(c.peer, "127.0.0.1:", 10), 0);
}
END_TEST

START_TEST(unspecified_fixed_address_is_none)
{
    struct caller c = {0};
    listen_on("127.0.0.1");
    c.target.connect_to = &c.fixed;
    dial_host(&c, "127.0.0.1");
    ck_assert_uint_eq(c.connected, 1);
}
END_TEST

START_TEST(unix_socket_connects)
{
    struct caller c = {0}, missing = {0};
    char dir[] = "/tmp/check_dial.XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/socket", dir);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    int fd = keep(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    ck_assert_int_eq(listen(fd, 4), 0);
    fix(&c, path);
    dial_host(&c, "api.test");
    unlink(path);
    fix(&missing, path);
    dial_host(&missing, "api.test");
    rmdir(dir);
    ck_assert_uint_eq(c.connected, 1);
    ck_assert_int_eq(c.report.peer.ss_family, AF_UNSPEC);
    ck_assert_int_eq(missing.why, FAILURE_CONNECTION_REFUSED);
    ck_assert_ptr_nonnull(strstr(missing.detail, "no such file"));
    ck_assert_int_eq(strncmp(missing.detail, "unix:/tmp/", 10), 0);
}
END_TEST

/* --------------------------------------------------------------- cancelling */

/* Cancels after `turns` turns, unless there was an event before. */
static void cancel_after(const char *host, int turns)
{
    struct caller c = {0};
    start(&c, host);
    for (int i = 0; i < turns && c.connected + c.failed == 0; i++)
        loop_turn(loop, true);
    unsigned told = c.connected + c.failed;
    if (!told)
        dial_cancel(c.dial);
    turn_for(loop, 20);
    ck_assert_uint_eq(c.connected + c.failed, told);
    if (c.stream)
        stream_close(c.stream);
}

START_TEST(cancelled_while_connecting)
{
    listen_on("127.0.0.1");
    fake_dns_set(server, "api.test", "127.0.0.1", 60);
    cancel_after("api.test", _i);
    cancel_after("api.test", _i); /* this time from the cache */
    cancel_after("127.0.0.1", _i);
    fake_dns_set(server, "slow.test", "", 60);
    fake_dns_reply(server, "slow.test", FAKE_SILENCE);
    cancel_after("slow.test", _i < 3 ? _i : 3);
}
END_TEST

START_TEST(cancelled_while_being_refused)
{
    refuse_on("127.0.0.1");
    refuse_on("127.0.0.2");
    fake_dns_set(server, "api.test", "127.0.0.1,127.0.0.2", 60);
    cancel_after("api.test", _i);
    cancel_after("127.0.0.1", _i);
}
END_TEST

START_TEST(cancelled_with_two_under_way)
{
    struct caller c = {0};
    if (!swallow_on("127.0.0.3") || !swallow_on("127.0.0.4"))
        return;
    fake_dns_set(server, "api.test", "127.0.0.3,127.0.0.4", 60);
    start(&c, "api.test");
    turn_for(loop, 350);
    dial_cancel(c.dial);
    turn_for(loop, 20);
    ck_assert_uint_eq(c.connected + c.failed, 0);
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(literal_connects);
    TEST(name_connects);
    TEST(refused_names_the_address);
    TEST(second_address_is_tried);
    TEST(all_refused_fails_once);
    TEST(ipv6_goes_first);
    TEST(silent_address_loses_its_head_start);
    TEST(silence_ends_with_the_timeout);
    TEST(timeout_in_seconds_reads_well);
    TEST(dns_failures_pass_through);
    TEST(forbidden_address_is_passed_over);
    TEST(all_forbidden_says_why);
    TEST(refusal_by_the_network_outweighs_permit);
    TEST(fixed_address_needs_no_dns);
    TEST(unspecified_fixed_address_is_none);
    TEST(unix_socket_connects);
    LOOP(cancelled_while_connecting, 0, 8);
    LOOP(cancelled_while_being_refused, 0, 8);
    TEST(cancelled_with_two_under_way);
}
