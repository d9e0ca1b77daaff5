/* The HTTP/1.1 line over a fake stream: every kind of response, split at every byte; every way in
 * which it can end; and how much of the request counts as sent, given what the stream has
 * accepted. */
#include "h1_fixture.h"
#include "suite.h"

static void heard_is(const char *expected)
{
    ck_assert_str_eq(heard.at, expected);
    text_clear(&heard);
    text_add_str(&heard, "");
}

/* ------------------------------------------------------------ every cut */

#define NO_END 99

static const struct {
    const char *method, *answer;
    int end; /* enum stream_end, or NO_END */
    const char *expected;
} cases[] = {
    {"GET", OK, NO_END, OK_HEARD " room end {}"},
    {"GET", "HTTP/1.1 200 \r\nContent-Length: 0\r\nX:\r\n\r\n", NO_END,
     "head 200  Content-Length=0;X=; room end {}"},
    {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", NO_END,
     "head 200 OK Connection=close;Content-Length=2; body(hi) gone:response end {}"},
    {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", NO_END,
     OK_HEARD " gone:response end {}"},
    {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", NO_END,
     "head 200 OK Connection=keep-alive;Content-Length=2; body(hi) room end {}"},
    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", NO_END,
     "head 200 OK Content-Length=999; room end {}"},
    {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", NO_END,
     "head 200 OK Transfer-Encoding=chunked; room end {}"},
    {"HEAD", "HTTP/1.1 200 OK\r\n\r\n", NO_END, "head 200 OK  room end {}"},
    {"GET", "HTTP/1.1 204 No Content\r\n\r\n", NO_END, "head 204 No Content  room end {}"},
    {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", NO_END,
     "head 304 Not Modified Content-Length=7; room end {}"},
    {"GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" OK, NO_END,
     "interim 100 Continue  interim 103 Early Link=x; " OK_HEARD " room end {}"},
    /* for which connection and framing fields are dropped */
    {"GET", "HTTP/1.1 103 E\r\nConnection: close\r\n\r\n" OK, NO_END,
     "interim 103 E Connection=close; " OK_HEARD " room end {}"},
    {"GET", "HTTP/1.0 103 E\r\n\r\n" OK, NO_END, "interim 103 E  " OK_HEARD " room end {}"},
    {"GET", "HTTP/1.1 100 C\r\nContent-Length: 5\r\n\r\n" OK, NO_END,
     "interim 100 C Content-Length=5; " OK_HEARD " room end {}"},
    {"GET", "HTTP/1.1 103 E\r\nTransfer-Encoding: chunked\r\n\r\n" OK, NO_END,
     "interim 103 E Transfer-Encoding=chunked; " OK_HEARD " room end {}"},
    {"HEAD",
     "HTTP/1.1 103 E\r\nTransfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\n"
     "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
     NO_END,
     "interim 103 E Transfer-Encoding=gzip;Content-Length=5; "
     "head 200 OK Content-Length=9; room end {}"},
    {"GET", "HTTP/1.1 102 P\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n" OK, NO_END,
     "interim 102 P Upgrade=h2c;Connection=Upgrade, close; " OK_HEARD " room end {}"},
    {"GET",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nT: one\r\nU:\r\n\r\n",
     NO_END, "head 200 OK Transfer-Encoding=chunked; body(abcde) room end {T=one;U=;}"},
    {"GET", "HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nhi",
     NO_END, "head 200 OK Upgrade=h2c;Connection=Upgrade;Content-Length=2; body(hi) room end {}"},
    /* delimited by the close */
    {"GET", "HTTP/1.1 200 OK\r\n\r\nto the end", STREAM_EOF,
     "head 200 OK  body(to the end) gone:response end {}"},
    {"GET", "HTTP/1.1 200 OK\r\n\r\n", STREAM_EOF, "head 200 OK  gone:response end {}"},
    {"GET", "HTTP/1.1 200 OK\r\n\r\nto the end", STREAM_CUT,
     "head 200 OK  body(to the end) gone:error "
     "failed http_response_incomplete sent=yes answered"},
    {"GET", "HTTP/1.1 200 OK\r\n\r\nto the end", STREAM_RESET,
     "head 200 OK  body(to the end) gone:error failed connection_terminated sent=yes answered"},
    {"GET", OK, STREAM_EOF, OK_HEARD " gone:peer end {}"},
    {"GET", OK, STREAM_RESET, OK_HEARD " gone:peer end {}"},
    {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", STREAM_EOF,
     "head 200 OK Connection=close;Content-Length=2; body(hi) gone:response end {}"},
    /* cut short */
    {"GET", "", STREAM_EOF, "gone:error failed connection_terminated sent=yes"},
    {"GET", "", STREAM_RESET, "gone:error failed connection_terminated sent=yes"},
    {"GET", "HTTP/1.1 2", STREAM_EOF,
     "gone:error failed http_response_incomplete sent=yes answered"},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", STREAM_EOF,
     "head 200 OK Content-Length=2; body(h) gone:error "
     "failed http_response_incomplete sent=yes answered"},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", STREAM_EOF,
     "head 200 OK Transfer-Encoding=chunked; body(hi) gone:error "
     "failed http_response_incomplete sent=yes answered"},
    {"GET", "HTTP/1.1 100 Continue\r\n\r\n", STREAM_EOF,
     "interim 100 Continue  gone:error failed http_response_incomplete sent=yes answered"},
    /* refused */
    {"GET", "SSH-2.0-OpenSSH\r\n", NO_END,
     "gone:error failed http_protocol_error sent=yes answered"},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", NO_END,
     "gone:error failed http_protocol_error sent=yes answered"},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n", NO_END,
     "gone:error failed http_protocol_error sent=yes answered"},
    {"GET", "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", NO_END,
     "gone:error failed http_protocol_error sent=yes answered"},
    {"GET", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", NO_END,
     "gone:error failed http_protocol_error sent=yes answered"},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", NO_END,
     "gone:error failed http_protocol_error sent=yes answered"},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", NO_END,
     "head 200 OK Transfer-Encoding=chunked; gone:error "
     "failed http_protocol_error sent=yes answered"},
    /* more bytes than one response */
    {"GET", OK "H", NO_END, OK_HEARD " gone:peer end {}"},
    {"GET", OK OK, NO_END, OK_HEARD " gone:peer end {}"},
    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", NO_END,
     "head 200 OK Content-Length=2; gone:peer end {}"},
    {"GET", "HTTP/1.1 204 None\r\nContent-Length: 2\r\n\r\nhi", NO_END,
     "head 204 None Content-Length=2; gone:response end {}"},
    {"GET", "\r\n" OK, NO_END, OK_HEARD " room end {}"},
};

