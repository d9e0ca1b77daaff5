/* The very end: what each client is told when the daemon ends, in whatever state its
 * connection is. And clients that leave while nobody reads what they say, or after all was
 * said. */
#include "client_fixture.h"
#include "suite.h"

/* The house ends after that was said. */
static void settle_after(const char *said)
{
    struct verdict why =
        verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "trunkline is shutting down");
    begin();
    if (said)
        say(said);
    forget();
    clients_settle(clients, &why);
}

static bool is_settled(void)
{
    turn();
    return has("HTTP/1.1 503 ") && has("destination_unavailable") && has("Connection: close") &&
           !is_open();
}

START_TEST(test_the_very_end)
{
    settle_after(NULL); /* it asked for nothing */
    ck_assert(!is_open() && *got() == '\0');
    finish();
    settle_after("GET / HT"); /* within a head */
    ck_assert(is_settled() && has("sent=no"));
    finish();
    settle_after(GET); /* the exchange knows what was sent */
    ck_assert(is_settled() && has("sent=partial"));
    finish();
    settle_after("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
    ck_assert(is_settled() && has("sent=partial"));
    finish();
    settle_after("GET / HTTP/1.1\r\nHost:"); /* nothing is asked of the handler any more */
    say(" h\r\n\r\n");
    ck_assert(handler.opened == 0 && !is_open());
    finish();
}
END_TEST

/* Bytes lay in the kernel when it ended: they are read, and answered. */
START_TEST(test_the_very_end_of_one_that_is_arriving)
{
    static char piece[300000];
    struct verdict why = verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "shutting down");
    memset(piece, 'y', sizeof piece);
    begin();
    stream.loud = true;
    clients_settle(clients, &why);
    ck_assert(is_open());
    stream.loud = false;
    say(GET);
    ck_assert(is_settled() && handler.opened == 1 && handler.refused == 1);
    finish();
    begin(); /* one that was sent ahead of an answer that its client does not read */
    say(GET GET);
    stream.stuck = true;
    fake_head(&handler, 200, FRAMING_LENGTH, sizeof piece);
    fake_body(&handler, piece, sizeof piece);
    fake_end(&handler);
    turn();
    clients_settle(clients, &why);
    turn();
    ck_assert(handler.opened == 2 && handler.refused == 1 && is_open());
    fake_stream_take(&stream, sizeof piece);
    turn();
    ck_assert(is_settled());
    finish();
}
END_TEST

/* After the head there is no honest answer left. */
START_TEST(test_the_very_end_within_an_answer)
{
    struct verdict why = verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "shutting down");
    begin();
    say(GET);
    fake_head(&handler, 200, FRAMING_CHUNKED, 0);
    fake_body(&handler, "abc", 3);
    turn();
    clients_settle(clients, &why);
    turn();
    ck_assert(has("abc") && !has("\r\n0\r\n\r\n") && !has("503") && stream.closed && !is_open());
    finish();
    begin(); /* its last byte is written already: it goes out */
    say(GET);
    fake_head(&handler, 200, FRAMING_LENGTH, 3);
    fake_body(&handler, "abc", 3);
    fake_end(&handler);
    clients_settle(clients, &why);
    turn();
    ck_assert(has("abc") && !has("503") && handler.refused == 0);
    finish();
}
END_TEST

/* ------------------------------------------------------------ clients that leave */

static void send_ahead(size_t size)
{
    static char piece[1000];
    memset(piece, 'z', sizeof piece);
    for (size_t sent = 0; sent < size && !stream.paused; sent += sizeof piece)
        ck_assert(fake_stream_feed(&stream, piece, sizeof piece));
    turn();
}

/* The upload is blocked, so that its stream is not read, and its end not heard. */
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

/* The exchange goes on alone, with the memory of its request. */
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
    TEST(test_the_very_end);
    TEST(test_the_very_end_of_one_that_is_arriving);
    TEST(test_the_very_end_within_an_answer);
    TEST(test_leaving_a_blocked_upload);
    TEST(test_leaving_behind_requests_sent_ahead);
    LOOP(test_leaving_one_that_follows, 0, 2);
}
