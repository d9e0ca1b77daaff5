/* The client side over a fake stream and a fake handler: every cut of the
 * input, every state to cancel in, back-pressure both ways, each timeout. */
#include <check.h>
#include <stdio.h>

#include "fake_handler.h"
#include "fake_stream.h"
#include "front/client.h"

static struct loop *loop;
static struct lingering *linger;
static struct clients *clients;
static struct fake_handler handler;
static struct fake_stream stream;
static const struct client_limits limits = {.max_clients = 2,
                                            .header_timeout_ms = 10000,
                                            .idle_timeout_ms = 600000,
                                            .body_timeout_ms = 30000,
                                            .max_header_size = 4096,
                                            .max_uri_size = 1024};
static const struct ingress ingress = {.is_loopback = true, .port = 8642, .client = "127.0.0.1:9"};

static void begin(void)
{
    loop = loop_new();
    linger = linger_new(loop);
    fake_handler_init(&handler, loop);
    clients = clients_new(loop, linger, &handler.handler, &limits);
    fake_stream_init(&stream);
    clients_accept(clients, &stream.base, &ingress);
}

static void begin_echo(void)
{
    begin();
    handler.echo = true;
}

static void finish(void)
{
    clients_free(clients);
    linger_free(linger);
    loop_turn(loop, false);
    fake_handler_free(&handler);
    fake_stream_free(&stream);
    loop_free(loop);
}

static void turn(void)
{
    loop_turn(loop, false);
}

static void say(const char *text)
{
    ck_assert(fake_stream_feed(&stream, text, strlen(text)));
    turn();
}

static const char *got(void)
{
    return stream.written.len ? stream.written.at : "";
}

static bool has(const char *part)
{
    return strstr(got(), part) != NULL;
}

static void forget(void)
{
    text_clear(&stream.written);
    stream.writes = 0;
}

static bool is_open(void)
{
    size_t open;
    uint64_t accepted, rejected;
    clients_count(clients, &open, &accepted, &rejected);
    return open == 1;
}

#define GET "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

/* ------------------------------------------------------------ every cut */