/* The stream may already be closed: the remaining bytes are then lost, as they are on a real
 * connection. */
static void answer(const char *text, size_t len, size_t piece)
{
    for (size_t at = 0; at < len; at += piece)
        (void)!fake_stream_feed(&stream, text + at, len - at < piece ? len - at : piece);
}

static void one_case(int n, size_t cut, size_t piece)
{
    const char *text = cases[n].answer;
    begin();
    ask(cases[n].method);
    answer(text, cut, piece);
    answer(text + cut, strlen(text) - cut, piece);
    if (cases[n].end != NO_END)
        fake_stream_end(&stream, (enum stream_end)cases[n].end);
    turn();
    ck_assert_msg(strcmp(heard.at, cases[n].expected) == 0, "case %d cut at %zu, %zu a piece: %s",
                  n, cut, piece, heard.at);
    ck_assert_ptr_null(recorder.exchange);
    finish();
}

START_TEST(test_cuts)
{
    size_t len = strlen(cases[_i].answer);
    for (size_t cut = 0; cut <= len; cut++)
        one_case(_i, cut, len + 1);
    one_case(_i, 0, 1);
    one_case(_i, 0, 2);
    one_case(_i, 0, 3);
}
END_TEST

/* ------------------------------------------------------------ one line, reused */

START_TEST(test_many_in_turn)
{
    begin();
    for (int i = 0; i < 5; i++) {
        text_clear(&stream.written);
        stream.writes = 0;
        ask("GET");
        ck_assert_str_eq(stream.written.at, "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n");
        ck_assert_uint_eq(stream.writes, 1);
        feed("HTTP/1.1 200 OK\r\nContent-Le");
        turn();
        feed("ngth: 2\r\n\r\nh");
        turn();
        feed("i");
        turn();
        heard_is(OK_HEARD " room end {}");
    }
    ck_assert_uint_eq(traffic.bytes_sent, 5 * stream.written.len);
    ck_assert_uint_eq(traffic.bytes_received, 5 * strlen(OK));
    finish();
}
END_TEST

