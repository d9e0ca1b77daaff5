/* What a client connection becomes after CONNECT or an upgrade: a tunnel, plain HTTP inside the
 * tunnel, or neither. In every state it is disconnected, drained and freed. */
#include "client_fixture.h"
#include "fake_connector.h"
#include "proxy/tunnel.h"
#include "suite.h"

#define CONNECT "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"
#define HELLO "\x16\x03\x01 hello"
#define INSIDE "GET /in HTTP/1.1\r\nHost: h\r\n\r\n"
#define UPGRADE "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

static struct pool *pool;
static struct fake_stream origin;
static bool freed;

static void complain(void *context, const char *message)
{
    (void)context;
    ck_abort_msg("%s", message);
}

static void on_empty(void *owner, struct pool *p)
{
    (void)owner;
    (void)p;
}

static struct connector *make_connector(void *context)
{
    return &fake_connector_new(context)->base;
}

static void begin_with_pool(void)
{
    static const char text[] = "upstream a { url = \"https://h\" }";
    static const struct pool_origin name = {"a", "https://h:443", "h", "h:443", true};
    begin();
    freed = false;
    struct config *config = config_parse("t.conf", text, strlen(text), complain, NULL);
    const struct way_maker maker = {make_connector, &freed};
    pool = pool_new(loop, &maker, config, config_find(config, "a", 1), &name, on_empty, NULL);
    config_unref(config);
    fake_stream_init(&origin);
}

static void finish_with_pool(void)
{
    clients_free(clients);
    clients = NULL;
    pool_free(pool);
    ck_assert(freed);
    if (origin.base.owner)
        fake_stream_free(&origin);
    linger_free(linger);
    loop_turn(loop, false);
    fake_handler_free(&handler);
    fake_stream_free(&stream);
    loop_free(loop);
}

/* The handler's response, with a tunnel or without. */
static void answer(unsigned status, bool dialled, bool looks)
{
    struct switched to = {.looks = looks, .host = SPAN("h"), .port = 443};
    if (dialled)
        to.tunnel = tunnel_new(loop, pool, pool_ways(pool)->at[0], TUNNEL_CONNECT, &origin.base,
                               (struct span){0});
    fake_switch(&handler, status, &to);
    turn();
}

static size_t tunnels(void)
{
    struct pool_view v;
    pool_describe(pool, &v);
    return v.tunnels;
}

static const char *reached(void)
{
    return origin.written.len ? origin.written.at : "";
}

static const char *const connects[] = {
    CONNECT,
    "CONNECT h:443 HTTP/1.0\r\n\r\n",
    "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n",
    "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nConnection: close\r\n\r\n",
    "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nProxy-Connection: Keep-Alive\r\n"
    "Content-Length: 0\r\n\r\n",
};

START_TEST(tls_inside_is_tunnelled)
{
    begin_with_pool();
    say(connects[_i]);
    ck_assert(!has("HTTP/1.1")); /* no response is sent before the handler responds */
    answer(200, true, true);
    ck_assert_str_eq(got(), "HTTP/1.1 200 Fine\r\n\r\n");
    ck_assert_uint_eq(tunnels(), 0);
    say(HELLO);
    ck_assert_uint_eq(tunnels(), 1);
    ck_assert_str_eq(reached(), HELLO);
    forget();
    ck_assert(fake_stream_feed(&origin, "server's", 8));
    ck_assert_str_eq(got(), "server's");
    ck_assert(is_open());
    fake_stream_end(&stream, STREAM_EOF);
    ck_assert(origin.shut && is_open());
    fake_stream_end(&origin, STREAM_EOF);
    turn();
    ck_assert(stream.closed && !is_open());
    finish_with_pool();
}
END_TEST

START_TEST(bytes_before_the_answer_are_kept)
{
    begin_with_pool();
    say(_i ? "CONNECT h:443 HTTP/1.0\r\n\r\n" HELLO : CONNECT HELLO);
    say("more");
    answer(200, true, true);
    ck_assert_str_eq(reached(), HELLO "more");
    finish_with_pool();
}
END_TEST

START_TEST(the_origin_may_speak_first)
{
    begin_with_pool();
    say(CONNECT);
    answer(200, true, true);
    forget();
    ck_assert(fake_stream_feed(&origin, "220 hi", 6));
    turn();
    ck_assert_str_eq(got(), "220 hi");
    say("HELO not HTTP");
    ck_assert_str_eq(reached(), "HELO not HTTP");
    finish_with_pool();
}
END_TEST

/* On other ports the first byte is not examined. */
START_TEST(a_tunnel_to_another_port)
{
    begin_with_pool();
    say("CONNECT h:22 HTTP/1.1\r\nHost: h:22\r\n\r\n");
    answer(200, true, false);
    ck_assert_uint_eq(tunnels(), 1);
    say(INSIDE);
    ck_assert_str_eq(reached(), INSIDE);
    finish_with_pool();
}
END_TEST

