/* Listening on loopback and unix sockets, with real connections to a client side that has an
 * echoing handler. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_handler.h"
#include "front/listeners.h"
#include "suite.h"

static struct loop *loop;
static struct lingering *linger;
static struct clients *clients;
static struct listeners *listeners;
static struct fake_handler handler;
static char error[200], directory[64];

static void begin(void)
{
    static const struct client_limits limits = {.max_clients = 10,
                                                .header_timeout_ms = 10000,
                                                .idle_timeout_ms = 600000,
                                                .body_timeout_ms = 30000,
                                                .max_header_size = 4096,
                                                .max_uri_size = 1024};
    loop = loop_new();
    linger = linger_new(loop);
    fake_handler_init(&handler, loop);
    handler.echo = true;
    clients = clients_new(loop, linger, &handler.handler, &limits);
    listeners = listeners_new(loop, clients);
    strcpy(directory, "/tmp/check_listener.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
}

static int held[8];
static size_t held_count;

static void finish(void)
{
    listeners_free(listeners);
    clients_free(clients);
    linger_free(linger);
    loop_free(loop);
    fake_handler_free(&handler);
    while (held_count)
        close(held[--held_count]);
    ck_assert_int_eq(rmdir(directory), 0); /* sockets were unlinked */
}

static struct config_address tcp(const char *ip, uint16_t port)
{
    struct config_address a = {.text = ip};
    if (strchr(ip, ':')) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)&a.at;
        *six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        ck_assert_int_eq(inet_pton(AF_INET6, ip, &six->sin6_addr), 1);
        a.len = sizeof *six;
    } else {
        struct sockaddr_in *four = (struct sockaddr_in *)&a.at;
        *four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
        ck_assert_int_eq(inet_pton(AF_INET, ip, &four->sin_addr), 1);
        a.len = sizeof *four;
    }
    return a;
}

static struct config_address unix_socket(const char *name)
{
    struct config_address a = {.text = "unix", .len = sizeof(struct sockaddr_un)};
    struct sockaddr_un *un = (struct sockaddr_un *)&a.at;
    un->sun_family = AF_UNIX;
    snprintf(un->sun_path, sizeof un->sun_path, "%s/%s", directory, name);
    return a;
}

static int socket_at(const struct config_address *a)
{
    int fd = socket(a->at.ss_family, SOCK_STREAM, 0), one = 1;
    ck_assert_int_ge(fd, 0);
    if (a->at.ss_family != AF_UNIX)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    return fd;
}

/* A port on which nothing listens: it stays bound until the end, so that no other program gets
 * it. */
static uint16_t free_port(void)
{
    struct config_address a = tcp("127.0.0.1", 0);
    socklen_t len = sizeof a.at;
    int fd = socket_at(&a);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a.at, a.len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a.at, &len), 0);
    ck_assert_uint_lt(held_count, COUNT_OF(held));
    held[held_count++] = fd;
    return ntohs(((struct sockaddr_in *)&a.at)->sin_port);
}

static bool apply(struct config_address *at, size_t count, struct config_cidrs allowed)
{
    struct config config = {.listen = {at, count}, .allow_clients = allowed};
    return listeners_apply(listeners, &config, error, sizeof error);
}

static bool apply_all(struct config_address *at, size_t count)
{
    return apply(at, count, (struct config_cidrs){0});
}

