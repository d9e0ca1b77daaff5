/* The HTTP/2 line with an nghttp2 server session at its other end: how requests and responses are
 * mapped, what ends a stream and what ends the line. How much of a request counts as sent is in
 * check_h2_sent.c; windows, liveness and floods are in check_h2_limits.c. */
#include "h2_fixture.h"
#include "suite.h"

#define HEAD_OK "head 200 OK "

/* ----------------------------------------------------------------- requests */

START_TEST(test_greeting)
{
    meet();
    ck_assert_uint_eq(nghttp2_session_get_remote_settings(origin, NGHTTP2_SETTINGS_ENABLE_PUSH), 0);
    ck_assert_uint_eq(nghttp2_session_get_remote_settings(origin, NGHTTP2_SETTINGS_MAX_FRAME_SIZE),
                      64 * 1024); /* a large body costs fewer frames */
    ck_assert_uint_eq(
        nghttp2_session_get_remote_settings(origin, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE),
        HEADER_LIMIT);
    ck_assert_int_ge(nghttp2_session_get_remote_window_size(origin), 4 << 20);
    finish();
}
END_TEST

START_TEST(test_request)
{
    struct field fields[] = {
        {SPAN("X-Upper"), SPAN("V")},         {SPAN("Connection"), SPAN("X-Mine")},
        {SPAN("X-Mine"), SPAN("1")},          {SPAN("Keep-Alive"), SPAN("5")},
        {SPAN("Cookie"), SPAN("a=1; b=2;c")}, {SPAN("TE"), SPAN("trailers")},
        {SPAN("Host"), SPAN("other")},        {SPAN("Transfer-Encoding"), SPAN("chunked")},
    };
    meet();
    struct conn_request r = request("GET", FRAMING_NONE, 0);
    r.fields = (struct fields){fields, COUNT_OF(fields), 0};
    open_as(0, &r);
    exchange_finish(recorders[0].exchange, NULL);
    pump();
    seen_is(
        "[request 1 :method=GET; :scheme=https; :authority=h; :path=/a?b; x-upper=V; cookie=a=1; "
        "cookie=b=2;c; te=trailers;][end 1]");
    answer(1);
    heard_is(0, HEAD_OK " body(hi) end {}");
    line_is("room");
    ck_assert_uint_eq(conn_capacity(conn), 100);
    finish();
}
END_TEST

START_TEST(test_bodies)
{
    struct field trailer[] = {{SPAN("X-Sum"), SPAN("7")}, {SPAN("Connection"), SPAN("x")}};
    struct fields trailers = {trailer, 2, 0};
    meet();
    post(0, FRAMING_LENGTH, 4);
    unsigned writes = stream.writes;
    ck_assert(exchange_body(recorders[0].exchange, "body", 4));
    exchange_finish(recorders[0].exchange, NULL);
    pump();
    ck_assert_uint_eq(stream.writes, writes + 1); /* head, body and end */
    seen_is("[request 1 :method=POST; :scheme=https; :authority=h; :path=/a?b; content-length=4;]"
            "[data 1 body][end 1]");
    post(1, FRAMING_LENGTH, 0);
    exchange_finish(recorders[1].exchange, NULL);
    pump();
    seen_is("[request 3 :method=POST; :scheme=https; :authority=h; :path=/a?b; content-length=0;]"
            "[end 3]");
    post(2, FRAMING_CHUNKED, 0);
    (void)!exchange_body(recorders[2].exchange, "one", 3);
    pump();
    (void)!exchange_body(recorders[2].exchange, "two", 3);
    pump();
    exchange_finish(recorders[2].exchange, &trailers);
    pump();
    seen_is("[request 5 :method=POST; :scheme=https; :authority=h; :path=/a?b;][data 5 one]"
            "[data 5 two][trailers 5 x-sum=7;][end 5]");
    post(3, FRAMING_CHUNKED, 0);
    exchange_finish(recorders[3].exchange, &(struct fields){0});
    pump();
    seen_is("[request 7 :method=POST; :scheme=https; :authority=h; :path=/a?b;][end 7]");
    finish();
}
END_TEST

