/* One request and its response, through a client connection: framing, back-pressure and failures,
 * and a client that disconnects or is too slow in every state. */
#include "client_fixture.h"
#include "suite.h"

/* -------------------------------------------------------------- responses */

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
    ck_assert_str_eq(got(), "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n" KEPT "\r\n"
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
        {GET, 200, FRAMING_LENGTH, 2, "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n" KEPT "\r\nxy"},
        {GET, 200, FRAMING_CLOSE, 0,
         "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n" KEPT "\r\n2\r\nxy\r\n0\r\n\r\n"},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, FRAMING_CHUNKED, 0,
         "HTTP/1.1 200 Fine\r\nConnection: close\r\n\r\nxy"},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, FRAMING_LENGTH, 2,
         "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n" KEPT "\r\nxy"},
        {"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", 200, FRAMING_LENGTH, 2,
         "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n" KEPT "\r\n"},
        {"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", 200, FRAMING_NONE, 7,
         "HTTP/1.1 200 Fine\r\nContent-Length: 7\r\n" KEPT "\r\n"},
        {"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", 200, FRAMING_CHUNKED, 0,
         "HTTP/1.1 200 Fine\r\n" KEPT "\r\n"},
        {GET, 204, FRAMING_NONE, 0, "HTTP/1.1 204 Fine\r\n" KEPT "\r\n"},
        {GET, 304, FRAMING_NONE, 9, "HTTP/1.1 304 Fine\r\nContent-Length: 9\r\n" KEPT "\r\n"},
        {GET, 200, FRAMING_NONE, 0, "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n" KEPT "\r\n"},
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
    ck_assert(has("\r\n\r\nHTTP/1.1 204 Fine\r\n" KEPT "\r\n"));
    forget();
    say("GET / HTTP/1.0\r\n\r\n");
    fake_interim(&handler, 103);
    turn();
    ck_assert_str_eq(got(), "");
    finish();
}
END_TEST

/* A response that arrives before the request's body is complete ends the connection. */
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
    begin(); /* before the head: an error response can be sent */
    say(GET);
    fake_fail(&handler);
    turn();
    ck_assert(has("HTTP/1.1 502 ") && has("Trunkline-Sent: yes") && !is_open());
    ck_assert_uint_eq(linger_count(linger), 1);
    finish();
    begin(); /* after the head: the response is cut off */
    say(GET);
    fake_head(&handler, 200, FRAMING_CHUNKED, 0);
    fake_body(&handler, "abc", 3);
    fake_fail(&handler);
    turn();
    ck_assert(has("3\r\nabc\r\n") && !has("\r\n0\r\n\r\n"));
    ck_assert(stream.closed && !stream.shut);
    finish();
    begin(); /* a body shorter or longer than its head said is a failure too */
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
    begin(); /* the request proves to be malformed after the head of its response was sent */
    say("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    fake_head(&handler, 200, FRAMING_CHUNKED, 0);
    say("oops\r\n");
    ck_assert(stream.closed && !has("400"));
    ck_assert_uint_eq(handler.cancelled, 0);
    finish();
}
END_TEST

static void say_old_and_answer(const char *piece, size_t len)
{
    begin();
    say("GET / HTTP/1.0\r\n\r\n");
    stream.stuck = len > 3;
    fake_head(&handler, 200, FRAMING_CHUNKED, 0);
    fake_body(&handler, piece, len);
    turn();
}

/* In HTTP/1.0 the end of the connection marks the end of the body: a response that is cut off, for
 * whatever reason, must not look complete. */