static const struct {
    const char *input, *start; /* the answer starts so, */
    const char *part;          /* holds this, */
    bool keeps;                /* and the connection stays */
} cases[] = {
    {GET, "HTTP/1.1 200 ", "GET /a Host=h; [] {}", true},
    {"\r\n\r\n" GET, "HTTP/1.1 200 ", "GET /a Host=h; [] {}", true},
    {"GET / HTTP/1.1\r\nHost:h\r\nEmpty:\r\nX:  a b \t\r\n\r\n", "HTTP/1.1 200 ",
     "GET / Host=h;Empty=;X=a b; [] {}", true},
    {"POST /o HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200 ",
     "Content-Length=5; [hello] {}", true},
    {"POST /o HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 ",
     "Content-Length=0; [] {}", true},
    {"POST /o HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
     "3;x=y\r\nabc\r\n5\r\n12345\r\n0\r\nT: one\r\nU:\r\n\r\n",
     "HTTP/1.1 200 ", "[abc12345] {T=one;U=;}", true},
    {"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
     "HTTP2-Settings: AAA\r\n\r\n" GET,
     "HTTP/1.1 200 ", "GET /a Host=h; [] {}", true},
    {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" GET, "HTTP/1.1 200 ",
     "Connection: close\r\n", false},
    {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 ", "Connection: close\r\n", false},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 200 ",
     "Connection: keep-alive\r\n", true},
    {"GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n"
     "GET /a HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n",
     "HTTP/1.1 200 ", "GET /a Proxy", true},
    {"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n\x16\x03\x01", "HTTP/1.1 200 ",
     "Connection: close\r\n", false},
    {"HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 ", "Content-Length: 21\r\n\r\n", true},
    {"M-SEARCH /a HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 ", "M-SEARCH /a", true},
    /* refused */
    {"GET /\r\n\r\n", "HTTP/1.1 505 ", "Connection: close\r\n", false},
    {"GET / HTTP/0.9\r\n\r\n", "HTTP/1.1 505 ", "Trunkline-Sent: no\r\n", false},
    {"GET / HTTP/1.2\r\n\r\n", "HTTP/1.1 505 ", "http_request_error", false},
    {"GET / HTTP/2.0\r\n\r\n", "HTTP/1.1 505 ", "http_request_error", false},
    {"GET / HTTP/3.1\r\n\r\n", "HTTP/1.1 505 ", "http_request_error", false},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 505 ", "http_request_error", false},
    {"GET / RTSP/1.0\r\n\r\n", "HTTP/1.1 505 ", "http_request_error", false},
    {"SETUP rtsp://h RTSP/1.0\r\n\r\n", "HTTP/1.1 505 ", "http_request_error", false},
    {"DESCRIBE / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 501 ", "http_request_error", false},
    {"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 501 ", "http_request_error", false},
    {"GETX / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 501 ", "http_request_error", false},
    {"\x16\x03\x01\x02\x01\x01\x01\xfc\x03\x03", "HTTP/1.1 400 ", "http_request_error", false},
    {" GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "http_request_error", false},
    {"GET\r\n", "HTTP/1.1 400 ", "http_request_error", false},
    {"GET /a b HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "http_request_error", false},
    {"GET / HTTP/1.1\nHost: h\n\n", "HTTP/1.1 400 ", "http_request_error", false},
    {"GET / HTTP/1.1 \r\nHost: h\r\n\r\n", "HTTP/1.1 400 ", "http_request_error", false},
    {"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 400 ", "Connection: close", false},
    {"GET / HTTP/1.1\r\nHost: h\r\nA:\r\n\tc\r\n\r\n", "HTTP/1.1 400 ", "Connection: close", false},
    {"GET / HTTP/1.1\r\nHost : h\r\n\r\n", "HTTP/1.1 400 ", "http_request_error", false},
    {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "http_request_error", false},
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400 ", "http_request_error", false},
    {"GET / HTTP/1.1\r\nHost: h\r\nA: \x01\r\n\r\n", "HTTP/1.1 400 ", "http_request_error", false},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 501 ",
     "http_request_error", false},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "HTTP/1.1 501 ",
     "http_request_error", false},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
     "HTTP/1.1 400 ", "http_request_error", false},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
     "HTTP/1.1 400 ", "http_request_error", false},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 400 ",
     "http_request_error", false},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "HTTP/1.1 400 ",
     "Trunkline-Sent: partial\r\n", false},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
     "HTTP/1.1 400 ", "Trunkline-Sent: partial\r\n", false},
    {GET "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 200 ", "HTTP/1.1 400 ", false},
};

static void check_case(int i)
{
    ck_assert_msg(strncmp(got(), cases[i].start, strlen(cases[i].start)) == 0, "%s\n---\n%s",
                  cases[i].input, got());
    ck_assert_msg(has(cases[i].part), "%s\n---\n%s", cases[i].input, got());
    ck_assert_msg(is_open() == cases[i].keeps, "%s\n---\n%s", cases[i].input, got());
    ck_assert(!stream.closed);
    ck_assert_int_eq(stream.shut, !cases[i].keeps);
    ck_assert_uint_eq(linger_count(linger), !cases[i].keeps);
}

static void feed_in_pieces(const char *input, size_t size, size_t step)
{
    for (size_t at = 0; at < size; at += step) {
        fake_stream_feed(&stream, input + at, size - at < step ? size - at : step);
        turn();
    }
}

/* All at once, in two pieces at each place, and in pieces of every size: the
 * same bytes come back, whether the exchange takes the body freely or not. */
START_TEST(test_cuts)
{
    const char *input = cases[_i].input;
    size_t size = strlen(input);
    struct text expected = {0};
    for (size_t cut = 0; cut < 4 * size; cut++) {
        begin_echo();
        handler.full = handler.asap = cut >= 2 * size;
        size_t at = cut % (2 * size);
        if (at < size) {
            fake_stream_feed(&stream, input, at);
            if (at)
                turn();
            fake_stream_feed(&stream, input + at, size - at);
            turn();
        } else {
            feed_in_pieces(input, size, at - size + 1);
        }
        check_case(_i);
        if (cut == 0)
            text_add(&expected, text_span(&stream.written));
        ck_assert_str_eq(got(), expected.at);
        finish();
    }
    text_free(&expected);
}
END_TEST