/* A body of many frames goes out in frames that fill TLS records: each write is one record, but for
 * the first, which has the head too. */
START_TEST(test_data_fills_records)
{
    static char bytes[60000];
    meet();
    post(0, FRAMING_LENGTH, sizeof bytes);
    size_t at = stream.written.len;
    unsigned writes = stream.writes, frames = 0;
    (void)!exchange_body(recorders[0].exchange, bytes, sizeof bytes);
    exchange_finish(recorders[0].exchange, NULL);
    loop_turn(loop, false);
    for (size_t len; at < stream.written.len; at += len, frames++) {
        const unsigned char *head = (const unsigned char *)stream.written.at + at;
        len = 9 + ((size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2]);
        ck_assert_uint_le(len, 16384);
    }
    ck_assert_uint_eq(frames, 1 + 4);
    ck_assert_uint_eq(stream.writes, writes + 4);
    pump();
    finish();
}
END_TEST

/* Frames of many requests go out in one write. */
START_TEST(test_one_write_for_many)
{
    meet();
    unsigned writes = stream.writes;
    ask_all(50);
    ck_assert_uint_le(stream.writes, writes + 2); /* and possibly a SETTINGS acknowledgement */
    ck_assert_uint_eq(traffic.streams, 50);
    for (int32_t i = 0; i < 50; i++)
        answer(2 * (49 - i) + 1); /* in any order */
    for (size_t i = 0; i < 50; i++)
        heard_is(i, HEAD_OK " body(hi) end {}");
    ck_assert_uint_eq(traffic.streams, 0);
    ck_assert_uint_eq(traffic.streams_peak, 50);
    finish();
}
END_TEST

/* ------------------------------------------------------------------ answers */

START_TEST(test_answers)
{
    meet();
    ask_all(9);
    say_head(1, ":status=204;x=1;", true);
    heard_is(0, "head 204 No Content x=1; end {}");
    say_head(3, ":status=404;", true);
    heard_is(1, "head 404 Not Found  end {}");
    say_head(5, ":status=100;", false);
    say_head(5, ":status=103;link=x;", false);
    say_head(5, ":status=200;content-length=2;", false);
    say(5, "hi", false);
    say_head(5, "x-sum=7;y=;", true);
    heard_is(2, "interim 100 Continue  interim 103 Early Hints link=x; " HEAD_OK
                "content-length=2; body(hi) end {x-sum=7;y=;}");
    say_head(7, ":status=200;set-cookie=a;set-cookie=b;", false);
    say(7, "", true);
    heard_is(3, HEAD_OK "set-cookie=a;set-cookie=b; end {}");
    say_head(9, ":status=304;content-length=7;", true);
    heard_is(4, "head 304 Not Modified content-length=7; end {}");
    ck_assert_uint_eq(traffic.streams, 4);
    finish();
    meet();
    ask(0, "HEAD");
    say_head(1, ":status=200;content-length=999;", true);
    heard_is(0, HEAD_OK "content-length=999; end {}");
    line_is("room");
    finish();
}
END_TEST

/* Only the stream is ended (RFC 9113 8.1.1); the line stays in use. */
START_TEST(test_malformed_answers)
{
    static const char *const heads[] = {
        ":status=200;connection=close;",
        ":status=200;x=a\r\nb;",
        ":status=200;transfer-encoding=chunked;",
        ":status=101;",
        "x=1;",
        ":status=abc;",
        ":status=200;content-length=2;content-length=3;",
        ":status=200;content-length=x;",
        ":status=200;:path=/;",
        ":status=199;content-length=5;",
        ":status=999;",
    };
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        meet();
        ask_all(2);
        say_head(1, heads[i], false);
        ck_assert_msg(strcmp(heard[0].at ? heard[0].at : "",
                             "failed http_protocol_error sent=yes answered") == 0,
                      "%s: %s", heads[i], heard[0].at);
        answer(3);
        heard_is(1, HEAD_OK " body(hi) end {}");
        finish();
    }
}
END_TEST

