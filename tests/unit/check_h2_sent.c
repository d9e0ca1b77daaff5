/* What an HTTP/2 line knows about how much of a request was sent, both while the line is in use and
 * when it ends. */
#include "h2_fixture.h"
#include "suite.h"

static void sent_is(size_t i, enum sent expected)
{
    ck_assert_int_eq(exchange_sent(recorders[i].exchange), expected);
}

static bool is_queued(size_t i)
{
    return exchange_is_queued(recorders[i].exchange);
}

/* Bytes in the queue of a line that stays in use will arrive, so a request that is there whole counts
 * as sent whole; bytes in the queue of a line that ends are lost with it. */
START_TEST(test_sent)
{
    meet();
    stream.stuck = true;
    post(0, FRAMING_LENGTH, 50);
    (void)!exchange_body(recorders[0].exchange,
                         "12345678901234567890123456789012345678901234567890", 50);
    exchange_finish(recorders[0].exchange, NULL);
    sent_is(0, SENT_NO);
    loop_turn(loop, false);
    ck_assert_uint_gt(stream.base.queued, 50);
    sent_is(0, SENT_YES);
    ck_assert(is_queued(0));
    struct conn_request r = request("GET", FRAMING_NONE, 0);
    open_as(1, &r);
    exchange_finish(recorders[1].exchange, NULL);
    size_t first = stream.base.queued;
    sent_is(1, SENT_NO);
    loop_turn(loop, false);
    fake_stream_take(&stream, 1);
    ck_assert(is_queued(0));
    fake_stream_take(&stream, first - 1);
    sent_is(0, SENT_YES);
    ck_assert(!is_queued(0));
    sent_is(1, SENT_YES);
    ck_assert(is_queued(1));
    fake_stream_end(&stream, STREAM_RESET);
    ck_assert(stream.closed);
    loop_turn(loop, false);
    heard_is(0, "failed connection_terminated sent=yes");
    heard_is(1, "failed connection_terminated sent=no");
    finish();
}
END_TEST

/* Of requests that are written together each counts for itself when the line ends. */
START_TEST(test_sent_in_one_write)
{
    meet();
    stream.stuck = true;
    ask(0, "DELETE");
    size_t first = stream.base.queued;
    fake_stream_take(&stream, first);
    struct conn_request r = request("GET", FRAMING_NONE, 0);
    for (size_t i = 1; i < 4; i++) {
        open_as(i, &r);
        exchange_finish(recorders[i].exchange, NULL);
    }
    loop_turn(loop, false);
    size_t each = stream.base.queued / 3;
    ck_assert_uint_eq(stream.base.queued, 3 * each);
    fake_stream_take(&stream, each);
    sent_is(1, SENT_YES);
    ck_assert(!is_queued(1) && is_queued(2));
    fake_stream_take(&stream, 1);
    fake_stream_end(&stream, STREAM_RESET);
    loop_turn(loop, false);
    heard_is(0, "failed connection_terminated sent=yes");
    heard_is(1, "failed connection_terminated sent=yes");
    heard_is(2, "failed connection_terminated sent=partial");
    heard_is(3, "failed connection_terminated sent=no");
    finish();
}
END_TEST

/* A request that is cancelled while it is in the line's queue still arrives later, whole. */
START_TEST(test_queued_and_given_up)
{
    meet();
    stream.stuck = true;
    ask(0, "DELETE");
    ck_assert_ptr_null(strstr(seen.at, "DELETE"));
    sent_is(0, SENT_YES);
    recorder_cancel(&recorders[0]);
    stream.stuck = false;
    fake_stream_take(&stream, stream.base.queued);
    pump();
    ck_assert_ptr_nonnull(strstr(seen.at, "DELETE"));
    finish();
}
END_TEST

static void open_with_head_of(size_t i, size_t size)
{
    static char value[700000];
    struct field field = {SPAN("X-Large"), {value, size}};
    memset(value, 'v', sizeof value);
    struct conn_request r = request("POST", FRAMING_NONE, 0);
    r.fields = (struct fields){&field, 1, 0};
    open_as(i, &r);
    exchange_finish(recorders[i].exchange, NULL);
}

