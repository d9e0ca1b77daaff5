/* The requests of a client connection: input split at every position, limits, pipelining, a body
 * that the exchange does not accept yet, and clients that disconnect while trunkline is not reading
 * from them. */
#include "client_fixture.h"
#include "suite.h"

/* ------------------------------------------------------------ split input */

static const struct {
    const char *input, *start; /* the response starts with this */
    const char *part;          /* the response contains this */
    bool keeps;                /* the connection stays open */
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
    {"HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 ", "Content-Length: 21\r\n" KEPT "\r\n",
     true},
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
    {"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 400 ", "Connection: close",
     false},
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

/* The input arrives all at once, in two pieces split at each position, and in pieces of every size.
 * The output is the same in all cases, whether or not the exchange accepts the body at once. */
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
    ck_assert_uint_eq(handler.cancelled, 0);
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
    ck_assert_str_eq(got(), "HTTP/1.1 200 Fine\r\nContent-Length: 1\r\n" KEPT "\r\n1"
                            "HTTP/1.1 200 Fine\r\nContent-Length: 1\r\n" KEPT "\r\n2"
                            "HTTP/1.1 204 Fine\r\n" KEPT "\r\n");
    ck_assert(is_open());
    finish();
}
END_TEST

/* Each response carries an id, including the refusal of input that was not a request; no id is used
 * twice. */
START_TEST(test_ids)
{
    struct request_ids ids;
    request_ids_init(&ids, 0, 0);
    begin_echo();
    clients_identify(clients, &ids);
    say(GET);
    ck_assert_str_eq(handler.id.text, "000000000000-1");
    ck_assert(has("\r\nTrunkline-Request: 000000000000-1\r\n"));
    say(GET);
    ck_assert(has("\r\nTrunkline-Request: 000000000000-2\r\n"));
    say("nonsense\r\n\r\n");
    ck_assert(has("HTTP/1.1 501 ") && has("\r\nTrunkline-Request: 000000000000-3\r\n"));
    ck_assert_str_eq(handler.id.text, "000000000000-3");
    finish();
}
END_TEST

/* A paused stream does not report that its client has disconnected, so this is checked
 * periodically. */
START_TEST(test_leaving_while_held_back)
{
    begin();
    say(GET);
    while (!stream.paused)
        say(GET);
    loop_skip(loop, 5000);
    ck_assert(is_open());
    stream.broken = true;
    loop_skip(loop, 1100);
    turn();
    ck_assert(!is_open() && stream.closed);
    ck_assert_ptr_null(handler.last);
    finish();
}
END_TEST

/* Too many pipelined requests pause the stream; all are answered in the end. */
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

/* ------------------------------------------------- clients that disconnect */

static void send_ahead(size_t size)
{
    static char piece[1000];
    memset(piece, 'z', sizeof piece);
    for (size_t sent = 0; sent < size && !stream.paused; sent += sizeof piece)
        ck_assert(fake_stream_feed(&stream, piece, sizeof piece));
    turn();
}

/* The upload is blocked, so its stream is not read from and its end is not noticed. */
START_TEST(test_leaving_a_blocked_upload)
{
    begin();
    handler.full = true;
    say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nabc");
    send_ahead(200000);
    ck_assert(stream.paused);
    loop_skip(loop, 10 * limits.body_timeout_ms);
    turn();
    ck_assert(is_open() && handler.cancelled == 0);
    stream.broken = true;
    loop_skip(loop, 1100);
    turn();
    ck_assert(!is_open() && stream.closed && handler.cancelled == 1);
    finish();
}
END_TEST

START_TEST(test_leaving_behind_requests_sent_ahead)
{
    begin();
    say(GET);
    send_ahead(200000);
    ck_assert(stream.paused && handler.opened == 1);
    stream.broken = true;
    loop_skip(loop, 1100);
    turn();
    ck_assert(!is_open() && handler.cancelled == 1);
    finish();
}
END_TEST

/* The exchange continues without its client, and takes over the memory of its request. */
START_TEST(test_leaving_one_that_follows)
{
    begin();
    handler.follows = true;
    say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    if (_i)
        fake_stream_end(&stream, STREAM_RESET);
    else
        fake_stream_end(&stream, STREAM_EOF);
    turn();
    ck_assert(!is_open() && stream.closed && handler.followed == 1);
    finish();
}
END_TEST

SUITE()
{
    LOOP(test_cuts, 0, COUNT_OF(cases));
    TEST(test_limits);
    TEST(test_many_fields);
    TEST(test_json_refusal);
    TEST(test_pipelining);
    TEST(test_pipelined_flood);
    TEST(test_ids);
    TEST(test_leaving_while_held_back);
    TEST(test_body_is_held);
    TEST(test_leaving_a_blocked_upload);
    TEST(test_leaving_behind_requests_sent_ahead);
    LOOP(test_leaving_one_that_follows, 0, 2);
}