/* nghttp2 refuses to write such names, so they are written as bytes (RFC 7541 6.2.2). */
START_TEST(test_upper_case_name)
{
    meet();
    ask_all(2);
    say_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, "\x88\x00\x01X\x01v", 6);
    pump();
    heard_is(0, "failed http_protocol_error sent=yes answered");
    answer(3);
    heard_is(1, HEAD_OK " body(hi) end {}");
    finish();
}
END_TEST

START_TEST(test_length_that_lies)
{
    meet();
    ask_all(2);
    say_head(1, ":status=200;content-length=10;", false);
    say(1, "abc", true);
    heard_is(0,
             HEAD_OK "content-length=10; body(abc) failed http_protocol_error sent=yes answered");
    say_head(3, ":status=200;content-length=2;", false);
    say(3, "abc", false);
    ck_assert_uint_eq(recorders[1].failed, 1);
    finish();
}
END_TEST

START_TEST(test_limits_of_heads)
{
    char big[500];
    snprintf(big, sizeof big, ":status=200;x=%0400d;", 0);
    meet();
    ask_all(3);
    say_head(1, big, false);
    heard_is(0, "failed http_response_header_section_size sent=yes answered");
    for (int i = 0; i < 17; i++)
        if (recorders[1].exchange)
            say_head(3, ":status=103;", false);
    ck_assert_uint_eq(recorders[1].failed, 1);
    ck_assert_str_eq(failure_name(recorders[1].verdict.error), "http_protocol_error");
    answer(5);
    heard_is(2, HEAD_OK " body(hi) end {}");
    finish();
}
END_TEST

/* The line has room again before the owner gets the last byte. */
START_TEST(test_last_piece_waits)
{
    meet();
    ask_all(1);
    say_head(1, ":status=200;content-length=4;", false);
    say(1, "ab", false);
    heard_is(0, HEAD_OK "content-length=4; body(ab)");
    say(1, "cd", false);
    heard_is(0, "");
    line_is("");
    say(1, "", true);
    line_is("room");
    heard_is(0, "body(cd) end {}");
    finish();
    meet();
    ask_all(1);
    say_head(1, ":status=200;content-length=2;", false);
    say(1, "ab", false);
    reset(1, NGHTTP2_INTERNAL_ERROR);
    heard_is(0, HEAD_OK "content-length=2; failed http_response_incomplete sent=yes answered");
    finish();
}
END_TEST

/* ------------------------------------------------------------ ends of streams */

START_TEST(test_resets)
{
    meet();
    ask_all(5);
    text_clear(&seen);
    reset(1, NGHTTP2_REFUSED_STREAM);
    heard_is(0, "failed connection_terminated sent=no");
    reset(3, NGHTTP2_INTERNAL_ERROR);
    heard_is(1, "failed connection_terminated sent=yes");
    say_head(5, "200", false);
    reset(5, NGHTTP2_CANCEL);
    heard_is(2, HEAD_OK " failed http_response_incomplete sent=yes answered");
    say_head(7, ":status=103;", false);
    reset(7, NGHTTP2_REFUSED_STREAM); /* not believed after part of a response */
    heard_is(3, "interim 103 Early Hints  failed http_response_incomplete sent=yes answered");
    answer(9);
    heard_is(4, HEAD_OK " body(hi) end {}");
    ck_assert_uint_eq(conn_capacity(conn), 100);
    finish();
}
END_TEST

