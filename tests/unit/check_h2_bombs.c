/* Heads of an HTTP/2 line that are larger than they look: a few bytes that expand to many (RFC 7541
 * 6.1), in every place where a header block may occur, and blocks that never end. */
#include "h2_fixture.h"
#include "suite.h"

#define VALUE 200
#define STATUS_200 "\x88" /* HPACK's static table (RFC 7541 A) */

/* ":status", then a field that is added to the table as entry 62, then references to that entry. */
static size_t make_block(char *to, const char *status, char filling, size_t copies)
{
    size_t len = strlen(status);
    memcpy(to, status, len);
    memcpy(to + len,
           "\x40\x01"
           "a\x7f\x49",
           5); /* a literal name of 1 byte, a value of 127 + 73 */
    memset(to + len + 5, filling, VALUE);
    memset(to + len + 5 + VALUE, '\xbe', copies);
    return len + 5 + VALUE + copies;
}

static void say_block(uint8_t flags, int32_t id, const char *status, char filling, size_t copies)
{
    char block[300];
    size_t len = make_block(block, status, filling, copies);
    say_frame(NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, id, block, len);
}

static void meet_two(void)
{
    meet();
    ask_all(2);
    text_clear(&line_heard);
    text_clear(&seen);
    text_add_str(&seen, "");
}

/* The line has ended and has reported why. */
static void line_ended(void)
{
    ck_assert_ptr_null(conn);
    loop_turn(loop, false);
    to_origin();
    ck_assert_msg(strstr(seen.at, "[goaway ENHANCE_YOUR_CALM]"), "%s", seen.at);
}

#define TOO_LARGE "failed http_response_header_section_size sent=yes answered"
#define LINE_LOST "failed http_protocol_error sent=yes"

START_TEST(test_far_too_large)
{
    meet_two();
    say_block(0, 1, STATUS_200, 'x', 60);
    line_ended();
    heard_is(0, TOO_LARGE);
    heard_is(1, LINE_LOST);
    ck_assert_str_eq(recorders[1].verdict.detail, "a head far larger than max_header_size");
    finish();
}
END_TEST

/* Its stream is reset; the line and its table stay in use. */
START_TEST(test_a_little_too_large)
{
    meet_two();
    say_block(0, 1, STATUS_200, 'x', 2);
    ck_assert_ptr_nonnull(conn);
    pump();
    heard_is(0, TOO_LARGE);
    seen_is("[reset 1 PROTOCOL_ERROR]");
    say_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 3,
              STATUS_200 "\xbe", 2);
    loop_turn(loop, false);
    ck_assert_uint_eq(recorders[1].ended, 1);
    ck_assert_ptr_nonnull(conn);
    finish();
}
END_TEST

START_TEST(test_trailers)
{
    meet_two();
    say_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, STATUS_200, 1);
    heard_is(0, "head 200 OK ");
    say_block(NGHTTP2_FLAG_END_STREAM, 1, "", 'x', 60);
    line_ended();
    heard_is(0, TOO_LARGE);
    heard_is(1, LINE_LOST);
    finish();
}
END_TEST

START_TEST(test_interim_answer)
{
    meet_two();
    say_block(0, 1,
              "\x08\x03"
              "103",
              'x', 60);
    line_ended();
    heard_is(0, TOO_LARGE);
    heard_is(1, LINE_LOST);
    finish();
}
END_TEST

/* Characters that HTTP does not allow in a field end its stream at once; the rest of the block is
 * decoded only to keep the table in step. */
START_TEST(test_invalid_fields)
{
    meet_two();
    say_block(0, 1, STATUS_200, '\x01', 60);
    ck_assert_ptr_nonnull(conn);
    pump();
    heard_is(0, "failed http_protocol_error sent=yes answered");
    seen_is("[reset 1 PROTOCOL_ERROR]");
    finish();
}
END_TEST

/* The owner has cancelled, and the reset has (1) or has not (0) been sent to the origin: the block
 * is not turned into fields, so only the bytes of its frames count. */
START_TEST(test_for_nobody)
{
    char copies[300];
    memset(copies, 0xbe, sizeof copies);
    meet_two();
    recorder_cancel(&recorders[0]);
    if (_i)
        pump();
    say_block(0, 1, STATUS_200, 'x', 60);
    ck_assert_ptr_nonnull(conn);
    say_frame(NGHTTP2_HEADERS, 0, 1, "", 0);
    for (unsigned n = 0; conn && n < 10; n++)
        say_frame(NGHTTP2_CONTINUATION, 0, 1, copies, sizeof copies);
    line_ended();
    heard_is(1, LINE_LOST);
    ck_assert_str_eq(recorders[1].verdict.detail, "a head far larger than max_header_size");
    finish();
}
END_TEST

/* A block that is not too large, in many frames: the line stays in use. */
START_TEST(test_small_for_nobody)
{
    meet_two();
    recorder_cancel(&recorders[0]);
    pump();
    say_frame(NGHTTP2_HEADERS, 0, 1, STATUS_200, 1);
    for (unsigned n = 0; n < 6; n++)
        say_frame(NGHTTP2_CONTINUATION, n == 5 ? NGHTTP2_FLAG_END_HEADERS : 0, 1, STATUS_200, 1);
    for (unsigned n = 0; n < 100; n++)
        say_frame(NGHTTP2_PING, 0, 0, "12345678", 8);
    ck_assert_ptr_nonnull(conn);
    answer(3);
    ck_assert_uint_eq(recorders[1].ended, 1);
    finish();
}
END_TEST

/* Small frames cost more than their bytes. */
START_TEST(test_without_end)
{
    meet_two();
    say_frame(NGHTTP2_HEADERS, 0, 1, STATUS_200, 1);
    unsigned n = 0;
    while (conn && n++ < 20)
        say_frame(NGHTTP2_CONTINUATION, 0, 1, "", 0);
    ck_assert_ptr_null(conn);
    loop_turn(loop, false);
    ck_assert_uint_eq(recorders[0].failed, 1);
    heard_is(1, LINE_LOST);
    finish();
}
END_TEST

/* Push is disabled, which was sent to the origin before any request. */
START_TEST(test_promise)
{
    meet_two();
    say_frame(NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, "\0\0\0\2\x82", 5);
    line_ended();
    heard_is(0, LINE_LOST);
    heard_is(1, LINE_LOST);
    finish();
}
END_TEST

/* Heads that were in transit when their owners cancelled do not count as a flood; further heads for
 * exchanges that have been answered do. */
START_TEST(test_heads_for_nobody)
{
    meet();
    for (int32_t id = 1; id < 1800; id += 2) {
        ask(0, "GET");
        recorder_cancel(&recorders[0]);
        pump();
        for (int heads = 0; heads < 2; heads++)
            say_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, STATUS_200, 1);
        ck_assert_ptr_nonnull(conn);
    }
    unsigned n = 0;
    while (conn && n++ < 1200)
        say_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, STATUS_200, 1);
    ck_assert_ptr_null(conn);
    finish();
}
END_TEST

SUITE()
{
    TEST(test_far_too_large);
    TEST(test_a_little_too_large);
    TEST(test_trailers);
    TEST(test_interim_answer);
    TEST(test_invalid_fields);
    LOOP(test_for_nobody, 0, 2);
    TEST(test_small_for_nobody);
    TEST(test_without_end);
    TEST(test_promise);
    TEST(test_heads_for_nobody);
}
