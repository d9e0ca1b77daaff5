/* The orderly end of a connection, over a fake stream; check_listeners.c tests it over real
 * connections. */
#include "fake_stream.h"
#include "net/linger.h"
#include "suite.h"

static struct loop *loop;
static struct lingering *linger;
static struct fake_stream stream;

static void begin(void)
{
    loop = loop_new();
    loop_hold(loop);
    linger = linger_new(loop);
    fake_stream_init(&stream);
}

static void finish(void)
{
    linger_free(linger);
    loop_free(loop);
    fake_stream_free(&stream);
}

START_TEST(test_half_closes_and_reads)
{
    begin();
    linger_take(linger, &stream.base);
    ck_assert(stream.shut && !stream.paused && !stream.closed);
    ck_assert_uint_eq(linger_count(linger), 1);
    ck_assert(fake_stream_feed(&stream, "late", 4));
    ck_assert(!stream.closed);
    fake_stream_end(&stream, STREAM_EOF);
    ck_assert(stream.closed);
    ck_assert_uint_eq(linger_count(linger), 0);
    finish();
}
END_TEST

START_TEST(test_bounded_in_time)
{
    begin();
    linger_take(linger, &stream.base);
    loop_skip(loop, 1900);
    ck_assert(!stream.closed);
    loop_skip(loop, 200);
    ck_assert(stream.closed && !stream.reset);
    finish();
}
END_TEST

START_TEST(test_bounded_in_bytes)
{
    static char piece[64 * 1024];
    unsigned count = 0;
    begin();
    linger_take(linger, &stream.base);
    while (fake_stream_feed(&stream, piece, sizeof piece))
        ck_assert_uint_lt(++count, 100);
    ck_assert_uint_ge(count, 16);
    ck_assert(stream.closed);
    finish();
}
END_TEST

START_TEST(test_queue_goes_on)
{
    char byte = 'x';
    uv_buf_t piece = uv_buf_init(&byte, 1);
    unsigned rounds = 0;
    begin();
    stream.stuck = true;
    for (unsigned i = 0; i < 100; i++)
        (void)stream_write(&stream.base, &piece, 1);
    linger_take(linger, &stream.base);
    fake_stream_end(&stream, STREAM_EOF); /* it may still read */
    ck_assert(!stream.closed);
    while (!stream.closed) {
        fake_stream_take(&stream, 1);
        loop_skip(loop, 2000);
        ck_assert_uint_lt(++rounds, 50);
    }
    ck_assert_uint_gt(rounds, 10); /* but not indefinitely */
    finish();
}
END_TEST

START_TEST(test_queue_stuck)
{
    char byte = 'x';
    uv_buf_t piece = uv_buf_init(&byte, 1);
    begin();
    stream.stuck = true;
    (void)stream_write(&stream.base, &piece, 1);
    linger_take(linger, &stream.base);
    loop_skip(loop, 2100);
    ck_assert(stream.closed && stream.reset); /* it must not look complete */
    finish();
}
END_TEST

START_TEST(test_reset_and_free)
{
    begin();
    linger_take(linger, &stream.base);
    fake_stream_end(&stream, STREAM_RESET);
    ck_assert(stream.closed);
    finish();
    begin();
    linger_take(linger, &stream.base);
    finish(); /* frees it: fake_stream_free() checks that it is closed */
}
END_TEST

SUITE()
{
    TEST(test_half_closes_and_reads);
    TEST(test_bounded_in_time);
    TEST(test_bounded_in_bytes);
    TEST(test_queue_goes_on);
    TEST(test_queue_stuck);
    TEST(test_reset_and_free);
}