/* A response that is complete before its request ends the request (RFC 9113 8.1). */
START_TEST(test_early_answer)
{
    meet();
    post(0, FRAMING_LENGTH, 100);
    (void)!exchange_body(recorders[0].exchange, "part", 4);
    pump();
    text_clear(&seen);
    answer(1);
    heard_is(0, HEAD_OK " body(hi) end {}");
    seen_is("[reset 1 NO_ERROR]");
    line_is("room");
    finish();
}
END_TEST

START_TEST(test_cancel)
{
    static const enum recorder_event moments[] = {RECORDER_NONE, RECORDER_INTERIM, RECORDER_HEAD,
                                                  RECORDER_BODY};
    for (size_t i = 0; i < COUNT_OF(moments); i++) {
        meet();
        ask_all(2);
        recorders[0].cancel_in = moments[i];
        text_clear(&seen);
        if (moments[i] == RECORDER_NONE)
            recorder_cancel(&recorders[0]);
        pump();
        if (recorders[0].exchange)
            say_head(1, ":status=103;", false);
        if (recorders[0].exchange)
            say_head(1, "200", false);
        if (recorders[0].exchange)
            say(1, "hi", false);
        ck_assert_ptr_null(recorders[0].exchange);
        seen_is("[reset 1 CANCEL]");
        line_is("room");
        answer(3);
        heard_is(1, HEAD_OK " body(hi) end {}");
        finish();
    }
}
END_TEST

/* If a request is cancelled before its first frame has been sent, none of it is ever sent. */
START_TEST(test_cancel_at_once)
{
    meet();
    post(0, FRAMING_LENGTH, 4);
    (void)!exchange_body(recorders[0].exchange, "body", 4);
    ck_assert_int_eq(exchange_sent(recorders[0].exchange), SENT_NO);
    recorder_cancel(&recorders[0]);
    pump();
    ck_assert_ptr_null(strstr(seen.at, "request"));
    line_is("room");
    finish();
}
END_TEST

/* ------------------------------------------------------------ ends of the line */

START_TEST(test_goaway)
{
    meet();
    ask_all(3);
    say_head(1, "200", false);
    leave(3, NGHTTP2_NO_ERROR);
    heard_is(2, "failed connection_terminated sent=no"); /* above the last id */
    ck_assert_uint_eq(conn_capacity(conn), 0);
    say(1, "hi", true);
    heard_is(0, HEAD_OK " body(hi) end {}");
    ck_assert_ptr_null(strstr(line_heard.at, "gone"));
    answer(3);
    heard_is(1, HEAD_OK " body(hi) end {}");
    ck_assert_ptr_nonnull(strstr(line_heard.at, "gone:response"));
    finish();
    meet();
    leave(0, NGHTTP2_NO_ERROR);
    line_is("gone:peer");
    finish();
}
END_TEST

/* A request that is still waiting to be sent when GOAWAY arrives is never sent. */
START_TEST(test_goaway_before_the_request)
{
    meet();
    stream.stuck = true;
    ask_all(1);
    for (size_t i = 1; i < 3; i++) {
        struct conn_request r = request("POST", FRAMING_NONE, 0);
        open_as(i, &r);
        exchange_finish(recorders[i].exchange, NULL);
    }
    leave(0, NGHTTP2_NO_ERROR);
    heard_is(0, "failed connection_terminated sent=no");
    heard_is(1, "failed connection_terminated sent=no");
    heard_is(2, "failed connection_terminated sent=no");
    ck_assert_ptr_nonnull(strstr(line_heard.at, "gone:"));
    finish();
}
END_TEST

START_TEST(test_ends)
{
    static const enum stream_end hows[] = {STREAM_EOF, STREAM_CUT, STREAM_RESET};
    for (size_t i = 0; i < COUNT_OF(hows); i++) {
        meet();
        ask_all(4);
        say_head(3, "200", false);
        say_head(5, ":status=103;", false);
        answer(7);
        text_clear(&line_heard);
        fake_stream_end(&stream, hows[i]);
        pump();
        line_is("gone:error");
        heard_is(0, "failed connection_terminated sent=yes");
        heard_is(1, HEAD_OK " failed http_response_incomplete sent=yes answered");
        heard_is(2, "interim 103 Early Hints  failed http_response_incomplete sent=yes answered");
        heard_is(3, HEAD_OK " body(hi) end {}");
        finish();
        meet();
        fake_stream_end(&stream, hows[i]);
        line_is("gone:peer");
        finish();
    }
}
END_TEST

