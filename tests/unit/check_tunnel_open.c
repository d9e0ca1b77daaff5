/* CONNECT and upgrades through the proxy to an origin on loopback: what is dialled and when, how
 * the tunnel ends, what is counted, and a client that disconnects in each state. */
#include "config_fixture.h"
#include "fake_stream.h"
#include "kept_log.h"
#include "proxy/tunnel.h"
#include "suite.h"
#include "transaction_fixture.h"

#define UPGRADE "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define SWITCHING                                                                                  \
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: Upgrade\r\n"            \
    "Sec-WebSocket-Accept: x\r\n\r\n"

static struct lingering *linger;
static struct fake_stream client;
static struct buf ahead;
static unsigned over;

static void on_origin(void *owner)
{
    (void)owner;
}

static void on_over(void *owner)
{
    struct test_client *a = owner;
    a->recorder.tunnel = NULL;
    over++;
}

static const struct tunnel_events events = {on_origin, on_over};

static void open_proxy(const char *directives)
{
    begin(directives);
    linger = linger_new(loop);
    fake_stream_init(&client);
    over = 0;
}

static void shut_proxy(void)
{
    linger_free(linger);
    if (client.base.events) {
        loop_turn(loop, false);
        fake_stream_free(&client);
    }
    finish();
}

static void connect_to(struct test_client *a, uint16_t port)
{
    prepare(a, "CONNECT", "");
    a->request.target = SPAN("a.example:443");
    struct route route = {.kind = ROUTE_UPSTREAM,
                          .form = FORM_CONNECT,
                          .listed = port == 80 ? NULL : find(config, "a"),
                          .origin = {.secure = true, .host = SPAN("a.example"), .port = port},
                          .path = SPAN("a.example:443"),
                          .answers_first = port == 80};
    recorder_init(&a->recorder, &a->heard);
    a->recorder.exchange =
        proxy_open(proxy, &a->request, &ingress, &route, &recorder_events, &a->recorder);
    conclude(a);
    ck_assert_uint_eq(a->recorder.switched + a->recorder.ended, 0); /* never inside the call */
}

static void join(struct test_client *a, const char *said)
{
    buf_append(&ahead, said, strlen(said));
    tunnel_join(a->recorder.tunnel, &client.base, &ahead, linger, &events, a);
}

static void drop(struct test_client *a)
{
    if (a->recorder.tunnel)
        tunnel_close(a->recorder.tunnel);
    clear(a);
}

static bool wrote(const char *text)
{
    return client.written.len && strcmp(client.written.at, text) == 0;
}

/* It is the only entry in progress, and does not count as a request. */
static void is_under_way(const char *state)
{
    struct under_way *all = proxy_under_way(proxy);
    struct under_way_walk walk;
    struct request_view view;
    struct text target = {0};
    ck_assert(all->all.count == 1 && proxy_active(proxy) == 0);
    under_way_walk_begin(all, &walk);
    all->describe(under_way_next(&walk), &view, &target);
    ck_assert_str_eq(progress_word(view.progress.state), state);
    ck_assert_ptr_null(under_way_next(&walk));
    under_way_walk_end(&walk);
    text_free(&target);
}

/* ------------------------------------------------------------------ CONNECT */

START_TEST(test_connect_dials_first)
{
    struct test_client a;
    open_proxy("");
    connect_to(&a, 443);
    is_under_way("connecting");
    UNTIL(a.recorder.switched);
    ck_assert_uint_eq(proxy_under_way(proxy)->all.count, 0);
    ck_assert_uint_eq(a.recorder.status, 200);
    UNTIL(origin.accepted == 1);
    join(&a, "GET / HTTP/1.1\r\n\r\n");
    origin.answer = "anything";
    UNTIL(origin.last.len == 18);
    plain_origin_say(&origin, 0, "anything");
    UNTIL(wrote("anything"));
    ck_assert_uint_eq(look().tunnels, 1);
    ck_assert_uint_eq(look().stats->tunnels_total, 1);
    ck_assert_uint_eq(look().stats->tunnels_bypassing, 1);
    ck_assert_uint_eq(look().stats->traffic.bytes_sent, 18);
    ck_assert_uint_eq(look().stats->traffic.bytes_received, 8);
    ck_assert_uint_eq(look().requests + look().idle + look().connecting, 0);
    ck_assert_uint_eq(proxy_totals(proxy)->succeeded + proxy_totals(proxy)->failed, 0);
    ck_assert_uint_eq(records, 1);
    ck_assert_uint_eq(last_record.status, 200);
    drop(&a);
    ck_assert_uint_eq(look().tunnels, 0);
    shut_proxy();
}
END_TEST

