/* What keeps an HTTP/2 line bounded and alive: windows in both directions, the origin's limit of
 * streams, PINGs, and floods. */
#include "h2_fixture.h"
#include "protocol/h2_proof.h"
#include "suite.h"

#define HEAD_OK "head 200 OK "

static char bytes[4 << 20];

/* ------------------------------------------------------------------ windows */

/* An owner that does not read withholds one window of bytes from the origin, and delays no other
 * exchange. */
START_TEST(test_slow_owner)
{
    meet();
    ask_all(2);
    exchange_pause(recorders[0].exchange);
    say_head(1, "200", false);
    say_bytes(1, bytes, sizeof bytes, true);
    ck_assert_uint_eq(recorders[0].body, 0);
    size_t held = sizeof bytes - kept_back();
    ck_assert_uint_eq(held, 256 * 1024);
    answer(3);
    heard_is(1, HEAD_OK " body(hi) end {}");
    finish();
}
END_TEST

START_TEST(test_slow_owner_reads_on)
{
    meet();
    ask_all(1);
    recorders[0].pause_in = RECORDER_BODY; /* after each piece */
    say_head(1, "200", false);
    say_bytes(1, bytes, 1 << 20, true);
    unsigned rounds = 0;
    while (recorders[0].exchange && rounds++ < 1000) {
        exchange_resume(recorders[0].exchange);
        pump();
    }
    ck_assert_uint_eq(recorders[0].body, 1 << 20);
    ck_assert_uint_eq(recorders[0].ended, 1);
    ck_assert_uint_gt(rounds, 10);
    finish();
}
END_TEST

/* Bytes held back when the stream ended are still delivered, followed by the end. */
START_TEST(test_held_beyond_the_end)
{
    meet();
    ask_all(1);
    exchange_pause(recorders[0].exchange);
    answer(1);
    heard_is(0, HEAD_OK);
    line_is("room"); /* the line has room by now */
    ck_assert_uint_eq(traffic.streams, 0);
    conn_close(conn);
    conn = NULL;
    exchange_resume(recorders[0].exchange);
    loop_turn(loop, false);
    heard_is(0, "body(hi) end {}");
    finish();
    meet();
    ask_all(1);
    exchange_pause(recorders[0].exchange);
    answer(1);
    recorder_cancel(&recorders[0]);
    finish();
}
END_TEST

/* An owner that reads fast enough gets a wider window, so that the origin never waits long. */
START_TEST(test_fast_owner)
{
    meet();
    ask_all(1);
    say_head(1, "200", false);
    say_bytes(1, bytes, 300 << 10, false);
    ck_assert_uint_eq(recorders[0].body, 300 << 10);
    pump();
    ck_assert_int_ge(nghttp2_session_get_stream_remote_window_size(origin, 1), 700 << 10);
    ck_assert_int_ge(nghttp2_session_get_remote_window_size(origin), 4 << 20);
    finish();
}
END_TEST

/* A body larger than the origin's windows is accepted as they open; until then its sender is asked
 * to wait. */
START_TEST(test_large_body)
{
    meet();
    post(0, FRAMING_LENGTH, sizeof bytes);
    deaf = true; /* no WINDOW_UPDATE */
    bool more = true;
    size_t given = 0;
    while (more && given < sizeof bytes) {
        more = exchange_body(recorders[0].exchange, bytes, 16384);
        given += 16384;
        pump();
    }
    ck_assert(!more);
    ck_assert_uint_le(given, 65535 + 256 * 1024 + 32768);
    ck_assert_uint_eq(recorders[0].drained, 0);
    deaf = false;
    pump();
    ck_assert_uint_eq(recorders[0].drained, 1);
    while (given < sizeof bytes) {
        (void)!exchange_body(recorders[0].exchange, bytes, 16384);
        given += 16384;
        pump();
    }
    exchange_finish(recorders[0].exchange, NULL);
    pump();
    ck_assert_ptr_nonnull(strstr(seen.at, "[end 1]"));
    answer(1);
    heard_is(0, HEAD_OK " body(hi) end {}");
    finish();
}
END_TEST

