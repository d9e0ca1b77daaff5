/* All client connections: which are accepted, and what is sent to each when the daemon drains and
 * when it exits, whatever the state of the connection. */
#include "client_fixture.h"
#include "front/client_context.h"
#include "suite.h"

/* The daemon exits once that has been sent. */
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
    settle_after(NULL); /* no request was sent */
    ck_assert(!is_open() && *got() == '\0');
    finish();
    settle_after("GET / HT"); /* in the middle of a head */
    ck_assert(is_settled() && has("sent=no"));
    finish();
    settle_after(GET); /* the exchange knows what was sent */
    ck_assert(is_settled() && has("sent=partial"));
    finish();
    settle_after("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
    ck_assert(is_settled() && has("sent=partial"));
    finish();
    settle_after("GET / HTTP/1.1\r\nHost:"); /* the handler gets no more requests */
    say(" h\r\n\r\n");
    ck_assert(handler.opened == 0 && !is_open());
    finish();
}
END_TEST

/* A request was in the kernel's buffer when the daemon began to exit: it is read and answered. */
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
    begin(); /* pipelined by a client that does not read the previous response */
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

/* After the head has been sent, no error response can be sent any more. */
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
    begin(); /* the last byte of the response has been queued already: the response is sent */
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

START_TEST(test_drain)
{
    begin(); /* idle: closed by clients_dismiss() */
    clients_drain(clients);
    ck_assert(is_open());
    clients_dismiss(clients);
    ck_assert(!is_open());
    finish();
    begin(); /* idle: a request that arrives before that is answered, and is the last one */
    clients_drain(clients);
    say(GET);
    clients_dismiss(clients);
    ck_assert(is_open());
    fake_head(&handler, 204, FRAMING_NONE, 0);
    fake_end(&handler);
    turn();
    ck_assert(has("Connection: close\r\n") && !is_open());
    finish();
    begin(); /* idle, but a request has arrived that has not been read yet */
    clients_drain(clients);
    stream.loud = true;
    clients_dismiss(clients);
    ck_assert(is_open());
    finish();
    begin(); /* in progress: its response says that the connection will be closed */
    say(GET GET);
    clients_drain(clients);
    ck_assert(is_open());
    fake_head(&handler, 204, FRAMING_NONE, 0);
    fake_end(&handler);
    turn();
    ck_assert(has("Connection: close\r\n") && !is_open());
    ck_assert_uint_eq(handler.opened, 1);
    finish();
    begin(); /* the head was sent before the drain: closed after the response all the same */
    say(GET);
    fake_head(&handler, 200, FRAMING_CHUNKED, 0);
    turn();
    clients_drain(clients);
    fake_end(&handler);
    turn();
    ck_assert(has("\r\n\r\n0\r\n\r\n") && !is_open());
    finish();
    begin(); /* a request whose head is still arriving is answered */
    say("GET /");
    clients_drain(clients);
    say(" HTTP/1.1\r\nHost: h\r\n\r\n");
    fake_head(&handler, 204, FRAMING_NONE, 0);
    fake_end(&handler);
    turn();
    ck_assert(has("Connection: close\r\n"));
    finish();
}
END_TEST

START_TEST(test_too_many)
{
    struct fake_stream second, third, fourth;
    size_t open;
    uint64_t accepted, rejected;
    begin();
    fake_stream_init(&second);
    fake_stream_init(&third);
    fake_stream_init(&fourth);
    clients_accept(clients, &second.base, &ingress);
    clients_accept(clients, &third.base, &ingress);
    ck_assert(strstr(third.written.at, "HTTP/1.1 503 ") != NULL);
    ck_assert(strstr(third.written.at, "connection_limit_reached") != NULL);
    ck_assert(third.shut && !third.closed);
    clients_reject(clients, &fourth.base);
    ck_assert(fourth.closed);
    clients_count(clients, &open, &accepted, &rejected);
    ck_assert_uint_eq(open, 2);
    ck_assert_uint_eq(accepted, 2);
    ck_assert_uint_eq(rejected, 2);
    finish();
    fake_stream_free(&second);
    fake_stream_free(&third);
    fake_stream_free(&fourth);
}
END_TEST

/* The name of the listener's upstream may be freed by a reload. */
START_TEST(test_ingress_is_its_own)
{
    struct fake_stream other;
    char name[] = "binance";
    struct ingress in = ingress;
    in.upstream = name;
    begin_echo();
    fake_stream_init(&other);
    clients_accept(clients, &other.base, &in);
    memset(name, 'x', sizeof name);
    ck_assert(fake_stream_feed(&other, GET, strlen(GET)));
    turn();
    ck_assert(strstr(other.written.at, "200") != NULL);
    finish();
    fake_stream_free(&other);
}
END_TEST

static const char connect_words[] = "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n";

static void send_connect(struct fake_stream *s)
{
    fake_stream_init(s);
    clients_accept(clients, &s->base, &ingress);
    ck_assert(fake_stream_feed(s, connect_words, strlen(connect_words)));
    turn();
}

/* CONNECTs whose TLS may be terminated are counted until they end; one above the limit gets a
 * 503. */
START_TEST(test_too_many_handshakes)
{
    static struct fake_stream others[SECURING_MAX], last;
    struct client_limits many = limits;
    begin();
    many.max_clients = SECURING_MAX + 2;
    clients_set_limits(clients, &many);
    handler.intercepts = true;
    for (size_t i = 0; i < SECURING_MAX; i++)
        send_connect(&others[i]);
    ck_assert(handler.opened == SECURING_MAX && handler.refused == 0);
    say(connect_words);
    ck_assert(has("HTTP/1.1 503 ") && has("256 clients are in their TLS handshake"));
    ck_assert(handler.opened == SECURING_MAX && handler.refused == 1);
    fake_stream_end(&others[7], STREAM_RESET);
    send_connect(&last);
    ck_assert(handler.opened == SECURING_MAX + 1 && handler.refused == 1);
    finish();
    for (size_t i = 0; i < SECURING_MAX; i++)
        fake_stream_free(&others[i]);
    fake_stream_free(&last);
}
END_TEST

SUITE()
{
    TEST(test_too_many_handshakes);
    TEST(test_too_many);
    TEST(test_ingress_is_its_own);
    TEST(test_drain);
    TEST(test_the_very_end);
    TEST(test_the_very_end_of_one_that_is_arriving);
    TEST(test_the_very_end_within_an_answer);
}