/* A failure is counted and reported like any other error of trunkline's own. */
START_TEST(test_connect_fails_honestly)
{
    struct test_client a;
    open_proxy("");
    uv_close((uv_handle_t *)&origin.listener, NULL);
    loop_turn(loop, false);
    connect_to(&a, 443);
    UNTIL(a.recorder.ended);
    ck_assert_uint_eq(a.recorder.status, 502);
    ck_assert(heard_part(&a, "connection_refused") && heard_part(&a, "Trunkline-Sent=no;"));
    ck_assert_uint_eq(look().stats->failed, 1);
    ck_assert_uint_eq(look().stats->tunnels_total, 0);
    ck_assert_uint_eq(last_record.status, 502);
    clear(&a);
    linger_free(linger);
    pools_free(pools); /* asks the proxy what is frozen */
    proxy_free(proxy);
    tls_set_free(tls);
    config_unref(config);
    text_free(&origin.last);
    loop_run(loop);
    loop_free(loop);
    forget();
}
END_TEST

START_TEST(test_connect_does_not_wait)
{
    static const enum pool_verb verbs[] = {POOL_PAUSE, POOL_DRAIN};
    struct test_client a;
    open_proxy("");
    pool_command(pools_find(pools, find(config, "a"), NULL), verbs[_i % 2]);
    if (_i < 2)
        connect_to(&a, 443);
    else
        ask_whole(&a, "GET", UPGRADE);
    UNTIL(a.recorder.ended);
    ck_assert_uint_eq(a.recorder.status, 503);
    ck_assert(heard_part(&a, "destination_unavailable"));
    ck_assert_uint_eq(origin.accepted, 0);
    clear(&a);
    shut_proxy();
}
END_TEST

START_TEST(test_port_80_is_answered_undialled)
{
    struct test_client a;
    open_proxy("");
    connect_to(&a, 80);
    UNTIL(a.recorder.switched);
    ck_assert_ptr_null(a.recorder.tunnel);
    ck_assert_uint_eq(records, 1);
    ck_assert_uint_eq(proxy_active(proxy), 0);
    clear(&a);
    shut_proxy();
    ck_assert_uint_eq(origin.accepted, 0);
}
END_TEST

/* A connection that was dialled for a tunnel becomes a pooled line if the tunnel turns out to carry
 * plain HTTP. */
START_TEST(test_a_connection_not_needed_becomes_a_line)
{
    struct test_client a, b;
    open_proxy(_i ? "max_connections = 1 min_idle = 1" : "");
    if (_i)
        UNTIL(look().idle == 1);
    connect_to(&a, _i ? 8443 : 443);
    UNTIL(a.recorder.switched);
    tunnel_yield(a.recorder.tunnel);
    clear(&a);
    UNTIL(look().idle == 1);
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = OK;
    ask_whole(&b, "GET", "");
    UNTIL(b.recorder.ended);
    ck_assert_uint_eq(b.recorder.status, 200);
    ck_assert_uint_eq(look().stats->opened, 1);
    ck_assert_uint_eq(origin.accepted, _i ? 2 : 1); /* a connection beyond the cap was closed */
    ck_assert_uint_eq(look().stats->tunnels_total, 0);
    clear(&b);
    shut_proxy();
}
END_TEST

/* Idle lines show that the origin can be reached, so a connection is dialled only when the client
 * has sent something. */