/* If the stream accepts nothing, frames wait in the session, not in the stream's queue. */
START_TEST(test_full_stream)
{
    static char copies[32][16384];
    meet();
    stream.stuck = true;
    for (size_t i = 0; i < RECORDERS && i < 100; i++)
        post(i, FRAMING_CHUNKED, 0);
    for (size_t i = 0; i < 100; i++)
        for (size_t k = 0; k < 4; k++)
            (void)!exchange_body(recorders[i].exchange, copies[k], 16384);
    nghttp2_settings_entry wide = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20};
    nghttp2_submit_settings(origin, NGHTTP2_FLAG_NONE, &wide, 1);
    nghttp2_session_set_local_window_size(origin, NGHTTP2_FLAG_NONE, 0, 100 << 20);
    pump();
    ck_assert_uint_le(stream.base.queued, STREAM_HIGH + (64 << 10));
    ck_assert_uint_eq(conn_capacity(conn), 0); /* a request added now would be sent late */
    line_is("full");
    for (size_t i = 0; i < 50; i++)
        recorder_cancel(&recorders[i]);
    loop_turn(loop, false);
    ck_assert_uint_eq(conn_capacity(conn), 0);
    text_clear(&line_heard);
    stream.stuck = false;
    fake_stream_take(&stream, stream.base.queued);
    ck_assert_uint_gt(conn_capacity(conn), 0);
    loop_turn(loop, false);
    line_is("room");
    for (size_t i = 50; i < 100; i++)
        exchange_finish(recorders[i].exchange, &(struct fields){0});
    pump();
    ck_assert_uint_eq(traffic.bytes_sent > 50 * 4 * 16384, true);
    finish();
}
END_TEST

/* ------------------------------------------------------- the origin's limit */

START_TEST(test_allowed)
{
    begin();
    ck_assert_uint_eq(conn->allowed, CONN_UNSAID);
    allow(3);
    pump();
    line_is("room");
    ck_assert_uint_eq(conn_capacity(conn), 3);
    ask_all(2);
    ck_assert_uint_eq(conn_capacity(conn), 1);
    allow(1); /* fewer than are open now */
    pump();
    line_is("full");
    ck_assert_uint_eq(conn_capacity(conn), 0);
    answer(1);
    ck_assert_uint_eq(conn_capacity(conn), 0);
    answer(3);
    ck_assert_uint_eq(conn_capacity(conn), 1);
    text_clear(&line_heard);
    allow(200);
    pump();
    line_is("room");
    ck_assert_uint_eq(conn_capacity(conn), 200);
    finish();
}
END_TEST

/* RFC 9113 6.5.2: none for the moment. */
START_TEST(test_none_allowed)
{
    begin();
    allow(0);
    pump();
    ck_assert_uint_eq(conn->allowed, 0);
    ck_assert_uint_eq(conn_capacity(conn), 0);
    text_clear(&line_heard);
    allow(2);
    pump();
    line_is("room");
    ck_assert_uint_eq(conn_capacity(conn), 2);
    finish();
}
END_TEST

/* ----------------------------------------------------------------- liveness */

START_TEST(test_idle_ping)
{
    meet();
    loop_skip(loop, H2_IDLE_PING_MS - 100);
    pump();
    seen_is("");
    loop_skip(loop, 200);
    pump(); /* and answered */
    seen_is("[ping]");
    loop_skip(loop, 5000);
    line_is("");
    ck_assert_uint_eq(conn_capacity(conn), 100);
    loop_skip(loop, 5200);
    pump();
    seen_is("[ping]");
    finish();
}
END_TEST

START_TEST(test_no_pong)
{
    meet();
    deaf = true;
    loop_skip(loop, H2_IDLE_PING_MS + 10);
    pump();
    seen_is("[ping]");
    ck_assert_uint_eq(conn_capacity(conn), 100); /* no request waits for it */
    loop_skip(loop, H2_DOUBT_MS + 10);
    pump();
    line_is("full");
    ck_assert_uint_eq(conn_capacity(conn), 0);
    loop_skip(loop, H2_PONG_MS - H2_DOUBT_MS);
    pump();
    line_is("gone:error"); /* the origin closed nothing */
    finish();
    meet();
    deaf = true;
    loop_skip(loop, H2_IDLE_PING_MS + 10);
    pump();
    loop_skip(loop, H2_DOUBT_MS + 10);
    pump();
    line_is("full");
    deaf = false;
    pump(); /* late, but in time */
    line_is("room");
    ck_assert_uint_eq(conn_capacity(conn), 100);
    finish();
}
END_TEST