/* Connects; -1 if nothing listens there. */
static int call(const struct config_address *a)
{
    int fd = socket_at(a);
    if (connect(fd, (const struct sockaddr *)&a->at, a->len) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Checks that the response, read up to the end or to `until`, shows handler.ingress. */
static const char *hear(int fd, const char *until)
{
    static char got[4096];
    size_t len = 0;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    got[0] = '\0';
    for (unsigned i = 0; i < 20000; i++) {
        ssize_t n = read(fd, got + len, sizeof got - 1 - len);
        if (n == 0)
            break;
        if (n > 0)
            got[len += (size_t)n] = '\0';
        if (until && strstr(got, until))
            break;
        loop_turn(loop, false);
        if (n < 0)
            usleep(500);
    }
    return got;
}

static const char *ask(const struct config_address *a, const char *target)
{
    char text[200];
    int fd = call(a);
    ck_assert_int_ge(fd, 0);
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", target);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    const char *got = hear(fd, NULL);
    close(fd);
    return got;
}

START_TEST(test_tcp_and_unix)
{
    begin();
    struct config_address at[] = {tcp("127.0.0.1", free_port()), tcp("::1", free_port()),
                                  unix_socket("s")};
    struct stat st;
    if (!apply_all(at, 3)) /* a machine without IPv6 */
        ck_assert(apply_all((at[1] = at[2], at), 2));
    ck_assert(strstr(ask(&at[0], "/four"), "GET /four ") != NULL);
    ck_assert(strstr(ask(&at[1], "/six"), "GET /six ") != NULL);
    ck_assert(strstr(ask(&at[2], "/unix"), "GET /unix ") != NULL);
    ck_assert_int_eq(stat(((struct sockaddr_un *)&at[2].at)->sun_path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0660);
    finish();
}
END_TEST

START_TEST(test_in_use)
{
    begin();
    struct config_address at[] = {tcp("127.0.0.1", free_port()), unix_socket("s")};
    struct config_address taken = tcp("127.0.0.1", free_port());
    int fd = socket_at(&taken);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&taken.at, taken.len), 0);
    ck_assert_int_eq(listen(fd, 5), 0);
    struct config_address both[] = {at[1], at[0], taken};
    ck_assert(!apply_all(both, 3));
    ck_assert_str_eq(error, "listen 127.0.0.1: address already in use");
    loop_turn(loop, false);
    ck_assert_int_eq(call(&at[0]), -1); /* nothing changed */
    ck_assert_int_eq(access(((struct sockaddr_un *)&at[1].at)->sun_path, F_OK), -1);
    close(fd);
    struct config_address twice[] = {at[0], at[0]};
    ck_assert(!apply_all(twice, 2));
    ck_assert(apply_all(both, 3));
    ck_assert(!apply_all(twice, 2));
    ck_assert(strstr(ask(&taken, "/"), "200") != NULL); /* still there */
    finish();
}
END_TEST

START_TEST(test_unix_stale_and_used)
{
    begin();
    struct config_address at = unix_socket("s"), plain = unix_socket("file");
    const char *path = ((struct sockaddr_un *)&at.at)->sun_path;
    const char *file = ((struct sockaddr_un *)&plain.at)->sun_path;
    int fd = socket_at(&at);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at.at, at.len), 0);
    ck_assert_int_eq(listen(fd, 5), 0);
    ck_assert(!apply_all(&at, 1)); /* a process listens on it */
    ck_assert(strstr(error, "address already in use") != NULL);
    close(fd);
    ck_assert_int_eq(access(path, F_OK), 0);
    ck_assert(apply_all(&at, 1)); /* none does: stale */
    ck_assert(strstr(ask(&at, "/"), "200") != NULL);
    close(open(file, O_CREAT | O_WRONLY, 0600));
    ck_assert(!apply_all(&plain, 1)); /* not a socket: it is not removed */
    ck_assert_int_eq(unlink(file), 0);
    finish();
}
END_TEST

START_TEST(test_reload)
{
    begin();
    struct config_address first = tcp("127.0.0.1", free_port());
    ck_assert(apply_all(&first, 1));
    int open_before = call(&first);
    ck_assert_int_ge(open_before, 0);
    loop_turn(loop, false);
    struct config_address at[] = {first, tcp("127.0.0.1", free_port())};
    ck_assert(apply_all(at, 2));
    ck_assert(strstr(ask(&at[0], "/"), "200") != NULL);
    ck_assert(strstr(ask(&at[1], "/"), "200") != NULL);
    ck_assert(apply_all(&at[1], 1));
    loop_turn(loop, false);
    ck_assert_int_eq(call(&first), -1);
    ck_assert(strstr(ask(&at[1], "/"), "200") != NULL);
    const char *get = "GET /old HTTP/1.1\r\nHost: h\r\n\r\n";
    ck_assert_int_eq(write(open_before, get, strlen(get)), (ssize_t)strlen(get));
    ck_assert(strstr(hear(open_before, "{}"), "GET /old") != NULL);
    close(open_before);
    listeners_close(listeners);
    loop_turn(loop, false);
    ck_assert_int_eq(call(&at[1]), -1);
    finish();
}
END_TEST