START_TEST(test_idle)
{
    begin();
    feed("HTTP/1.1 408 Request Timeout\r\n\r\n");
    heard_is("gone:peer");
    finish();
    begin();
    fake_stream_end(&stream, STREAM_EOF);
    heard_is("gone:peer");
    finish();
    begin();
    closes_when_gone = false; /* reported once */
    feed("x");
    feed("y");
    fake_stream_end(&stream, STREAM_RESET);
    turn();
    heard_is("gone:peer");
    finish();
    begin();
    ask("GET");
    feed(OK);
    turn();
    feed("x"); /* in a TLS record of its own */
    heard_is(OK_HEARD " room end {} gone:peer");
    finish();
}
END_TEST

START_TEST(test_limits)
{
    char long_field[500];
    memset(long_field, 'x', sizeof long_field - 1);
    long_field[sizeof long_field - 1] = '\0';
    begin();
    ask("GET");
    feed("HTTP/1.1 200 OK\r\nA: ");
    feed(long_field);
    heard_is("gone:error failed http_response_header_section_size sent=yes answered");
    finish();
    begin();
    ask("GET");
    feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: ");
    feed(long_field);
    heard_is("head 200 OK Transfer-Encoding=chunked; gone:error "
             "failed http_response_header_section_size sent=yes answered");
    finish();
    for (int interims = 16; interims <= 17; interims++) {
        begin();
        ask("GET");
        for (int i = 0; i < interims; i++)
            (void)!fake_stream_feed(&stream, "HTTP/1.1 102 P\r\n\r\n", 18);
        (void)!fake_stream_feed(&stream, OK, strlen(OK));
        turn();
        ck_assert_uint_eq(recorder.ended, interims == 16);
        ck_assert_uint_eq(recorder.failed, interims == 17);
        if (recorder.failed)
            ck_assert_int_eq(recorder.verdict.error, FAILURE_HTTP_PROTOCOL_ERROR);
        finish();
    }
}
END_TEST

/* ------------------------------------------------------------ request bodies */

