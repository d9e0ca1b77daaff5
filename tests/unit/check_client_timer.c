/* The deadline of a client connection: each wait expires when it should and not before, progress
 * extends the deadlines that it should extend, and the deadline is only set when it changes. */
#include "fake_stream.h"
#include "front/client_timer.h"
#include "suite.h"

static struct loop *loop;
static struct fake_stream stream;
static struct client_timer timer;
static struct client_limits limits;
static enum client_wait expired;
static unsigned checks;
static uint64_t patience;
static enum client_wait again; /* what the connection waits for after being checked */

static void on_expired(void *owner, enum client_wait wait)
{
    ck_assert_ptr_eq(owner, &stream);
    ck_assert_int_ne(wait, WAIT_NONE);
    expired = wait;
}

static void on_checked(void *owner)
{
    (void)owner;
    checks++;
    client_timer_wait(&timer, &stream.base, again);
}

static uint64_t on_patience(void *owner)
{
    (void)owner;
    return patience;
}

static void begin(void)
{
    static const struct client_timer_events events = {on_expired, on_checked, on_patience};
    limits = (struct client_limits){
        .header_timeout_ms = 1000, .idle_timeout_ms = 60000, .body_timeout_ms = 10000};
    expired = WAIT_NONE;
    checks = 0;
    patience = UINT64_MAX;
    loop = loop_new();
    loop_hold(loop);
    fake_stream_init(&stream);
    client_timer_init(&timer, loop, &limits, &events, &stream);
}

static void finish(void)
{
    client_timer_stop(&timer);
    stream_close(&stream.base);
    fake_stream_free(&stream);
    loop_free(loop);
}

static void wait_for(enum client_wait wait)
{
    again = wait;
    client_timer_wait(&timer, &stream.base, wait);
}

static void queue(size_t len)
{
    static char bytes[1000];
    uv_buf_t piece = uv_buf_init(bytes, (unsigned)len);
    stream.stuck = true;
    (void)stream_write(&stream.base, &piece, 1);
}

static const struct {
    enum client_wait wait;
    uint64_t ms;
} fixed[] = {
    {WAIT_IDLE, 60000}, {WAIT_HEAD, 1000}, {WAIT_BODY, 10000}, {WAIT_QUEUE, 10000}, {WAIT_TURN, 0}};

START_TEST(expires_in_time)
{
    queue(10);
    wait_for(fixed[_i].wait);
    if (fixed[_i].ms) {
        loop_skip(loop, fixed[_i].ms - 1);
        ck_assert_int_eq(expired, WAIT_NONE);
    }
    loop_skip(loop, 1);
    ck_assert_int_eq(expired, fixed[_i].wait);
    expired = WAIT_NONE;
    loop_skip(loop, 1000000); /* once */
    ck_assert_int_eq(expired, WAIT_NONE);
}
END_TEST

START_TEST(is_moved_by_a_change_alone)
{
    wait_for(WAIT_HEAD);
    loop_skip(loop, 900);
    wait_for(WAIT_HEAD);
    loop_skip(loop, 200);
    ck_assert_int_eq(expired, WAIT_HEAD);
    wait_for(WAIT_HEAD);
    loop_skip(loop, 900);
    wait_for(WAIT_IDLE);
    wait_for(WAIT_HEAD);
    expired = WAIT_NONE;
    loop_skip(loop, 900);
    ck_assert_int_eq(expired, WAIT_NONE);
    client_timer_stop(&timer);
    loop_skip(loop, 900);
    ck_assert_int_eq(expired, WAIT_NONE);
}
END_TEST

START_TEST(a_reload_changes_the_limits)
{
    wait_for(WAIT_IDLE);
    limits.header_timeout_ms = 5000;
    wait_for(WAIT_HEAD);
    loop_skip(loop, 4999);
    ck_assert_int_eq(expired, WAIT_NONE);
    loop_skip(loop, 1);
    ck_assert_int_eq(expired, WAIT_HEAD);
}
END_TEST

START_TEST(input_prolongs_a_body)
{
    wait_for(WAIT_BODY);
    for (int i = 0; i < 5; i++) {
        loop_skip(loop, 9000);
        client_timer_note_input(&timer);
    }
    loop_skip(loop, 9999);
    ck_assert_int_eq(expired, WAIT_NONE);
    loop_skip(loop, 1);
    ck_assert_int_eq(expired, WAIT_BODY);
}
END_TEST

/* A single byte is enough, each time. */
START_TEST(progress_prolongs_a_queue)
{
    queue(10);
    wait_for(WAIT_QUEUE);
    for (int i = 0; i < 5; i++) {
        fake_stream_take(&stream, 1);
        loop_skip(loop, 10000);
        ck_assert_int_eq(expired, WAIT_NONE);
    }
    loop_skip(loop, 10000);
    ck_assert_int_eq(expired, WAIT_QUEUE);
}
END_TEST

START_TEST(a_reader_has_patience)
{
    queue(1000);
    wait_for(WAIT_READER);
    loop_skip(loop, 9900);
    ck_assert(expired == WAIT_NONE && checks > 0); /* checked in the meantime */
    loop_skip(loop, 400);
    ck_assert_int_eq(expired, WAIT_READER);
    expired = WAIT_NONE;
    wait_for(WAIT_READER);
    patience = 500; /* others wait for its connection */
    loop_skip(loop, 400);
    ck_assert_int_eq(expired, WAIT_NONE);
    loop_skip(loop, 400);
    ck_assert_int_eq(expired, WAIT_READER);
}
END_TEST

START_TEST(a_slow_reader_stays)
{
    queue(1000);
    patience = 500;
    wait_for(WAIT_READER);
    for (int i = 0; i < 100; i++) {
        fake_stream_take(&stream, 1);
        loop_skip(loop, 400);
        ck_assert_int_eq(expired, WAIT_NONE);
    }
}
END_TEST

START_TEST(a_peer_is_looked_for)
{
    wait_for(WAIT_PEER);
    loop_skip(loop, 100000);
    ck_assert(expired == WAIT_NONE && checks > 0);
    stream.broken = true;
    loop_skip(loop, 1000);
    ck_assert_int_eq(expired, WAIT_PEER);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    LOOP(expires_in_time, 0, COUNT_OF(fixed));
    TEST(is_moved_by_a_change_alone);
    TEST(a_reload_changes_the_limits);
    TEST(input_prolongs_a_body);
    TEST(progress_prolongs_a_queue);
    TEST(a_reader_has_patience);
    TEST(a_slow_reader_stays);
    TEST(a_peer_is_looked_for);
}