/* --------------------------------------------------------------- requests */

START_TEST(test_limits)
{
    char big[6000];
    memset(big, 'a', sizeof big);
    for (size_t step = 1; step <= 4096; step *= 8) {
        char text[9000];
        begin_echo();
        snprintf(text, sizeof text, "GET /%.1100s HTTP/1.1\r\n", big);
        feed_in_pieces(text, strlen(text), step);
        ck_assert(has("HTTP/1.1 414 ") && !is_open());
        ck_assert_int_eq(handler.refused_status, 414);
        ck_assert_uint_eq(handler.refused, 1);
        finish();
        begin_echo();
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: h\r\nA: %.5000s\r\n\r\n", big);
        feed_in_pieces(text, strlen(text), step);
        ck_assert(has("HTTP/1.1 431 ") && !is_open());
        finish();
        begin_echo();
        snprintf(text, sizeof text, "GET /%.1000s HTTP/1.1\r\nHost: h\r\nA: %.2000s\r\n\r\n", big,
                 big);
        feed_in_pieces(text, strlen(text), step);
        ck_assert(has("HTTP/1.1 200 ") && is_open());
        finish();
    }
}
END_TEST

START_TEST(test_many_fields)
{
    begin_echo();
    say("GET / HTTP/1.1\r\nHost: h\r\n");
    for (unsigned i = 0; i < 2000 && is_open(); i++)
        say("a:\r\n");
    ck_assert(has("HTTP/1.1 431 "));
    finish();
    begin_echo();
    say("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    for (unsigned i = 0; i < 2000 && is_open(); i++)
        say("a:\r\n");
    ck_assert(has("HTTP/1.1 431 ") && has("Trunkline-Sent: partial"));
    ck_assert_uint_eq(handler.cancelled, 1);
    finish();
}
END_TEST

START_TEST(test_json_refusal)
{
    begin_echo();
    say("GET / HTTP/1.1\r\nAccept: application/json\r\n\r\n");
    ck_assert(has("HTTP/1.1 400 ") && has("\"sent\":\"no\""));
    ck_assert(handler.refused_with_request);
    finish();
}
END_TEST

START_TEST(test_pipelining)
{
    begin();
    say(GET "GET /b HTTP/1.1\r\nHost: h\r\n\r\nGET /c HTT");
    ck_assert_uint_eq(handler.opened, 1);
    ck_assert(!stream.paused);
    fake_head(&handler, 200, FRAMING_LENGTH, 1);
    fake_body(&handler, "1", 1);
    fake_end(&handler);
    turn();
    ck_assert_uint_eq(stream.writes, 1);
    ck_assert_uint_eq(handler.opened, 2);
    ck_assert(span_is(fake_request(&handler)->target, SPAN("/b")));
    fake_head(&handler, 200, FRAMING_LENGTH, 1);
    fake_body(&handler, "2", 1);
    fake_end(&handler);
    turn();
    ck_assert_uint_eq(handler.opened, 2);
    say("P/1.1\r\nHost: h\r\n\r\n");
    ck_assert(span_is(fake_request(&handler)->target, SPAN("/c")));
    fake_head(&handler, 204, FRAMING_NONE, 0);
    fake_end(&handler);
    turn();
    ck_assert_str_eq(got(), "HTTP/1.1 200 Fine\r\nContent-Length: 1\r\n\r\n1"
                            "HTTP/1.1 200 Fine\r\nContent-Length: 1\r\n\r\n2"
                            "HTTP/1.1 204 Fine\r\n\r\n");
    ck_assert(is_open());
    finish();
}
END_TEST

/* Too much ahead pauses the stream, and all of it is answered in the end. */
START_TEST(test_pipelined_flood)
{
    unsigned sent = 1;
    begin();
    say(GET);
    while (!stream.paused) {
        say(GET);
        ck_assert_uint_lt(++sent, 5000);
    }
    ck_assert_uint_gt(sent * strlen(GET), 64 * 1024);
    while (handler.last) {
        fake_head(&handler, 204, FRAMING_NONE, 0);
        fake_end(&handler);
        turn();
    }
    ck_assert_uint_eq(handler.opened, sent);
    ck_assert(!stream.paused);
    finish();
}
END_TEST

START_TEST(test_body_is_held)
{
    char piece[1000];
    memset(piece, 'x', sizeof piece);
    begin();
    handler.full = true;
    say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nfirst");
    ck_assert_uint_eq(handler.body.len, 5);
    size_t sent = 5;
    while (!stream.paused) {
        fake_stream_feed(&stream, piece, sizeof piece);
        sent += sizeof piece;
        turn();
    }
    ck_assert_uint_eq(handler.body.len, 5);
    ck_assert_uint_lt(sent, 70000);
    while (handler.body.len < sent) {
        size_t before = handler.body.len;
        fake_drain(&handler);
        turn();
        ck_assert_uint_gt(handler.body.len, before);
    }
    ck_assert(!stream.paused);
    ck_assert_uint_eq(handler.finished, 0);
    handler.full = false;
    fake_drain(&handler);
    for (; sent < 99000; sent += sizeof piece)
        fake_stream_feed(&stream, piece, sizeof piece);
    handler.full = true;
    fake_stream_feed(&stream, piece, 100000 - sent);
    turn();
    ck_assert_uint_eq(handler.body.len, 100000);
    fake_drain(&handler);
    turn();
    ck_assert_uint_eq(handler.finished, 1);
    finish();
    ck_assert_uint_eq(handler.cancelled, 1);
}
END_TEST

/* ---------------------------------------------------------------- answers */

START_TEST(test_one_write)
{
    begin();
    say(GET);
    fake_head(&handler, 200, FRAMING_CHUNKED, 0);
    fake_body(&handler, "hello", 5);
    fake_body(&handler, "!", 1);
    fake_end(&handler);
    ck_assert_uint_eq(stream.writes, 0);
    turn();
    ck_assert_uint_eq(stream.writes, 1);
    ck_assert_str_eq(got(), "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n");
    finish();
}
END_TEST

START_TEST(test_framing_for_each_client)
{
    static const struct {
        const char *request;
        unsigned status;
        enum framing framing;
        uint64_t length;
        const char *answer;
    } rows[] = {
        {GET, 200, FRAMING_LENGTH, 2, "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n\r\nxy"},
        {GET, 200, FRAMING_CLOSE, 0,
         "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\n\r\n"},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, FRAMING_CHUNKED, 0,
         "HTTP/1.1 200 Fine\r\nConnection: close\r\n\r\nxy"},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, FRAMING_LENGTH, 2,
         "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nxy"},
        {"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", 200, FRAMING_LENGTH, 2,
         "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n\r\n"},
        {"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", 200, FRAMING_NONE, 7,
         "HTTP/1.1 200 Fine\r\nContent-Length: 7\r\n\r\n"},
        {"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", 200, FRAMING_CHUNKED, 0, "HTTP/1.1 200 Fine\r\n\r\n"},
        {GET, 204, FRAMING_NONE, 0, "HTTP/1.1 204 Fine\r\n\r\n"},
        {GET, 304, FRAMING_NONE, 9, "HTTP/1.1 304 Fine\r\nContent-Length: 9\r\n\r\n"},
        {GET, 200, FRAMING_NONE, 0, "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin();
        say(rows[i].request);
        fake_head(&handler, rows[i].status, rows[i].framing, rows[i].length);
        if (rows[i].framing != FRAMING_NONE)
            fake_body(&handler, "xy", 2);
        fake_end(&handler);
        turn();
        ck_assert_str_eq(got(), rows[i].answer);
        ck_assert_int_eq(is_open(), !has("Connection: close"));
        finish();
    }
}
END_TEST