/* What was open stays open; an upstream's own address is sufficient. */
START_TEST(test_nowhere)
{
    begin();
    struct config_address at = tcp("127.0.0.1", free_port()), own = unix_socket("s");
    struct upstream_config kraken = {.name = "kraken", .listen = {&own, 1}};
    struct upstream_config *upstreams[] = {&kraken};
    struct config only_own = {.upstreams = upstreams, .upstream_count = 1};
    ck_assert(!apply_all(NULL, 0));
    ck_assert_str_eq(error, "listen: no address is given, here or in an upstream");
    ck_assert(apply_all(&at, 1));
    ck_assert(!apply_all(NULL, 0));
    ck_assert(strstr(ask(&at, "/"), "200") != NULL);
    ck_assert(listeners_apply(listeners, &only_own, error, sizeof error));
    ck_assert(strstr(ask(&own, "/"), "200") != NULL);
    finish();
}
END_TEST

START_TEST(test_missing_folder)
{
    begin();
    struct config_address at = unix_socket("missing/s");
    ck_assert(!apply_all(&at, 1));
    ck_assert_str_eq(error, "listen unix: no such file or directory");
    finish();
}
END_TEST

START_TEST(test_ingress)
{
    begin();
    struct config_address at = tcp("127.0.0.1", free_port()), own = unix_socket("s");
    struct upstream_config kraken = {.name = "kraken", .listen = {&own, 1}};
    struct upstream_config *upstreams[] = {&kraken};
    struct config config = {.listen = {&at, 1}, .upstreams = upstreams, .upstream_count = 1};
    ck_assert(listeners_apply(listeners, &config, error, sizeof error));
    ask(&at, "/");
    ck_assert_str_eq(handler.upstream, "");
    ck_assert(!handler.ingress.is_unix && handler.ingress.is_loopback);
    ck_assert(!handler.ingress.has_uid && !handler.ingress.socket);
    ck_assert_uint_eq(handler.ingress.port, ntohs(((struct sockaddr_in *)&at.at)->sin_port));
    ck_assert_int_eq(strncmp(handler.ingress.client, "127.0.0.1:", 10), 0);
    ck_assert_str_eq(handler.ingress.address, "127.0.0.1");
    int fd = call(&own);
    loop_turn(loop, false);
    kraken.name = "renamed"; /* an open connection keeps the name that it was accepted with */
    ck_assert(listeners_apply(listeners, &config, error, sizeof error));
    const char *get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    ck_assert_int_eq(write(fd, get, strlen(get)), (ssize_t)strlen(get));
    hear(fd, "{}");
    ck_assert_str_eq(handler.upstream, "kraken");
    ck_assert(handler.ingress.is_unix && handler.ingress.is_loopback);
    ck_assert_uint_eq(handler.ingress.port, 0);
    ck_assert_str_eq(handler.ingress.client, "unix");
    ck_assert_str_eq(handler.ingress.address, "");
    ck_assert(handler.ingress.has_uid && handler.ingress.uid == getuid());
    close(fd);
    loop_turn(loop, false);
    finish();
}
END_TEST

