/* Requests to an upstream with two endpoints, both on loopback: which of them is asked, and when a request
 * moves on to the next. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config_fixture.h"
#include "proxy/tunnel.h"
#include "suite.h"
#include "transaction_fixture.h"
#include "upstream/endpoint_choice.h"

#define UPGRADE "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define SWITCHING                                                                                  \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

static struct plain_origin second;
static struct config *first_config;
static struct tls_set *first_tls;
static int clogged[3]; /* a listener, and the connections that fill its queue */

/* `first` and the port of `then` are its endpoints. */
static void begin_with(uint16_t first, uint16_t then, const char *directives)
{
    struct text text = {0};
    text_printf(&text,
                "defaults { tls_verify = no }\nupstream a {\n"
                "endpoints = {\"http://127.0.0.1:%u\", \"http://127.0.0.1:%u\"}\n%s\n}\n",
                first, then, directives);
    first_config = config;
    first_tls = tls;
    config = parse_good(text.at);
    text_free(&text);
    tls = tls_set_new(config, complain, &complaints);
    pools_apply(pools, config, tls);
    proxy_configure(proxy, config);
}

static void begin_two(const char *directives)
{
    resolves = true;
    begin("");
    plain_origin_start(&second, loop);
    begin_with(origin.port, second.port, directives);
}

/* The first endpoint is a port to which no connection comes about, and none is refused. */
static void begin_clogged(const char *directives)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    resolves = true;
    begin("");
    plain_origin_start(&second, loop);
    clogged[0] = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(clogged[0], (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(clogged[0], 0), 0);
    ck_assert_int_eq(getsockname(clogged[0], (struct sockaddr *)&at, &len), 0);
    for (size_t i = 1; i < COUNT_OF(clogged); i++) {
        clogged[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(clogged[i], (struct sockaddr *)&at, sizeof at);
    }
    begin_with(ntohs(at.sin_port), second.port, directives);
}

static void end(void)
{
    for (size_t i = 0; i < COUNT_OF(clogged); i++)
        if (clogged[i])
            close(clogged[i]);
    plain_origin_end(&second);
    finish();
    config_unref(first_config);
    tls_set_free(first_tls);
}

/* A GET that is answered after so many milliseconds; or, by the first endpoint if that is `silent`, not
 * within two seconds, after which its client leaves. Returns the endpoint that was asked. */
static size_t get(uint64_t ms, bool silent)
{
    struct test_client a;
    unsigned before[] = {origin.requests, second.requests};
    ask_whole(&a, "GET", "");
    UNTIL(origin.requests + second.requests == before[0] + before[1] + 1);
    size_t i = second.requests > before[1];
    struct plain_origin *asked = i ? &second : &origin;
    if (i || !silent) {
        loop_skip(loop, ms);
        plain_origin_say(asked, (asked->accepted - 1) % ORIGIN_LINES, OK);
        UNTIL(a.recorder.ended);
        ck_assert_uint_eq(a.recorder.status, 200);
    } else {
        loop_skip(loop, 2001);
        loop_turn(loop, false);
        if (!a.recorder.ended)
            recorder_cancel(&a.recorder);
    }
    loop_turn(loop, false);
    clear(&a);
    return i;
}

/* Each is asked as often as it takes to know it. */
static void learn(void)
{
    for (unsigned i = 0; i < 2 * ENDPOINT_LEARN; i++)
        (void)get(10, false);
    ck_assert(origin.requests == ENDPOINT_LEARN && second.requests == ENDPOINT_LEARN);
}

/* Then one of them, until it answers no more: that a client did not wait to the end says so too. */
START_TEST(one_that_does_not_answer_is_left)
{
    unsigned to_first = 0;
    begin_two(_i ? "response_timeout = 2s" : "");
    learn();
    for (int i = 0; i < 10; i++)
        to_first += get(1, false) == 0;
    ck_assert_uint_eq(to_first, 10);
    for (int i = 0; i < 5; i++)
        (void)get(1, true);
    to_first = 0;
    for (int i = 0; i < 10; i++)
        to_first += get(1, false) == 0;
    ck_assert_uint_le(to_first, 1); /* a probe */
    end();
}
END_TEST

/* Half of order_wait is for the first endpoint, the rest for the next: of an order, and of an upgrade, which
 * has a connection of its own. */
START_TEST(the_next_is_dialled_in_time)
{
    struct test_client a;
    begin_clogged("order_wait = 2s\nconnect_timeout = 10s\ntotal_timeout = 20s");
    second.manner = ORIGIN_ANSWERS;
    second.answer = _i ? SWITCHING : OK;
    ask_whole(&a, _i ? "GET" : "POST", _i ? UPGRADE : "");
    turn_for(loop, 5);
    loop_skip(loop, 999);
    turn_for(loop, 5);
    ck_assert(second.accepted == 0 && !a.recorder.ended);
    loop_skip(loop, 2);
    UNTIL(a.recorder.ended || a.recorder.switched);
    ck_assert_msg(a.recorder.switched == (unsigned)_i && (_i || a.recorder.status == 200), "%s",
                  a.heard.at);
    ck_assert_uint_eq(second.requests, 1);
    if (_i)
        tunnel_close(a.recorder.tunnel);
    clear(&a);
    end();
}
END_TEST

SUITE()
{
    LOOP(one_that_does_not_answer_is_left, 0, 2);
    LOOP(the_next_is_dialled_in_time, 0, 2);
}
