/* Clients that disconnect after their request was completely sent: orders are followed until their
 * outcome is known, and no line is lost (contract 11). */
#include "config_fixture.h"
#include "suite.h"

#include "transaction_fixture.h"

static struct test_client a;

/* The client disconnects as soon as the request has been sent. */
static void begin_sent(const char *directives, const char *method)
{
    begin(directives);
    ask_whole(&a, method, "Trunkline-Client: grid1\r\n");
    UNTIL(origin.requests == 1);
}

static void end(void)
{
    clear(&a);
    finish();
}

static size_t active(void)
{
    return proxy_active(proxy);
}

/* The response, and the outcome of an order that gets this response. */
static const struct {
    const char *answer;
    unsigned status;
    bool unknown, succeeded;
} outcomes[] = {
    {OK, 200, false, true},
    {"HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\nno", 400, false, true},
    {"HTTP/1.1 408 ?\r\nContent-Length: 0\r\n\r\n", 408, true, true},
    {"HTTP/1.1 503 ?\r\nContent-Length: 0\r\n\r\n", 503, true, false},
    {"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
     "chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
     200, false, true},
};

START_TEST(an_order_is_followed)
{
    begin_sent("", "POST");
    ck_assert(depart(&a));
    ck_assert(active() == 1 && records == 0);
    loop_turn(loop, false);
    plain_origin_say(&origin, 0, outcomes[_i].answer);
    UNTIL(records == 1);
    const struct upstream_stats *s = look().stats;
    ck_assert_uint_eq(active(), 0);
    ck_assert(last_record.left && last_record.sent == SENT_YES);
    ck_assert_uint_eq(last_record.status, outcomes[_i].status);
    ck_assert_int_eq(last_record.unknown, outcomes[_i].unknown);
    ck_assert_uint_eq(s->unknown, outcomes[_i].unknown);
    ck_assert_uint_eq(s->succeeded, outcomes[_i].succeeded);
    ck_assert_uint_eq(s->drained, 1);
    ck_assert_uint_eq(look().idle, 1);
    end();
}
END_TEST

START_TEST(the_line_lives_on)
{
    begin_sent("max_connections = 1", _i ? "GET" : "POST");
    ck_assert(depart(&a));
    struct test_client next;
    ask_whole(&next, "GET", "");
    for (int i = 0; i < 5; i++)
        loop_turn(loop, false);
    ck_assert_uint_eq(origin.requests, 1);
    plain_origin_say(&origin, 0, OK);
    UNTIL(origin.requests == 2);
    plain_origin_say(&origin, 0, OK);
    UNTIL(next.recorder.ended);
    const struct upstream_stats *s = look().stats;
    ck_assert_uint_eq(origin.accepted, 1);
    ck_assert_uint_eq(s->drained, 1);
    ck_assert_uint_eq(s->closed[CLOSE_ERROR], 0);
    ck_assert_uint_eq(s->succeeded, _i ? 1 : 2); /* a GET's client had disconnected */
    ck_assert_uint_eq(s->failed, _i ? 1 : 0);
    clear(&next);
    end();
}
END_TEST

/* If the request ends before its response has arrived, for whatever reason, its outcome is
 * unknown. */