START_TEST(test_own)
{
    begin();
    uint16_t port = free_port(), wild = free_port();
    struct config_address at[] = {tcp("127.0.0.1", port), tcp("0.0.0.0", wild), unix_socket("s")};
    ck_assert(apply_all(at, 3));
    const struct {
        struct config_address address;
        bool own;
    } rows[] = {
        {tcp("127.0.0.1", port), true},
        {tcp("127.0.0.1", (uint16_t)(port + 1)), false},
        {tcp("127.0.0.2", port), false},
        {tcp("0.0.0.0", port), true},
        {tcp("::ffff:127.0.0.1", port), true},
        {tcp("::1", port), false},
        {tcp("127.0.0.1", wild), true},
        {tcp("127.9.9.9", wild), true},
        {tcp("192.0.2.1", wild), false},
        {tcp("0.0.0.0", wild), true},
        {tcp("::ffff:192.0.2.1", wild), false},
        {unix_socket("s"), true},
        {unix_socket("t"), false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_msg(listeners_own(listeners, (const struct sockaddr *)&rows[i].address.at) ==
                          rows[i].own,
                      "row %zu", i);
    finish();
}
END_TEST

/* A socket that another process made listen there. */
static int given(struct config_address *a)
{
    int fd = socket_at(a);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a->at, a->len), 0);
    ck_assert_int_eq(listen(fd, 5), 0);
    return fd;
}

START_TEST(test_adopted)
{
    begin();
    struct config_address at = tcp("127.0.0.1", free_port()), path = unix_socket("s"),
                          other = tcp("127.0.0.1", free_port()),
                          own = tcp("127.0.0.1", free_port());
    int kept = given(&at); /* systemd's own descriptor */
    ck_assert(listeners_adopt(listeners, dup(kept), error, sizeof error));
    ck_assert(listeners_adopt(listeners, given(&path), error, sizeof error));
    ck_assert(apply_all(&other, 1));
    ck_assert_int_eq(call(&other), -1); /* `listen` is overridden */
    ck_assert(strstr(ask(&at, "/one"), "GET /one ") != NULL);
    ck_assert(strstr(ask(&path, "/two"), "GET /two ") != NULL);
    struct config_address owns[] = {at, own};
    struct upstream_config kraken = {.name = "kraken", .listen = {owns, 2}};
    struct upstream_config *upstreams[] = {&kraken};
    struct config config = {.listen = {&other, 1}, .upstreams = upstreams, .upstream_count = 1};
    ck_assert(listeners_apply(listeners, &config, error, sizeof error));
    ask(&at, "/");
    ck_assert_str_eq(handler.upstream, "kraken");
    ask(&own, "/");
    ck_assert_str_eq(handler.upstream, "kraken");
    ask(&path, "/");
    ck_assert_str_eq(handler.upstream, "");
    ck_assert(
        apply_all(&other, 1)); /* adopted ones stay, its own closes, and the name is dropped */
    ask(&at, "/");
    ck_assert_str_eq(handler.upstream, "");
    loop_turn(loop, false);
    ck_assert_int_eq(call(&own), -1);
    ck_assert(listeners_own(listeners, (const struct sockaddr *)&at.at));
    listeners_close(listeners);
    loop_turn(loop, false);
    int waits = call(&at); /* the other holder of the descriptor still listens */
    ck_assert_int_ge(waits, 0);
    close(waits);
    close(kept);
    ck_assert_int_eq(unlink(((struct sockaddr_un *)&path.at)->sun_path),
                     0); /* an adopted path is not removed */
    finish();
}
END_TEST

START_TEST(test_adopted_for_both_families)
{
    begin();
    struct config_address at = tcp("::", free_port());
    uint16_t port = ntohs(((struct sockaddr_in6 *)&at.at)->sin6_port);
    struct config_address four = tcp("127.0.0.1", port), six = tcp("::1", port),
                          far = tcp("192.0.2.1", port);
    ck_assert(listeners_adopt(listeners, given(&at), error, sizeof error));
    ck_assert(apply_all(NULL, 0));
    ck_assert(strstr(ask(&four, "/"), "200") != NULL); /* no allow_clients: it is loopback */
    ck_assert(handler.ingress.is_loopback);
    ck_assert_int_eq(strncmp(handler.ingress.client, "127.0.0.1:", 10), 0);
    ck_assert_str_eq(handler.ingress.address, "127.0.0.1");
    ck_assert(strstr(ask(&six, "/"), "200") != NULL);
    ck_assert_str_eq(handler.ingress.address, "::1");
    ck_assert(listeners_own(listeners, (const struct sockaddr *)&four.at));
    ck_assert(listeners_own(listeners, (const struct sockaddr *)&six.at));
    ck_assert(!listeners_own(listeners, (const struct sockaddr *)&far.at));
    finish();
}
END_TEST