START_TEST(plain_http_inside_is_parsed_on)
{
    begin_with_pool();
    say(connects[_i % 5]);
    answer(200, _i < 5, true);
    forget();
    handler.echo = true;
    for (int n = 0; n < 3; n++) {
        say(INSIDE);
        ck_assert(has("HTTP/1.1 200 OK") && has("GET /in"));
        ck_assert_str_eq(handler.tunnel, "h");
        ck_assert_uint_eq(handler.ingress.tunnel_port, 443);
        forget();
    }
    ck_assert_uint_eq(handler.opened, 4);
    ck_assert_uint_eq(tunnels(), 0);
    ck_assert(_i >= 5 || origin.closed); /* dialled in vain */
    ck_assert_str_eq(reached(), "");
    finish_with_pool();
}
END_TEST

/* Data directly after the head, in pieces of any size. */
START_TEST(http_behind_the_head)
{
    const char all[] = CONNECT INSIDE INSIDE;
    begin_with_pool();
    for (size_t at = 0, n = (size_t)_i; at < strlen(all); at += n) {
        n = strlen(all) - at < n ? strlen(all) - at : n;
        ck_assert(fake_stream_feed(&stream, all + at, n));
    }
    handler.echo = true;
    answer(200, false, true);
    for (int n = 0; n < 10; n++) {
        loop_skip(loop, 0);
        turn();
    }
    say(INSIDE);
    ck_assert_uint_eq(handler.opened, 4);
    finish_with_pool();
}
END_TEST

START_TEST(tls_where_nothing_is_dialled_is_closed)
{
    begin_with_pool();
    say(CONNECT);
    answer(200, false, true);
    say(HELLO);
    ck_assert(stream.closed && !is_open());
    finish_with_pool();
}
END_TEST

/* Bytes that follow a refused CONNECT were meant for the tunnel. */
START_TEST(a_refused_connect_ends_the_connection)
{
    begin_with_pool();
    say(CONNECT INSIDE);
    fake_head(&handler, 502, FRAMING_LENGTH, 0);
    fake_end(&handler);
    turn();
    ck_assert(has("502") && has("Connection: close"));
    ck_assert_uint_eq(handler.opened, 1);
    ck_assert(!is_open());
    finish_with_pool();
}
END_TEST

START_TEST(an_upgrade_is_relayed)
{
    begin_with_pool();
    say(UPGRADE "early frame");
    answer(101, true, false);
    ck_assert_str_eq(got(), "HTTP/1.1 101 Fine\r\n\r\n");
    ck_assert_str_eq(reached(), "early frame");
    ck_assert_uint_eq(tunnels(), 1);
    finish_with_pool();
}
END_TEST

START_TEST(a_refused_upgrade_is_an_answer)
{
    begin_with_pool();
    say(UPGRADE);
    fake_head(&handler, 403, FRAMING_LENGTH, 0);
    fake_end(&handler);
    turn();
    ck_assert(has("403") && !has("Connection: close"));
    handler.echo = true;
    say(GET);
    ck_assert(has("GET /a"));
    finish_with_pool();
}
END_TEST

/* 0: CONNECT has not been answered; 1: examining the first byte; 2: the same, with nothing dialled;
 * 3: relaying. */
static void go_to_state(int state)
{
    begin_with_pool();
    say(CONNECT);
    if (state > 0)
        answer(200, state != 2, true);
    if (state == 3)
        say(HELLO);
}

START_TEST(the_client_leaves)
{
    go_to_state(_i);
    fake_stream_end(&stream, STREAM_RESET);
    turn();
    ck_assert(stream.closed && !is_open());
    ck_assert_uint_eq(tunnels(), 0);
    ck_assert(origin.base.owner == NULL || origin.closed);
    finish_with_pool();
}
END_TEST

START_TEST(the_daemon_drains)
{
    go_to_state(_i);
    clients_drain(clients);
    clients_dismiss(clients);
    turn();
    ck_assert(is_open() == (_i == 0 || _i == 3)); /* the others are idle */
    finish_with_pool();
}
END_TEST

START_TEST(the_daemon_ends)
{
    go_to_state(_i);
    finish_with_pool();
    ck_assert_uint_eq(handler.cancelled, _i == 0);
}
END_TEST

START_TEST(an_undecided_one_is_idle)
{
    go_to_state(1 + _i % 2);
    loop_skip(loop, limits.idle_timeout_ms + 1);
    turn();
    ck_assert(!is_open());
    finish_with_pool();
}
END_TEST

START_TEST(a_tunnel_has_no_deadline)
{
    go_to_state(3);
    loop_skip(loop, 7 * 24 * 3600 * 1000);
    turn();
    ck_assert(is_open());
    ck_assert_uint_eq(tunnels(), 1);
    finish_with_pool();
}
END_TEST

SUITE()
{
    LOOP(tls_inside_is_tunnelled, 0, 5);
    LOOP(bytes_before_the_answer_are_kept, 0, 2);
    TEST(the_origin_may_speak_first);
    TEST(a_tunnel_to_another_port);
    LOOP(plain_http_inside_is_parsed_on, 0, 10);
    LOOP(http_behind_the_head, 1, 60);
    TEST(tls_where_nothing_is_dialled_is_closed);
    TEST(a_refused_connect_ends_the_connection);
    TEST(an_upgrade_is_relayed);
    TEST(a_refused_upgrade_is_an_answer);
    LOOP(the_client_leaves, 0, 4);
    LOOP(the_daemon_drains, 0, 4);
    LOOP(the_daemon_ends, 0, 4);
    LOOP(an_undecided_one_is_idle, 0, 2);
    TEST(a_tunnel_has_no_deadline);
}