START_TEST(test_idle_lines_vouch)
{
    struct test_client a;
    open_proxy("min_idle = 1");
    UNTIL(look().idle == 1 && origin.accepted == 1);
    connect_to(&a, 443);
    UNTIL(a.recorder.switched);
    ck_assert_ptr_nonnull(a.recorder.tunnel);
    for (int i = 0; i < 20; i++)
        loop_turn(loop, false);
    ck_assert_uint_eq(origin.accepted, 1);
    if (_i == 0) {
        tunnel_yield(a.recorder.tunnel);
        a.recorder.tunnel = NULL;
    }
    if (_i > 0)
        join(&a, "\x16hello\r\n\r\n");
    if (_i > 1) {
        UNTIL(origin.accepted == 2 && origin.last.len);
        ck_assert_str_eq(origin.last.at, "\x16hello\r\n\r\n");
        plain_origin_say(&origin, 1, "back");
        UNTIL(wrote("back"));
    }
    drop(&a); /* 1: while the connection is being dialled */
    shut_proxy();
}
END_TEST

/* The 200 has been sent: a failure can only be reported by a reset. */
START_TEST(test_a_late_dial_that_fails)
{
    struct test_client a;
    open_proxy(_i ? "min_idle = 1\nexits = {\"127.0.0.2\"}" : "min_idle = 1");
    UNTIL(look().idle == 1 && origin.accepted == 1);
    connect_to(&a, 443);
    UNTIL(a.recorder.switched);
    uv_close((uv_handle_t *)&origin.listener, NULL);
    loop_turn(loop, false);
    kept_log_begin(LOG_LEVEL_INFO);
    join(&a, "\x16hello");
    UNTIL(over);
    const char *words = kept_log_end();
    ck_assert_msg(
        strstr(words, _i ? "no connection for a tunnel: connection_refused: exit 127.0.0.2: "
                         : "no connection for a tunnel: connection_refused: "),
        "%s", words);
    ck_assert(client.reset);
    ck_assert_uint_eq(look().tunnels, 0);
    drop(&a);
    linger_free(linger);
    fake_stream_free(&client);
    pools_free(pools); /* asks the proxy what is frozen */
    proxy_free(proxy);
    tls_set_free(tls);
    config_unref(config);
    plain_origin_close(&origin, 0, false);
    for (size_t i = 0; i < ORIGIN_LINES; i++)
        text_free(&origin.lines[i].got);
    text_free(&origin.last);
    loop_run(loop);
    loop_free(loop);
    forget();
}
END_TEST

START_TEST(test_connect_has_a_deadline)
{
    struct test_client a;
    open_proxy("total_timeout = 3s");
    connect_to(&a, 443);
    loop_skip(loop, 3001); /* the loop has not polled since */
    ck_assert_uint_eq(a.recorder.status, 504);
    ck_assert(heard_part(&a, "connection_timeout") && heard_part(&a, "Trunkline-Sent=no;"));
    clear(&a);
    shut_proxy();
}
END_TEST

/* Why, as its client hardly says; of other requests it does. */
START_TEST(test_a_refused_connect_is_logged)
{
    struct test_client a;
    open_proxy("");
    prepare(&a, _i ? "GET" : "CONNECT", "");
    a.request.target = SPAN("b.example:443");
    struct verdict why = verdict_make(FAILURE_HTTP_REQUEST_DENIED, SENT_NO, "not this host");
    why.status = 403;
    recorder_init(&a.recorder, &a.heard);
    kept_log_begin(LOG_LEVEL_WARN);
    a.recorder.exchange =
        proxy_refuse(proxy, &a.request, &ingress, NULL, &why, &recorder_events, &a.recorder);
    conclude(&a);
    UNTIL(a.recorder.ended);
    const char *words = kept_log_end();
    ck_assert_uint_eq(a.recorder.status, 403);
    ck_assert_msg(_i ? !*words
                     : strstr(words, "CONNECT b.example:443 refused: not this host") != NULL,
                  "%s", words);
    clear(&a);
    shut_proxy();
}
END_TEST

/* ----------------------------------------------------------------- upgrades */