START_TEST(test_interim)
{
    begin();
    say("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    fake_interim(&handler, 100);
    turn();
    ck_assert_str_eq(got(), "HTTP/1.1 100 Wait\r\n\r\n");
    say("ab");
    fake_head(&handler, 204, FRAMING_NONE, 0);
    fake_end(&handler);
    turn();
    ck_assert(has("\r\n\r\nHTTP/1.1 204 Fine\r\n\r\n"));
    forget();
    say("GET / HTTP/1.0\r\n\r\n");
    fake_interim(&handler, 103);
    turn();
    ck_assert_str_eq(got(), "");
    finish();
}
END_TEST

/* An answer that comes before the body is complete ends the connection. */
START_TEST(test_early_answer)
{
    begin();
    say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab");
    fake_head(&handler, 400, FRAMING_LENGTH, 2);
    turn();
    ck_assert(has("Connection: close\r\n") && is_open());
    say("cd");
    ck_assert_uint_eq(handler.body.len, 4);
    fake_body(&handler, "no", 2);
    fake_end(&handler);
    turn();
    ck_assert(!is_open());
    ck_assert_uint_eq(linger_count(linger), 1);
    ck_assert(stream.shut && !stream.closed);
    finish();
}
END_TEST

START_TEST(test_failures)
{
    begin(); /* before the head: an answer all the same */
    say(GET);
    fake_fail(&handler);
    turn();
    ck_assert(has("HTTP/1.1 502 ") && has("Trunkline-Sent: yes") && !is_open());
    ck_assert_uint_eq(linger_count(linger), 1);
    finish();
    begin(); /* after it: closed short */
    say(GET);
    fake_head(&handler, 200, FRAMING_CHUNKED, 0);
    fake_body(&handler, "abc", 3);
    fake_fail(&handler);
    turn();
    ck_assert(has("3\r\nabc\r\n") && !has("0\r\n\r\n"));
    ck_assert(stream.closed && !stream.shut);
    finish();
    begin(); /* less than was said is a failure too, and so is more */
    say(GET);
    fake_head(&handler, 200, FRAMING_LENGTH, 5);
    fake_body(&handler, "abc", 3);
    fake_end(&handler);
    turn();
    ck_assert(stream.closed && !stream.shut);
    finish();
    begin();
    say(GET);
    fake_head(&handler, 200, FRAMING_LENGTH, 2);
    fake_body(&handler, "abc", 3);
    fake_end(&handler);
    turn();
    ck_assert(stream.closed && has("\r\n\r\nab") && !has("abc"));
    finish();
    begin(); /* the request breaks after the head of its answer */
    say("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    fake_head(&handler, 200, FRAMING_CHUNKED, 0);
    say("oops\r\n");
    ck_assert(stream.closed && !has("400"));
    ck_assert_uint_eq(handler.cancelled, 1);
    finish();
}
END_TEST

START_TEST(test_slow_reader)
{
    static char piece[100000];
    memset(piece, 'y', sizeof piece);
    begin();
    say(GET);
    stream.stuck = true;
    fake_head(&handler, 200, FRAMING_CHUNKED, 0);
    fake_body(&handler, piece, sizeof piece);
    ck_assert_uint_eq(stream.writes, 1); /* head and piece together, at once */
    ck_assert_uint_eq(handler.paused, 0);
    fake_body(&handler, piece, sizeof piece);
    fake_body(&handler, piece, sizeof piece);
    ck_assert_uint_eq(handler.paused, 1);
    fake_body(&handler, piece, 10);
    turn();
    ck_assert_uint_eq(handler.paused, 1);
    fake_stream_take(&stream, 200000);
    ck_assert_uint_eq(handler.resumed, 0);
    loop_skip(loop, limits.body_timeout_ms); /* there was progress */
    ck_assert(is_open());
    fake_stream_take(&stream, 100000);
    ck_assert_uint_eq(handler.resumed, 1);
    loop_skip(loop, limits.body_timeout_ms);
    loop_skip(loop, limits.body_timeout_ms);
    ck_assert(stream.closed);
    ck_assert_uint_eq(handler.cancelled, 1);
    finish();
}
END_TEST

/* A last answer that is still queued is waited for before the connection lingers. */
START_TEST(test_slow_last_answer)
{
    static char piece[300000];
    begin();
    say("GET / HTTP/1.0\r\n\r\n");
    stream.stuck = true;
    fake_head(&handler, 200, FRAMING_LENGTH, sizeof piece);
    fake_body(&handler, piece, sizeof piece);
    fake_end(&handler);
    turn();
    ck_assert(is_open() && !stream.shut);
    fake_stream_take(&stream, 250000);
    turn();
    ck_assert(!is_open() && stream.shut);
    ck_assert_uint_eq(linger_count(linger), 1);
    finish();
}
END_TEST

/* ------------------------------------------------------- leaving, timeouts */

START_TEST(test_client_leaves)
{
    static const char *const sent[] = {
        "", "GET / HT", GET, GET GET "GET", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab"};
    for (size_t i = 0; i < COUNT_OF(sent); i++)
        for (int how = STREAM_EOF; how <= STREAM_RESET; how++)
            for (int stage = 0; stage < 4; stage++) {
                begin();
                handler.full = stage == 3;
                say(sent[i]);
                if (stage >= 1 && handler.last)
                    fake_head(&handler, 200, FRAMING_CHUNKED, 0);
                if (stage >= 2 && handler.last)
                    fake_body(&handler, "some", 4);
                fake_stream_end(&stream, (enum stream_end)how);
                ck_assert(!is_open());
                ck_assert_uint_eq(handler.cancelled, handler.opened);
                ck_assert_uint_le(handler.opened, 1);
                finish();
            }
}
END_TEST

START_TEST(test_freed_in_every_state)
{
    static const char *const sent[] = {"", "G", GET, GET GET,
                                       "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab"};
    for (size_t i = 0; i < COUNT_OF(sent); i++)
        for (int with_turn = 0; with_turn < 2; with_turn++) {
            begin_echo();
            fake_stream_feed(&stream, sent[i], strlen(sent[i]));
            if (with_turn)
                turn();
            finish();
        }
}
END_TEST

START_TEST(test_idle_timeout)
{
    begin_echo();
    say("\r\n"); /* no byte of a request */
    loop_skip(loop, limits.idle_timeout_ms - 100);
    ck_assert(is_open());
    say(GET);
    forget();
    loop_skip(loop, limits.idle_timeout_ms - 100);
    ck_assert(is_open());
    loop_skip(loop, 200);
    ck_assert(!is_open());
    ck_assert_str_eq(got(), "");
    ck_assert_uint_eq(handler.refused, 0);
    finish();
}
END_TEST

START_TEST(test_head_timeout)
{
    begin_echo();
    for (unsigned i = 0; i < 9; i++) {
        say(i ? "a" : "GET /");
        loop_skip(loop, 1000);
    }
    ck_assert(is_open());
    say("a");
    loop_skip(loop, 1100);
    ck_assert(has("HTTP/1.1 408 ") && !is_open());
    ck_assert_int_eq(handler.refused_status, 408);
    ck_assert(!handler.refused_with_request);
    finish();
}
END_TEST

START_TEST(test_body_timeout)
{
    begin();
    say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n");
    for (unsigned i = 0; i < 3; i++) {
        loop_skip(loop, limits.body_timeout_ms - 1000);
        ck_assert(is_open());
        say("x");
    }
    loop_skip(loop, limits.body_timeout_ms + 1000);
    ck_assert(has("HTTP/1.1 408 ") && has("Trunkline-Sent: partial") && !is_open());
    ck_assert_uint_eq(handler.cancelled, 1);
    finish();
    begin(); /* not while the exchange does not want it */
    handler.full = true;
    say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx");
    loop_skip(loop, 3 * limits.body_timeout_ms);
    ck_assert(is_open());
    fake_drain(&handler);
    turn();
    loop_skip(loop, limits.body_timeout_ms - 1000);
    ck_assert(is_open());
    loop_skip(loop, 2000);
    ck_assert(has("HTTP/1.1 408 "));
    finish();
    begin(); /* after the head of an answer it is closed short */
    say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx");
    fake_head(&handler, 200, FRAMING_CHUNKED, 0);
    turn();
    loop_skip(loop, limits.body_timeout_ms + 1000);
    ck_assert(stream.closed && !has("408"));
    finish();
    begin(); /* an exchange may take its time once it has all */
    say(GET);
    loop_skip(loop, 10 * limits.body_timeout_ms);
    ck_assert(is_open());
    finish();
}
END_TEST

START_TEST(test_drain)
{
    begin(); /* idle: at once */
    clients_drain(clients);
    ck_assert(!is_open());
    finish();
    begin(); /* under way: its answer says so */
    say(GET GET);
    clients_drain(clients);
    ck_assert(is_open());
    fake_head(&handler, 204, FRAMING_NONE, 0);
    fake_end(&handler);
    turn();
    ck_assert(has("Connection: close\r\n") && !is_open());
    ck_assert_uint_eq(handler.opened, 1);
    finish();
    begin(); /* the head went out before: closed after it all the same */
    say(GET);
    fake_head(&handler, 200, FRAMING_CHUNKED, 0);
    turn();
    clients_drain(clients);
    fake_end(&handler);
    turn();
    ck_assert(has("0\r\n\r\n") && !is_open());
    finish();
    begin(); /* a head under way is still answered */
    say("GET /");
    clients_drain(clients);
    say(" HTTP/1.1\r\nHost: h\r\n\r\n");
    fake_head(&handler, 204, FRAMING_NONE, 0);
    fake_end(&handler);
    turn();
    ck_assert(has("Connection: close\r\n"));
    finish();
}
END_TEST

START_TEST(test_too_many)
{
    struct fake_stream second, third, fourth;
    size_t open;
    uint64_t accepted, rejected;
    begin();
    fake_stream_init(&second);
    fake_stream_init(&third);
    fake_stream_init(&fourth);
    clients_accept(clients, &second.base, &ingress);
    clients_accept(clients, &third.base, &ingress);
    ck_assert(strstr(third.written.at, "HTTP/1.1 503 ") != NULL);
    ck_assert(strstr(third.written.at, "connection_limit_reached") != NULL);
    ck_assert(third.shut && !third.closed);
    clients_reject(clients, &fourth.base);
    ck_assert(fourth.closed);
    clients_count(clients, &open, &accepted, &rejected);
    ck_assert_uint_eq(open, 2);
    ck_assert_uint_eq(accepted, 2);
    ck_assert_uint_eq(rejected, 2);
    finish();
    fake_stream_free(&second);
    fake_stream_free(&third);
    fake_stream_free(&fourth);
}
END_TEST

/* The name of the listener's upstream may go with a reload. */
START_TEST(test_ingress_is_its_own)
{
    struct fake_stream other;
    char name[] = "binance";
    struct ingress in = ingress;
    in.upstream = name;
    begin_echo();
    fake_stream_init(&other);
    clients_accept(clients, &other.base, &in);
    memset(name, 'x', sizeof name);
    ck_assert(fake_stream_feed(&other, GET, strlen(GET)));
    turn();
    ck_assert(strstr(other.written.at, "200") != NULL);
    finish();
    fake_stream_free(&other);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client");
    TCase *cuts = tcase_create("cuts"), *all = tcase_create("all");
    tcase_set_timeout(cuts, 60);
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(cuts, test_cuts, 0, (int)COUNT_OF(cases));
    tcase_add_test(all, test_limits);
    tcase_add_test(all, test_many_fields);
    tcase_add_test(all, test_json_refusal);
    tcase_add_test(all, test_pipelining);
    tcase_add_test(all, test_pipelined_flood);
    tcase_add_test(all, test_body_is_held);
    tcase_add_test(all, test_one_write);
    tcase_add_test(all, test_framing_for_each_client);
    tcase_add_test(all, test_interim);
    tcase_add_test(all, test_early_answer);
    tcase_add_test(all, test_failures);
    tcase_add_test(all, test_slow_reader);
    tcase_add_test(all, test_slow_last_answer);
    tcase_add_test(all, test_client_leaves);
    tcase_add_test(all, test_freed_in_every_state);
    tcase_add_test(all, test_idle_timeout);
    tcase_add_test(all, test_head_timeout);
    tcase_add_test(all, test_body_timeout);
    tcase_add_test(all, test_drain);
    tcase_add_test(all, test_too_many);
    tcase_add_test(all, test_ingress_is_its_own);
    suite_add_tcase(s, cuts);
    suite_add_tcase(s, all);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