START_TEST(test_small_body_in_one_write)
{
    begin();
    post(FRAMING_LENGTH, 5);
    ck_assert(exchange_body(recorder.exchange, "he", 2));
    ck_assert(exchange_body(recorder.exchange, "llo", 3));
    exchange_finish(recorder.exchange, NULL);
    turn();
    ck_assert_uint_eq(stream.writes, 1);
    ck_assert_str_eq(stream.written.at,
                     "POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    feed(OK);
    turn();
    heard_is(OK_HEARD " room end {}");
    finish();
}
END_TEST

START_TEST(test_chunked_body)
{
    struct field trailer = {SPAN("T"), SPAN("v")};
    struct fields trailers = {.at = &trailer, .count = 1};
    begin();
    post(FRAMING_CHUNKED, 0);
    ck_assert(exchange_body(recorder.exchange, "hello", 5));
    ck_assert(exchange_body(recorder.exchange, "", 0)); /* an empty chunk would end the body */
    ck_assert(exchange_body(recorder.exchange, "abcdefghijklmnop", 16));
    exchange_finish(recorder.exchange, &trailers);
    turn();
    ck_assert_uint_eq(stream.writes, 1);
    ck_assert_ptr_nonnull(strstr(stream.written.at,
                                 "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n10\r\n"
                                 "abcdefghijklmnop\r\n0\r\nT: v\r\n\r\n"));
    feed(OK);
    turn();
    heard_is(OK_HEARD " room end {}");
    finish();
}
END_TEST

/* A large body is not gathered; a full stream reports that it is full, and later that it has
 * drained. */
START_TEST(test_large_body)
{
    static char piece[100000];
    begin();
    stream.stuck = true;
    post(FRAMING_LENGTH, 300000);
    turn();
    ck_assert_uint_gt(stream.written.len, 0); /* the head is sent without waiting for the body */
    ck_assert(exchange_body(recorder.exchange, piece, sizeof piece));
    ck_assert(exchange_body(recorder.exchange, piece, sizeof piece));
    ck_assert(!exchange_body(recorder.exchange, piece, sizeof piece));
    ck_assert_uint_eq(traffic.bytes_sent, stream.written.len);
    fake_stream_take(&stream, 200000);
    ck_assert_uint_eq(recorder.drained, 0);
    fake_stream_take(&stream, 50000);
    ck_assert_uint_eq(recorder.drained, 1);
    exchange_finish(recorder.exchange, NULL);
    fake_stream_take(&stream, SIZE_MAX);
    feed(OK);
    turn();
    heard_is(OK_HEARD " room end {}");
    finish();
}
END_TEST

/* Pieces too small for a write of their own are held back here too. */
START_TEST(test_small_pieces_are_held_back)
{
    static const char piece[4096];
    enum framing framing = _i ? FRAMING_CHUNKED : FRAMING_LENGTH;
    begin();
    stream.stuck = true;
    post(framing, framing == FRAMING_LENGTH ? 1 << 30 : 0);
    size_t taken = 0;
    while (taken < 4 * STREAM_HIGH && exchange_body(recorder.exchange, piece, sizeof piece)) {
        taken += sizeof piece;
        turn();
    }
    ck_assert_uint_le(stream.base.queued, STREAM_HIGH + 3 * sizeof piece);
    ck_assert(!exchange_body(recorder.exchange, piece, 1));
    fake_stream_take(&stream, STREAM_HIGH);
    ck_assert_uint_eq(recorder.drained, 1);
    ck_assert(exchange_body(recorder.exchange, piece, 1));
    exchange_cancel(recorder.exchange);
    turn();
    finish();
}
END_TEST

/* The response ends before the request is complete: it is delivered, but the line is not kept. */
START_TEST(test_early_answer)
{
    begin();
    post(FRAMING_LENGTH, 5);
    (void)!exchange_body(recorder.exchange, "he", 2);
    turn();
    feed(OK);
    (void)!exchange_body(recorder.exchange, "ll", 2); /* its owner has not been notified yet */
    turn();
    heard_is(OK_HEARD " gone:response end {}");
    finish();
    begin();
    stream.stuck = true; /* complete, but part of it is still in the queue */
    ask("GET");
    fake_stream_take(&stream, 3);
    feed(OK);
    turn();
    heard_is(OK_HEARD " gone:response end {}");
    finish();
}
END_TEST

/* ------------------------------------------------------------ what was sent */

static void sent_is(enum sent sent)
{
    ck_assert_int_eq(exchange_sent(recorder.exchange), sent);
}

START_TEST(test_sent)
{
    begin();
    ask("GET");
    sent_is(SENT_YES);
    feed(OK);
    turn();
    stream.stuck =
        true; /* the second request on the line, of which nothing has been accepted yet */
    post(FRAMING_LENGTH, 5);
    sent_is(SENT_NO);
    turn();
    sent_is(SENT_NO);
    fake_stream_take(&stream, 1);
    sent_is(SENT_PARTIAL);
    fake_stream_take(&stream, SIZE_MAX);
    sent_is(SENT_PARTIAL);
    (void)!exchange_body(recorder.exchange, "hello", 5);
    exchange_finish(recorder.exchange, NULL);
    sent_is(SENT_PARTIAL);
    fake_stream_take(&stream, 4);
    sent_is(SENT_PARTIAL);
    fake_stream_take(&stream, 1);
    sent_is(SENT_YES);
    fake_stream_end(&stream, STREAM_RESET);
    heard_is(OK_HEARD " room end {} gone:error failed connection_terminated sent=yes");
    finish();
}
END_TEST

static void broken_after(size_t taken, const char *expected)
{
    begin();
    stream.stuck = true;
    post(FRAMING_LENGTH, 5);
    (void)!exchange_body(recorder.exchange, "hello", 5);
    exchange_finish(recorder.exchange, NULL);
    turn();
    fake_stream_take(&stream, taken);
    fake_stream_end(&stream, STREAM_RESET);
    heard_is(expected);
    turn();
    finish();
}

START_TEST(test_write_errors)
{
    broken_after(0, "gone:error failed connection_terminated sent=no");
    broken_after(1, "gone:error failed connection_terminated sent=partial");
    broken_after(SIZE_MAX, "gone:error failed connection_terminated sent=yes");
}
END_TEST

/* ------------------------------------------------------------ pausing */

START_TEST(test_pause)
{
    begin();
    ask("GET");
    recorder.pause_in = RECORDER_HEAD;
    feed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    ck_assert(stream.paused);
    ck_assert(!fake_stream_feed(&stream, "h", 1));
    exchange_resume(recorder.exchange);
    ck_assert(!stream.paused);
    recorder.pause_in = RECORDER_BODY;
    feed("h");
    ck_assert(stream.paused);
    exchange_resume(recorder.exchange);
    feed("i"); /* complete: the line continues to read, even if its owner had paused */
    exchange_pause(recorder.exchange);
    turn();
    ck_assert(!stream.paused);
    heard_is(OK_HEARD " room end {}");
    finish();
}
END_TEST

/* ------------------------------------------------------------ cancelling */

enum moment {
    OPENED,
    FLUSHED,
    IN_REQUEST_BODY,
    FULL,
    AFTER_INTERIM,
    AFTER_HEAD,
    IN_BODY,
    PAUSED,
    COMPLETE,
    COMPLETE_AND_STRAY,
    IN_ON_INTERIM,
    IN_ON_HEAD,
    IN_ON_BODY,
    IN_ON_DRAIN,
    MOMENTS
};

static void reach_sending(enum moment m)
{
    static char piece[300000];
    post(FRAMING_CHUNKED, 0);
    if (m >= FLUSHED)
        turn();
    stream.stuck = m == FULL || m == IN_ON_DRAIN;
    if (m >= IN_REQUEST_BODY)
        (void)!exchange_body(recorder.exchange, piece, stream.stuck ? sizeof piece : 10);
    if (m != IN_ON_DRAIN)
        return;
    recorder.cancel_in = RECORDER_DRAIN;
    fake_stream_take(&stream, sizeof piece);
}

static void reach(enum moment m)
{
    static const enum recorder_event inside[MOMENTS] = {[IN_ON_INTERIM] = RECORDER_INTERIM,
                                                        [IN_ON_HEAD] = RECORDER_HEAD,
                                                        [IN_ON_BODY] = RECORDER_BODY};
    if (m <= FULL || m == IN_ON_DRAIN) {
        reach_sending(m);
        return;
    }
    ask("GET");
    recorder.cancel_in = inside[m];
    recorder.pause_in = m == PAUSED ? RECORDER_BODY : RECORDER_NONE;
    if (m >= AFTER_INTERIM && m != COMPLETE && m != COMPLETE_AND_STRAY)
        feed("HTTP/1.1 102 P\r\n\r\n");
    if (m == AFTER_HEAD)
        feed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    if (m == IN_BODY || m == PAUSED)
        feed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh");
    if (m == COMPLETE || (m >= IN_ON_INTERIM && recorder.exchange))
        feed(OK);
    if (m == COMPLETE_AND_STRAY)
        feed(OK "x");
}

START_TEST(test_cancel)
{
    begin();
    reach((enum moment)_i);
    if (recorder.exchange)
        recorder_cancel(&recorder);
    text_clear(&heard);
    text_add_str(&heard, "");
    bool is_whole = _i == COMPLETE || _i == COMPLETE_AND_STRAY;
    ck_assert_int_eq(stream.closed,
                     !is_whole); /* together with its queue, before the owner is notified */
    if (_i != COMPLETE)
        (void)!fake_stream_feed(&stream, "rest", 4);
    turn();
    heard_is(_i == COMPLETE ? "room" : _i == COMPLETE_AND_STRAY ? "gone:peer" : "gone:error");
    if (_i == COMPLETE) { /* and the line can be used again */
        ask("GET");
        feed(OK);
        turn();
        heard_is(OK_HEARD " room end {}");
    }
    finish();
}
END_TEST

/* An owner that cancels may close the line at once: no event follows. */
START_TEST(test_cancel_and_close)
{
    begin();
    reach((enum moment)_i);
    if (recorder.exchange)
        recorder_cancel(&recorder);
    text_clear(&heard);
    text_add_str(&heard, "");
    conn_close(conn);
    conn = NULL;
    turn();
    heard_is("");
    ck_assert(stream.closed);
    finish();
}
END_TEST

/* The owner cancels although the stream has ended, and the other way round. */
START_TEST(test_cancel_at_the_end)
{
    begin();
    closes_when_gone = false;
    ask("GET");
    recorder_cancel(&recorder);
    fake_stream_end(&stream, STREAM_RESET);
    turn();
    heard_is("gone:error");
    finish();
    begin();
    ask("GET");
    feed(OK);
    fake_stream_end(&stream, STREAM_EOF);
    recorder_cancel(&recorder);
    turn();
    heard_is(OK_HEARD " gone:peer");
    finish();
}
END_TEST

SUITE()
{
    LOOP(test_cuts, 0, COUNT_OF(cases));
    TEST(test_many_in_turn);
    TEST(test_idle);
    TEST(test_limits);
    TEST(test_small_body_in_one_write);
    TEST(test_chunked_body);
    TEST(test_large_body);
    LOOP(test_small_pieces_are_held_back, 0, 2);
    TEST(test_early_answer);
    TEST(test_sent);
    TEST(test_write_errors);
    TEST(test_pause);
    LOOP(test_cancel, 0, MOMENTS);
    LOOP(test_cancel_and_close, 0, MOMENTS);
    TEST(test_cancel_at_the_end);
}