/* Streams that wait for a long time: the line is probed later, and they get the true result. */
START_TEST(test_busy_ping)
{
    meet();
    ask_all(2);
    say_head(3, "200", false);
    text_clear(&seen);
    loop_skip(loop, H2_IDLE_PING_MS + 100);
    pump();
    ck_assert_ptr_null(strstr(seen.at, "ping"));
    deaf = true;
    loop_skip(loop, H2_BUSY_PING_MS - H2_IDLE_PING_MS);
    pump();
    ck_assert_ptr_nonnull(strstr(seen.at, "ping"));
    loop_skip(loop, H2_PONG_MS + 10);
    loop_skip(loop, H2_PONG_MS + 10);
    pump();
    ck_assert_ptr_nonnull(strstr(line_heard.at, "gone:error"));
    heard_is(0, "failed connection_terminated sent=yes");
    heard_is(1, HEAD_OK " failed http_response_incomplete sent=yes answered");
    finish();
}
END_TEST

static void time_is_up(size_t i)
{
    struct exchange *x = recorders[i].exchange;
    recorders[i].exchange = NULL;
    exchange_expire(x);
    pump();
}

/* An exchange times out on a line on which nothing has arrived since. */
START_TEST(test_unanswered)
{
    meet();
    deaf = true;
    ask_all(2);
    time_is_up(0);
    ck_assert(conn->doubted);
    ck_assert_uint_eq(conn_capacity(conn), 0);
    ck_assert_ptr_nonnull(strstr(seen.at, "[ping]"));
    line_is("room"); /* no exchange needs it */
    deaf = _i == 0;
    pump();
    if (!deaf) {
        ck_assert_uint_eq(conn_capacity(conn), 99);
        ck_assert(!conn->doubted);
        finish();
        return;
    }
    loop_skip(loop, H2_PONG_MS - 10);
    pump();
    ck_assert_ptr_nonnull(conn);
    loop_skip(loop, 20);
    pump();
    ck_assert_ptr_null(conn);
    heard_is(1, "failed connection_terminated sent=yes");
    finish();
}
END_TEST

/* The timeout says nothing against a line on which something arrived, or to which no request was
 * given; nor does an owner that cancelled early. An owner that waited longer than a PING may take
 * gets no different result. */
START_TEST(test_not_unanswered)
{
    meet();
    ask_all(2);
    loop_skip(loop, 5);
    answer(3);
    time_is_up(0);
    ck_assert(!conn->doubted);
    struct conn_request r = request("GET", FRAMING_NONE, 0);
    open_as(2, &r);
    time_is_up(2);
    ck_assert(!conn->doubted);
    deaf = true;
    ask(3, "GET");
    loop_skip(loop, H2_SILENCE_MS - 50);
    recorder_cancel(&recorders[3]);
    ck_assert(!conn->doubted);
    if (_i == 0) {
        deaf = false;
        pump(); /* something arrives: the time is counted from here */
        deaf = true;
    }
    loop_skip(loop, 10);
    ask(4, "GET");
    loop_skip(loop, _i == 0 ? H2_SILENCE_MS + 50 : 50);
    recorder_cancel(&recorders[4]);
    ck_assert(conn->doubted);
    finish();
}
END_TEST

/* A line in use needs no proof. */
START_TEST(test_no_ping_in_use)
{
    meet();
    for (size_t i = 0; i < 20; i++) {
        ask(i, "GET");
        answer((int32_t)(2 * i + 1));
        loop_skip(loop, 3000);
    }
    ck_assert_ptr_null(strstr(seen.at, "ping"));
    finish();
}
END_TEST

/* ------------------------------------------------------------------- floods */

static void flood_with(uint8_t type, uint8_t flags, int32_t id, const void *payload, size_t len,
                       unsigned most)
{
    meet();
    ask_all(1);
    text_clear(&line_heard);
    unsigned n = 0;
    while (conn && n < most) {
        say_frame(type, flags, id, payload, len);
        n++;
    }
    ck_assert_msg(conn == NULL, "%u frames of type %u, and it bears them", n, type);
    loop_turn(loop, false);
    ck_assert_uint_eq(recorders[0].failed, 1);
    ck_assert_int_eq(recorders[0].verdict.sent, SENT_YES);
    ck_assert_uint_lt(stream.written.len, 64 * 1024);
    finish();
}

static void flood(uint8_t type, uint8_t flags, int32_t id, size_t len, unsigned most)
{
    static const char zeros[300];
    flood_with(type, flags, id, zeros, len, most);
}

START_TEST(test_floods)
{
    flood(NGHTTP2_PING, 0, 0, 8, 1200);
    flood(NGHTTP2_SETTINGS, 0, 0, 0, 1200);
    flood(NGHTTP2_PRIORITY, 0, 1, 5, 1200);
    flood(NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, 4, 10);
}
END_TEST