START_TEST(test_not_to_be_adopted)
{
    begin();
    int pipes[2];
    ck_assert_int_eq(pipe(pipes), 0);
    ck_assert(!listeners_adopt(listeners, pipes[0], error, sizeof error));
    ck_assert_ptr_nonnull(strstr(error, "not a listening TCP or unix socket"));
    close(pipes[1]);
    ck_assert(!listeners_adopt(listeners, socket(AF_INET, SOCK_DGRAM, 0), error, sizeof error));
    ck_assert(!listeners_adopt(listeners, socket(AF_INET, SOCK_STREAM, 0), error, sizeof error));
    finish();
}
END_TEST

/* A non-loopback address of this machine is used in place of another machine's. */
static bool stranger(struct config_address *a, uint16_t port)
{
    struct config_address far = tcp("192.0.2.1", 9);
    socklen_t len = sizeof a->at;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    *a = far;
    bool found = connect(fd, (struct sockaddr *)&far.at, far.len) == 0 &&
                 getsockname(fd, (struct sockaddr *)&a->at, &len) == 0 &&
                 ((struct sockaddr_in *)&a->at)->sin_addr.s_addr != htonl(INADDR_LOOPBACK);
    close(fd);
    ((struct sockaddr_in *)&a->at)->sin_port = htons(port);
    return found;
}

START_TEST(test_allow_clients)
{
    begin();
    uint16_t port = free_port();
    struct config_address at = tcp("0.0.0.0", port), from, local = tcp("127.0.0.1", port);
    size_t open;
    uint64_t accepted, rejected;
    struct config_cidr cidrs[2] = {{.prefix = 31}, {.prefix = 8}};
    cidrs[1].network = tcp("198.0.0.0", 0).at;
    cidrs[0].network = cidrs[1].network;
    ck_assert(apply(&at, 1, (struct config_cidrs){cidrs, 2}));
    ck_assert(strstr(ask(&local, "/"), "200") != NULL); /* loopback is always allowed */
    if (stranger(&from, port)) {
        ck_assert_str_eq(ask(&from, "/"), "");
        clients_count(clients, &open, &accepted, &rejected);
        ck_assert_uint_eq(rejected, 1);
        cidrs[0].network = from.at;
        ck_assert(apply(&at, 1, (struct config_cidrs){cidrs, 2}));
        ck_assert(strstr(ask(&from, "/"), "200") != NULL);
    }
    finish();
}
END_TEST

/* What linger is for: the response to a client that still sends is not destroyed by a reset. */
START_TEST(test_answer_survives_unread_input)
{
    static char junk[60000];
    begin();
    struct config_address at = tcp("127.0.0.1", free_port());
    ck_assert(apply_all(&at, 1));
    for (unsigned i = 0; i < 20; i++) {
        int fd = call(&at);
        memset(junk, 'j', sizeof junk);
        memcpy(junk, "BREW / HTTP/1.1\r\n", 17);
        ck_assert_int_gt(write(fd, junk, sizeof junk), 0);
        for (unsigned n = 0; n < 5; n++) {
            loop_turn(loop, false);
            (void)!write(fd, junk, 1000);
        }
        ck_assert(strstr(hear(fd, NULL), "HTTP/1.1 501 ") != NULL);
        close(fd);
        loop_turn(loop, false);
    }
    finish();
}
END_TEST

SUITE()
{
    TEST(test_tcp_and_unix);
    TEST(test_in_use);
    TEST(test_unix_stale_and_used);
    TEST(test_reload);
    TEST(test_nowhere);
    TEST(test_missing_folder);
    TEST(test_ingress);
    TEST(test_own);
    TEST(test_adopted);
    TEST(test_adopted_for_both_families);
    TEST(test_not_to_be_adopted);
    TEST(test_allow_clients);
    TEST(test_answer_survives_unread_input);
}