START_TEST(test_an_upgrade_becomes_a_tunnel)
{
    struct test_client a;
    open_proxy("");
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = _i ? SWITCHING "first frame" : SWITCHING;
    ask_whole(&a, "GET", UPGRADE "TE: trailers\r\nSec-WebSocket-Key: k\r\n");
    UNTIL(a.recorder.switched);
    ck_assert_str_eq(a.heard.at, "switch 101 Switching Protocols upgrade=WebSocket;Connection="
                                 "Upgrade;Sec-WebSocket-Accept=x;");
    ck_assert_ptr_nonnull(
        strstr(origin.last.at, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"));
    ck_assert_ptr_nonnull(strstr(origin.last.at, "\r\nSec-WebSocket-Key: k\r\n"));
    ck_assert_ptr_null(strstr(origin.last.at, "TE"));
    uint64_t received = look().stats->traffic.bytes_received;
    join(&a, "");
    if (_i == 0)
        plain_origin_say(&origin, 0, "first frame");
    UNTIL(wrote("first frame"));
    ck_assert_uint_eq(look().stats->traffic.bytes_received, received + (_i ? 0 : 11));
    ck_assert_uint_eq(look().tunnels, 1);
    ck_assert_uint_eq(look().stats->tunnels_bypassing, 0);
    ck_assert_uint_eq(look().idle + look().active + look().connecting, 0);
    ck_assert_uint_eq(look().stats->opened, 0);
    ck_assert_uint_eq(look().stats->succeeded, 1);
    ck_assert_uint_eq(look().stats->status[0], 1);
    ck_assert_uint_eq(last_record.status, 101);
    drop(&a);
    shut_proxy();
}
END_TEST

static const struct {
    const char *answer;
    unsigned status;
    const char *heard;
} refusals[] = {
    {"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", 403, "body(no)"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "end {}"},
    {"HTTP/1.1 426 Old\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n",
     426, "end {}"},
    {"HTTP/1.1 101 Odd\r\nUpgrade: tea\r\nConnection: Upgrade\r\n\r\n", 502, "http_protocol_error"},
    {"HTTP/1.1 101 Odd\r\n\r\n", 502, "http_protocol_error"},
    {"HTTP/1.0 101 Odd\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 502,
     "http_protocol_error"},
    {"HTTP/1.1 101 Odd\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 3\r\n\r\n",
     502, "http_protocol_error"},
};

START_TEST(test_a_refused_upgrade_is_an_answer)
{
    struct test_client a;
    open_proxy("");
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = refusals[_i].answer;
    ask_whole(&a, "GET", UPGRADE);
    UNTIL(a.recorder.ended);
    ck_assert_uint_eq(a.recorder.status, refusals[_i].status);
    ck_assert_msg(heard_part(&a, refusals[_i].heard), "%s", a.heard.at);
    ck_assert_uint_eq(look().stats->tunnels_total, 0);
    ck_assert_uint_eq(look().idle + look().active, 0); /* its line is closed, not pooled */
    ck_assert_uint_eq(origin.requests, 1);
    clear(&a);
    shut_proxy();
}
END_TEST

/* A 101 that was not requested: it answers an ordinary request. */
/* A 421: once more, on a connection of its own again. */
START_TEST(test_an_upgrade_goes_elsewhere)
{
    struct test_client a;
    open_proxy("");
    ask_whole(&a, "GET", UPGRADE);
    UNTIL(origin.requests == 1);
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = SWITCHING;
    plain_origin_say(&origin, 0, "HTTP/1.1 421 No\r\nContent-Length: 900\r\n\r\nmore");
    UNTIL(a.recorder.switched);
    ck_assert_uint_eq(origin.accepted, 2);
    UNTIL(origin.lines[0].stream == NULL);
    drop(&a);
    shut_proxy();
}
END_TEST

/* What a freeze met on its way becomes a tunnel that it stops at the client's first word; without a
 * freeze it is none of its business. */
START_TEST(test_a_freeze_meets_an_upgrade)
{
    struct test_client a;
    open_proxy("");
    ask_whole(&a, "GET", UPGRADE);
    UNTIL(origin.requests == 1);
    if (_i)
        ck_assert(freezes_begin(proxy_freezes(proxy), "a", NULL, "a test"));
    plain_origin_say(&origin, 0, SWITCHING);
    UNTIL(a.recorder.switched);
    if (_i == 0) /* it begins afterwards: those that are open go on */
        ck_assert(freezes_begin(proxy_freezes(proxy), "a", NULL, "a test"));
    join(&a, "hello");
    if (_i)
        UNTIL(over == 1);
    else
        UNTIL(origin.last.len >= 5 && strstr(origin.last.at, "hello"));
    ck_assert_uint_eq(over, (unsigned)_i);
    drop(&a);
    shut_proxy();
}
END_TEST

START_TEST(test_a_101_nobody_asked_for)
{
    struct test_client a;
    open_proxy("");
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = SWITCHING;
    ask_whole(&a, "GET", "Upgrade: websocket\r\n");
    UNTIL(a.recorder.ended);
    ck_assert_uint_eq(a.recorder.status, 502);
    clear(&a);
    shut_proxy();
}
END_TEST

START_TEST(test_an_upgrade_has_deadlines)
{
    struct test_client a;
    open_proxy("response_timeout = 5s total_timeout = 6s");
    ask_whole(&a, "GET", UPGRADE);
    UNTIL(origin.requests == 1);
    loop_skip(loop, 5001);
    UNTIL(a.recorder.ended);
    ck_assert_uint_eq(a.recorder.status, 504);
    ck_assert(heard_part(&a, "http_response_timeout") && heard_part(&a, "Trunkline-Sent=yes"));
    clear(&a);
    shut_proxy();
}
END_TEST

/* The client disconnects: 0: at once; 1: a moment later; 2: when the origin has the request. */
START_TEST(test_its_client_leaves)
{
    struct test_client a;
    open_proxy("");
    if (_i % 2)
        connect_to(&a, 443);
    else
        ask_whole(&a, "GET", UPGRADE);
    if (_i / 2 == 1)
        loop_turn(loop, false);
    if (_i == 4)
        UNTIL(origin.requests == 1);
    if (a.recorder.exchange)
        recorder_cancel(&a.recorder);
    for (int i = 0; i < 20; i++)
        loop_turn(loop, false);
    ck_assert_uint_eq(a.recorder.ended + a.recorder.failed, 0);
    ck_assert_uint_eq(look().tunnels + look().requests, 0);
    drop(&a);
    shut_proxy();
}
END_TEST

/* A CONNECT, of which nothing is known: refused while it dials, when it comes later, and when its
 * client says its first word. */
START_TEST(a_freeze_stops_tunnels_that_begin)
{
    struct test_client dialled, later, silent;
    struct freezes *f;
    open_proxy("");
    f = proxy_freezes(proxy);
    connect_to(&silent, 443);
    UNTIL(silent.recorder.switched);
    connect_to(&dialled, 443);
    ck_assert(freezes_begin(f, "a", NULL, "a test"));
    connect_to(&later, 443);
    UNTIL(dialled.recorder.ended && later.recorder.ended);
    ck_assert_uint_eq(dialled.recorder.status, 503);
    ck_assert(heard_part(&dialled, "frozen") && heard_part(&later, "frozen"));
    ck_assert_uint_eq(look().tunnels, 0);
    join(&silent, "hello");
    UNTIL(over == 1);
    ck_assert_uint_eq(look().stats->traffic.bytes_received, 0);
    ck_assert(client.closed);
    drop(&dialled), drop(&later), drop(&silent);
    shut_proxy();
}
END_TEST

SUITE()
{
    TEST(a_freeze_stops_tunnels_that_begin);
    TEST(test_connect_dials_first);
    TEST(test_connect_fails_honestly);
    LOOP(test_connect_does_not_wait, 0, 4);
    TEST(test_port_80_is_answered_undialled);
    LOOP(test_a_connection_not_needed_becomes_a_line, 0, 2);
    LOOP(test_idle_lines_vouch, 0, 3);
    LOOP(test_a_late_dial_that_fails, 0, 2);
    LOOP(test_a_refused_connect_is_logged, 0, 2);
    TEST(test_connect_has_a_deadline);
    LOOP(test_an_upgrade_becomes_a_tunnel, 0, 2);
    LOOP(test_a_refused_upgrade_is_an_answer, 0, COUNT_OF(refusals));
    TEST(test_an_upgrade_goes_elsewhere);
    LOOP(test_a_freeze_meets_an_upgrade, 0, 2);
    TEST(test_a_101_nobody_asked_for);
    TEST(test_an_upgrade_has_deadlines);
    LOOP(test_its_client_leaves, 0, 5);
}