static const struct {
    const char *directives;
    const char *said;
    uint64_t later_ms; /* 0: the origin resets */
    enum failure error;
} lost[] = {
    {"", NULL, 0, FAILURE_CONNECTION_TERMINATED},
    {"response_timeout = 3s\ntotal_timeout = 3s", NULL, 3100, FAILURE_HTTP_RESPONSE_TIMEOUT},
    {"", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhallo", 0, FAILURE_HTTP_RESPONSE_INCOMPLETE},
    {"body_timeout = 3s", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhallo", 3100,
     FAILURE_CONNECTION_READ_TIMEOUT},
};

START_TEST(an_order_is_lost)
{
    begin_sent(lost[_i].directives, "POST");
    ck_assert(depart(&a));
    if (lost[_i].said) {
        plain_origin_say(&origin, 0, lost[_i].said);
        UNTIL(look().stats->traffic.bytes_received > 40);
    }
    if (lost[_i].later_ms)
        loop_skip(loop, lost[_i].later_ms);
    else
        plain_origin_close(&origin, 0, true);
    UNTIL(records == 1);
    const struct upstream_stats *s = look().stats;
    ck_assert(last_record.left && last_record.unknown && last_record.sent == SENT_YES);
    ck_assert_int_eq(last_record.error, lost[_i].error);
    ck_assert_uint_eq(last_record.status, 0);
    ck_assert_uint_eq(s->unknown, 1);
    ck_assert_uint_eq(s->failed, 1);
    ck_assert_uint_eq(s->drained, 0);
    end();
}
END_TEST

/* The total_timeout no longer applies, because the client has disconnected. */
START_TEST(an_order_has_the_origins_time)
{
    begin_sent("response_timeout = 8s\ntotal_timeout = 2s", "POST");
    ck_assert(depart(&a));
    loop_skip(loop, 7000);
    loop_turn(loop, false);
    ck_assert_uint_eq(active(), 1);
    plain_origin_say(&origin, 0, OK);
    UNTIL(records == 1);
    ck_assert(last_record.status == 200 && !last_record.unknown);
    end();
}
END_TEST

/* A line is not kept for long for a response that no client will get, and for an even shorter time
 * if the line is needed. */
START_TEST(no_order_is_followed_for_long)
{
    struct test_client next;
    begin_sent("max_connections = 1", "GET");
    ck_assert(depart(&a));
    if (_i)
        ask_whole(&next, "GET", "");
    loop_skip(loop, _i ? 400 : 1900);
    loop_turn(loop, false);
    ck_assert_uint_eq(active(), 1U + (unsigned)_i);
    loop_skip(loop, 200);
    UNTIL(records == 1);
    ck_assert(last_record.left && last_record.error == FAILURE_NONE);
    ck_assert_uint_eq(look().stats->failed, 1);
    ck_assert_uint_eq(look().stats->closed[CLOSE_ERROR], 1);
    if (_i) {
        UNTIL(origin.requests == 2);
        plain_origin_say(&origin, 1, OK);
        UNTIL(next.recorder.ended);
        clear(&next);
    }
    end();
}
END_TEST

/* Nor is it kept for a body that pauses. */
START_TEST(a_body_that_pauses_is_not_followed)
{
    begin_sent("", "GET");
    plain_origin_say(&origin, 0, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    UNTIL(a.recorder.status == 200);
    ck_assert(depart(&a));
    loop_skip(loop, 400);
    plain_origin_say(&origin, 0, "def");
    UNTIL(look().stats->traffic.bytes_received > 41);
    loop_skip(loop, 400);
    loop_turn(loop, false);
    ck_assert_uint_eq(active(), 1);
    loop_skip(loop, 200);
    UNTIL(records == 1);
    ck_assert_uint_eq(look().stats->closed[CLOSE_ERROR], 1);
    end();
}
END_TEST

/* A rest of more than 1 MiB is not drained, so the line is closed; the outcome of the order is
 * known by then. */
START_TEST(a_long_answer_is_not_read_to_its_end)
{
    static char piece[100001];
    memset(piece, 'y', sizeof piece - 1);
    begin_sent("", _i ? "GET" : "POST");
    ck_assert(depart(&a));
    plain_origin_say(&origin, 0, "HTTP/1.1 200 OK\r\nContent-Length: 1200000\r\n\r\n");
    for (int i = 0; i < 11; i++) {
        uint64_t before = look().stats->traffic.bytes_received;
        plain_origin_say(&origin, 0, piece);
        UNTIL(records == 1 || look().stats->traffic.bytes_received - before >= sizeof piece - 1);
    }
    UNTIL(records == 1);
    ck_assert(last_record.left && !last_record.unknown && last_record.error == FAILURE_NONE);
    ck_assert_uint_eq(last_record.status, 200);
    ck_assert_uint_eq(look().stats->drained, 0);
    ck_assert_uint_eq(look().stats->closed[CLOSE_ERROR], 1);
    struct verdict why = verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "shutting down");
    proxy_settle(proxy, &why); /* it is over, and does not end again */
    loop_turn(loop, false);
    ck_assert(records == 1 && last_record.error == FAILURE_NONE);
    end();
}
END_TEST

/* The response was only held up because the client did not read. */
START_TEST(a_client_that_did_not_read)
{
    static char piece[100001];
    memset(piece, 'y', sizeof piece - 1);
    begin_sent("body_timeout = 3s", "POST");
    exchange_pause(a.recorder.exchange);
    plain_origin_say(&origin, 0, "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
    for (int i = 0; i < 3; i++)
        plain_origin_say(&origin, 0, piece);
    for (int i = 0; i < 5; i++)
        loop_turn(loop, false);
    ck_assert(depart(&a));
    UNTIL(records == 1);
    ck_assert(last_record.status == 200 && last_record.bytes == 300000);
    ck_assert_uint_eq(look().stats->succeeded, 1);
    ck_assert_uint_eq(look().stats->drained, 1);
    end();
}
END_TEST

START_TEST(what_was_not_sent_whole_is_not_followed)
{
    begin("");
    ask(&a, "POST", "Content-Length: 5\r\n");
    if (_i) { /* the request is complete, but no line is established yet */
        ck_assert(exchange_body(a.recorder.exchange, "hello", 5));
        conclude(&a);
    }
    ck_assert(!depart(&a));
    ck_assert(records == 1 && last_record.left && last_record.sent == SENT_NO);
    ck_assert_uint_eq(look().stats->abandoned, 1);
    end();
}
END_TEST

/* When the daemon exits, the request ends with an error of trunkline's own and is logged. */
START_TEST(the_daemon_ends)
{
    struct verdict why = verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "shutting down");
    begin_sent("", "POST");
    ck_assert(depart(&a));
    if (_i) {
        proxy_stop(proxy);
    } else {
        proxy_settle(proxy, &why);
        loop_turn(loop, false);
    }
    ck_assert(records == 1 && active() == 0);
    ck_assert(last_record.left && last_record.unknown && last_record.sent == SENT_YES);
    ck_assert_int_eq(last_record.error, _i ? FAILURE_NONE : FAILURE_DESTINATION_UNAVAILABLE);
    end();
}
END_TEST

SUITE()
{
    LOOP(an_order_is_followed, 0, COUNT_OF(outcomes));
    LOOP(the_line_lives_on, 0, 2);
    LOOP(an_order_is_lost, 0, COUNT_OF(lost));
    TEST(an_order_has_the_origins_time);
    LOOP(no_order_is_followed_for_long, 0, 2);
    TEST(a_body_that_pauses_is_not_followed);
    LOOP(a_long_answer_is_not_read_to_its_end, 0, 2);
    TEST(a_client_that_did_not_read);
    LOOP(what_was_not_sent_whole_is_not_followed, 0, 2);
    LOOP(the_daemon_ends, 0, 2);
}