START_TEST(test_not_http2)
{
    begin();
    ask_all(1);
    (void)!fake_stream_feed(&stream, SPAN("HTTP/1.1 400 Bad Request\r\n\r\n").at, 28);
    pump();
    line_is("gone:error");
    heard_is(0, "failed http_protocol_error sent=yes");
    finish();
}
END_TEST

/* A head interrupted by another frame: nghttp2 has no error message for it, so trunkline supplies
 * one. */
START_TEST(test_broken_head)
{
    meet();
    ask_all(1);
    say_frame(NGHTTP2_HEADERS, 0, 1, "\x88", 1);
    say_frame(NGHTTP2_PING, 0, 0, "12345678", 8);
    pump();
    heard_is(0, "failed http_protocol_error sent=yes answered");
    ck_assert_str_ne(recorders[0].verdict.detail, "");
    finish();
}
END_TEST

START_TEST(test_polite_close)
{
    meet();
    conn_close(conn);
    conn = NULL;
    pump();
    seen_is("[goaway NO_ERROR]");
    ck_assert(stream.closed);
    finish();
}
END_TEST

/* ------------------------------------------------- what the origin says of itself */

/* RFC 9113 7: the origin requires HTTP/1.1. This is not believed for a request that was already
 * answered in part. */
START_TEST(test_http1_required)
{
    meet();
    ask_all(2);
    say_head(3, ":status=103;", false);
    reset(3, NGHTTP2_HTTP_1_1_REQUIRED);
    ck_assert(recorders[1].failed && !recorders[1].verdict.undone && !conn->wants_http1);
    reset(1, NGHTTP2_HTTP_1_1_REQUIRED);
    ck_assert(conn->wants_http1);
    ck_assert(recorders[0].verdict.sent == SENT_YES && recorders[0].verdict.undone);
    finish();
    meet();
    ask_all(2);
    leave(1, NGHTTP2_HTTP_1_1_REQUIRED);
    ck_assert(conn->wants_http1);
    heard_is(1, "failed connection_terminated sent=no");
    finish();
}
END_TEST

/* RFC 9110 15.5.20: a line to a server that is not responsible for the name carries no further
 * requests. */
START_TEST(test_misdirected)
{
    meet();
    ask_all(2);
    say_head(1, "421", false);
    ck_assert_uint_eq(conn_capacity(conn), 0);
    say(1, "", true);
    heard_is(0, "head 421 Misdirected Request  end {}");
    ck_assert_ptr_nonnull(conn);
    text_clear(&line_heard);
    answer(3);
    heard_is(1, HEAD_OK " body(hi) end {}");
    ck_assert_ptr_null(conn);
    line_is("gone:response");
    finish();
}
END_TEST

SUITE()
{
    TEST(test_greeting);
    TEST(test_request);
    TEST(test_bodies);
    TEST(test_data_fills_records);
    TEST(test_one_write_for_many);
    TEST(test_answers);
    TEST(test_malformed_answers);
    TEST(test_upper_case_name);
    TEST(test_length_that_lies);
    TEST(test_limits_of_heads);
    TEST(test_last_piece_waits);
    TEST(test_resets);
    TEST(test_early_answer);
    TEST(test_cancel);
    TEST(test_cancel_at_once);
    TEST(test_goaway);
    TEST(test_goaway_before_the_request);
    TEST(test_ends);
    TEST(test_not_http2);
    TEST(test_broken_head);
    TEST(test_polite_close);
    TEST(test_http1_required);
    TEST(test_misdirected);
}