START_TEST(test_cut_short_without_length)
{
    static char piece[300000];
    say_old_and_answer("abc", 3); /* the exchange fails */
    fake_fail(&handler);
    turn();
    ck_assert(stream.closed && stream.reset);
    finish();
    say_old_and_answer("abc", 3); /* the daemon exits */
    clients_free(clients);
    clients = NULL;
    ck_assert(stream.closed && stream.reset);
    finish();
    for (int ended = 0; ended < 2; ended++) { /* the client does not read the response */
        say_old_and_answer(piece, sizeof piece);
        if (ended)
            fake_end(&handler);
        turn();
        loop_skip(loop, 3 * limits.body_timeout_ms);
        ck_assert(stream.closed && stream.reset);
        finish();
    }
    say_old_and_answer("abc", 3); /* complete */
    fake_end(&handler);
    turn();
    fake_stream_end(&stream, STREAM_EOF);
    ck_assert(stream.closed && !stream.reset);
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
    ck_assert_uint_eq(stream.writes, 1); /* head and first piece in one write */
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

/* How long (in ms, in steps of 100) a client that does not read its response is kept if its
 * exchange has the given patience. */
static unsigned patience_ms(uint64_t patience)
{
    static char piece[300000];
    unsigned ms = 0;
    begin();
    say(GET);
    stream.stuck = true;
    handler.patience = patience;
    fake_head(&handler, 200, FRAMING_CHUNKED, 0);
    fake_body(&handler, piece, sizeof piece);
    turn();
    for (; is_open() && ms <= 2 * limits.body_timeout_ms; ms += 100)
        loop_skip(loop, 100);
    ck_assert_uint_eq(handler.cancelled, 1);
    finish();
    return ms;
}

START_TEST(test_readers_give_way)
{
    unsigned brief = patience_ms(500), longer = patience_ms(2000), alone = patience_ms(UINT64_MAX);
    ck_assert_msg(brief >= 500 && brief <= 800, "%u", brief);
    ck_assert_msg(longer >= 2000 && longer <= 2300, "%u", longer);
    ck_assert_msg(alone >= limits.body_timeout_ms && alone <= limits.body_timeout_ms + 300, "%u",
                  alone);
}
END_TEST

/* A client that reads anything at all is kept. The patience is counted from the last byte that the
 * client read, not from the moment when others begin to wait. */
START_TEST(test_slow_readers_stay)
{
    static char piece[300000];
    begin();
    say(GET);
    stream.stuck = true;
    handler.patience = 500;
    fake_head(&handler, 200, FRAMING_CHUNKED, 0);
    fake_body(&handler, piece, sizeof piece);
    turn();
    for (int i = 0; i < 50; i++) {
        fake_stream_take(&stream, 1);
        loop_skip(loop, 400);
        ck_assert(is_open());
    }
    handler.patience = UINT64_MAX;
    loop_skip(loop, 1900);
    ck_assert(is_open());
    fake_stream_take(&stream, 1);
    loop_skip(loop, 300);
    handler.patience = 2000;
    loop_skip(loop, 1000);
    ck_assert(is_open());
    loop_skip(loop, 1500);
    ck_assert(!is_open());
    finish();
}
END_TEST

/* The connection starts to linger only after its last response, which is still queued, has been
 * sent. */
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

/* ----------------------------------------------- disconnecting, timeouts */

START_TEST(test_client_leaves)
{
    static const char *const sent[] = {"",
                                       "GET / HT",
                                       GET,
                                       GET GET "GET",
                                       "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n",
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
                ck_assert(!is_open() && stream.closed);
                ck_assert_uint_eq(handler.cancelled, handler.opened);
                ck_assert_uint_le(handler.opened, 1);
                finish();
            }
}
END_TEST

/* EOF after the response: the part of it that is still queued is sent. */
START_TEST(test_eof_behind_an_answer)
{
    for (int with_turn = 0; with_turn < 2; with_turn++)
        for (int stuck = 0; stuck < 2; stuck++) {
            begin();
            say(GET);
            stream.stuck = stuck;
            fake_head(&handler, 200, FRAMING_LENGTH, 1);
            fake_body(&handler, "1", 1);
            fake_end(&handler);
            if (with_turn)
                turn();
            fake_stream_end(&stream, STREAM_EOF);
            ck_assert(!is_open() && has("\r\n\r\n1"));
            ck_assert_int_eq(stream.closed, !stuck);
            ck_assert_uint_eq(linger_count(linger), (unsigned)stuck);
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
    say("\r\n"); /* not part of a request */
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
    ck_assert_uint_eq(handler.cancelled, 0);
    finish();
    begin(); /* the timeout does not apply while the exchange accepts no more data */
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
    begin(); /* after the head of a response, the response is cut off */
    say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx");
    fake_head(&handler, 200, FRAMING_CHUNKED, 0);
    turn();
    loop_skip(loop, limits.body_timeout_ms + 1000);
    ck_assert(stream.closed && !has("408"));
    finish();
    begin(); /* an exchange that has its complete request may take as long as it needs */
    say(GET);
    loop_skip(loop, 10 * limits.body_timeout_ms);
    ck_assert(is_open());
    finish();
}
END_TEST

SUITE()
{
    TEST(test_one_write);
    TEST(test_framing_for_each_client);
    TEST(test_interim);
    TEST(test_early_answer);
    TEST(test_failures);
    TEST(test_cut_short_without_length);
    TEST(test_slow_reader);
    TEST(test_readers_give_way);
    TEST(test_slow_readers_stay);
    TEST(test_slow_last_answer);
    TEST(test_client_leaves);
    TEST(test_eof_behind_an_answer);
    TEST(test_freed_in_every_state);
    TEST(test_idle_timeout);
    TEST(test_head_timeout);
    TEST(test_body_timeout);
}