/* A head that takes many frames (CONTINUATION) counts from its first byte; while it fills the
 * stream, frames behind it in the session have not been sent, and never will be. */
START_TEST(test_sent_of_a_large_head)
{
    meet();
    stream.stuck = true;
    open_with_head_of(0, 600000);
    open_with_head_of(1, 10);
    loop_turn(loop, false);
    ck_assert_uint_gt(stream.base.queued, STREAM_HIGH);
    ck_assert_uint_lt(stream.base.queued, 400000);
    sent_is(0, SENT_PARTIAL);
    sent_is(1, SENT_NO);
    recorder_cancel(&recorders[1]);
    if (_i == 0) {
        fake_stream_take(&stream, stream.base.queued);
        stream.stuck = false;
        loop_turn(loop, false);
        ck_assert_uint_gt(stream.base.taken, 500000);
        sent_is(0, SENT_YES);
        ck_assert_uint_lt(stream.written.len, 600000 + 2000);
    }
    fake_stream_take(&stream, _i == 1);
    fake_stream_end(&stream, STREAM_RESET);
    loop_turn(loop, false);
    static const char *const sent[] = {"yes", "partial", "no"};
    char expected[80];
    snprintf(expected, sizeof expected, "failed connection_terminated sent=%s", sent[_i]);
    heard_is(0, expected);
    finish();
}
END_TEST

/* The end is detected even if the last frame fills a write completely. */
START_TEST(test_sent_to_the_brim)
{
    static const char body[16384];
    meet();
    post(0, FRAMING_LENGTH, sizeof body);
    (void)!exchange_body(recorders[0].exchange, body, sizeof body);
    exchange_finish(recorders[0].exchange, NULL);
    loop_turn(loop, false);
    sent_is(0, SENT_YES);
    finish();
}
END_TEST

/* A request that the origin guarantees was not processed is distinguished from one that was never
 * sent. */
START_TEST(test_undone)
{
    meet();
    ask_all(3);
    reset(1, NGHTTP2_REFUSED_STREAM);
    ck_assert(recorders[0].verdict.sent == SENT_NO && recorders[0].verdict.undone);
    reset(3, NGHTTP2_CANCEL);
    ck_assert(recorders[1].verdict.sent == SENT_YES && !recorders[1].verdict.undone);
    stream.stuck = true;
    open_with_head_of(3, 600000);
    open_with_head_of(4, 10);
    loop_turn(loop, false);
    nghttp2_submit_goaway(origin, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0);
    from_origin();
    stream.stuck = false;
    fake_stream_take(&stream, stream.base.queued);
    loop_turn(loop, false);
    ck_assert(recorders[2].verdict.sent == SENT_NO && recorders[2].verdict.undone);
    ck_assert(recorders[3].verdict.sent == SENT_NO && recorders[3].verdict.undone);
    ck_assert(recorders[4].verdict.sent == SENT_NO && !recorders[4].verdict.undone);
    finish();
}
END_TEST

/* A request with an incomplete body is never reported as "yes". */
START_TEST(test_sent_in_part)
{
    meet();
    post(0, FRAMING_LENGTH, 50);
    (void)!exchange_body(recorders[0].exchange, "1234567890", 10);
    pump();
    ck_assert_int_eq(exchange_sent(recorders[0].exchange), SENT_PARTIAL);
    fake_stream_end(&stream, STREAM_EOF);
    loop_turn(loop, false);
    heard_is(0, "failed connection_terminated sent=partial");
    finish();
}
END_TEST

SUITE()
{
    TEST(test_sent);
    TEST(test_sent_in_one_write);
    TEST(test_queued_and_given_up);
    LOOP(test_sent_of_a_large_head, 0, 3);
    TEST(test_sent_to_the_brim);
    TEST(test_undone);
    TEST(test_sent_in_part);
}