/* Frames that no standard defines, and acknowledgements and permissions that were not asked for. */
START_TEST(test_floods_of_the_unexpected)
{
    flood(0x42, 0, 0, 0, 1200);
    flood(0xff, 0, 1, 200, 1200);
    flood(NGHTTP2_ALTSVC, 0, 1, 2, 1200);
    flood(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, 8, 1200);
    flood(NGHTTP2_PRIORITY, NGHTTP2_FLAG_ACK, 1, 5, 1200);
    flood_with(NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4, 1200);
}
END_TEST

/* Window updates that make room for a body in small pieces are not a flood. */
START_TEST(test_small_updates)
{
    meet();
    post(0, FRAMING_CHUNKED, 0);
    for (unsigned given = 0; given < 4000 && conn; given++) {
        (void)!exchange_body(recorders[0].exchange, bytes, 1000);
        loop_turn(loop, false);
        say_frame(NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\3\xe8", 4);
        say_frame(NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\3\xe8", 4);
    }
    ck_assert_ptr_nonnull(conn);
    finish();
}
END_TEST

/* Frames on streams that trunkline opened are not a flood, however many there are: responses that
 * end with an empty frame, as those of many origins do; room for a body that is not sent; resets,
 * including those of streams that have already ended. */
START_TEST(test_no_flood)
{
    meet();
    for (unsigned n = 0; n < 3000; n++) {
        int32_t id = (int32_t)(2 * n + 1);
        struct conn_request r = request("GET", FRAMING_NONE, 0);
        open_as(0, &r);
        loop_turn(loop, false);
        say_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, "\x88", 1);
        say_frame(NGHTTP2_DATA, 0, id, "ok", 2);
        say_frame(NGHTTP2_WINDOW_UPDATE, 0, id, "\0\0\0\1", 4);
        say_frame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, id, "", 0);
        say_frame(NGHTTP2_RST_STREAM, 0, id, "\0\0\0\0", 4);
        say_frame(NGHTTP2_RST_STREAM, 0, id, "\0\0\0\0", 4);
        loop_turn(loop, false);
        ck_assert_uint_eq(recorders[0].ended, 1);
        ck_assert_ptr_nonnull(conn);
    }
    finish();
}
END_TEST

static void flood_after(const char *first, size_t first_len, uint8_t type, uint8_t flags,
                        unsigned most)
{
    meet();
    ask_all(1);
    say_frame(NGHTTP2_HEADERS, (uint8_t)(type == NGHTTP2_DATA ? NGHTTP2_FLAG_END_HEADERS : 0), 1,
              first, first_len);
    unsigned n = 0;
    while (conn && n++ < most)
        say_frame(type, flags, 1, "\x88", type == NGHTTP2_DATA ? 0 : 1);
    ck_assert_ptr_null(conn);
    loop_turn(loop, false);
    ck_assert_uint_eq(recorders[0].failed, 1);
    finish();
}

/* \x88 is ":status: 200" of HPACK's static table (RFC 7541 A). */
START_TEST(test_more_floods)
{
    flood_after("\x88", 1, NGHTTP2_DATA, 0, 1200);        /* empty DATA */
    flood_after("\x88", 1, NGHTTP2_CONTINUATION, 0, 100); /* a head without end */
}
END_TEST

/* Spread over time the same is fine: some origins PING a lot. */
START_TEST(test_many_pings)
{
    static const char zeros[8];
    meet();
    for (int i = 0; i < 300; i++) {
        for (int k = 0; k < 9; k++)
            say_frame(NGHTTP2_PING, 0, 0, zeros, 8);
        loop_skip(loop, 100);
        pump();
    }
    ck_assert_ptr_nonnull(conn);
    finish();
}
END_TEST

SUITE()
{
    TEST(test_slow_owner);
    TEST(test_slow_owner_reads_on);
    TEST(test_held_beyond_the_end);
    TEST(test_fast_owner);
    TEST(test_large_body);
    TEST(test_full_stream);
    TEST(test_allowed);
    TEST(test_none_allowed);
    TEST(test_idle_ping);
    TEST(test_no_pong);
    TEST(test_busy_ping);
    LOOP(test_unanswered, 0, 2);
    LOOP(test_not_unanswered, 0, 2);
    TEST(test_no_ping_in_use);
    TEST(test_floods);
    TEST(test_floods_of_the_unexpected);
    TEST(test_small_updates);
    TEST(test_no_flood);
    TEST(test_more_floods);
    TEST(test_many_pings);
}
