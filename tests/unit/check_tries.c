/* The tries of one request to an origin on loopback: the verdict about all of them, and the
 * additional try after a 421. */
#include "config_fixture.h"
#include "suite.h"
#include "transaction_fixture.h"

#define KEY "Authorization: k\r\n"

/* The verdict covers all tries: the request of the first try was read, and the connection of the
 * second was refused. */
START_TEST(test_verdict_of_all_tries)
{
    static const char *const fields[] = {"", KEY};
    struct test_client a;
    begin("retry_private = yes");
    warm_up();
    ask_whole(&a, "GET", fields[_i]);
    UNTIL(origin.requests == 1);
    plain_origin_refuse(&origin);
    plain_origin_close(&origin, 0, true);
    UNTIL(a.recorder.ended);
    ck_assert(heard_part(&a, "connection_refused"));
    ck_assert(heard_part(&a, "Trunkline-Sent=yes;"));
    ck_assert_uint_eq(look().stats->retried, 0);
    ck_assert_uint_eq(look().stats->abandoned, 0);
    clear(&a);
    finish();
}
END_TEST

/* The client disconnects while the request waits for a further try; the record still says what was
 * sent. */
START_TEST(test_leaving_between_tries)
{
    struct test_client a;
    begin("breaker_failures = 9");
    warm_up();
    ask_whole(&a, "GET", "");
    UNTIL(origin.requests == 1);
    plain_origin_close(&origin, 0, true);
    UNTIL(look().connecting == 1);
    recorder_cancel(&a.recorder);
    ck_assert_int_eq(last_record.sent, SENT_YES);
    ck_assert_uint_eq(look().stats->abandoned, 0);
    ck_assert_uint_eq(look().stats->retried, 0);
    clear(&a);
    finish();
}
END_TEST

/* RFC 9110 15.5.20: the request is sent once more, whatever the method, on a new line; a second 421
 * is the response. */
#define MISDIRECTED "HTTP/1.1 421 Misdirected Request\r\nContent-Length: 2\r\n\r\nhi"

START_TEST(test_misdirected)
{
    static const char *const methods[] = {"GET", "POST", "DELETE"};
    bool always = _i >= 3;
    struct test_client a;
    begin("max_connections = 2");
    warm_up();
    origin.manner = ORIGIN_WAITS;
    ask_whole(&a, methods[_i % 3], "");
    UNTIL(origin.requests == 1);
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = always ? MISDIRECTED : OK;
    plain_origin_say(&origin, 0, MISDIRECTED);
    UNTIL(a.recorder.ended);
    ck_assert_uint_eq(a.recorder.status, always ? 421 : 200);
    ck_assert_uint_eq(origin.requests, 2);
    ck_assert_uint_eq(origin.accepted, 2);
    ck_assert_uint_eq(look().stats->retried, 1);
    ck_assert_uint_eq(look().stats->unknown, 0);
    UNTIL(look().idle == !always && look().active == 0); /* the line with the 421 is gone */
    clear(&a);
    finish();
}
END_TEST

START_TEST(test_misdirected_in_vain)
{
    static char large[80 * 1024];
    struct test_client a;
    begin(_i ? "" : "retries = 0");
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = MISDIRECTED;
    if (_i) { /* too large to be kept */
        ask(&a, "POST", "Content-Length: 81920\r\n");
        (void)!exchange_body(a.recorder.exchange, large, sizeof large);
        conclude(&a);
    } else {
        ask_whole(&a, "POST", "");
    }
    UNTIL(a.recorder.ended);
    ck_assert_uint_eq(a.recorder.status, 421);
    ck_assert_uint_eq(origin.requests, 1);
    ck_assert_uint_eq(look().stats->retried, 0);
    clear(&a);
    finish();
}
END_TEST

/* order_wait holds for the second time, too, and counts from the beginning. */
START_TEST(test_misdirected_order_does_not_wait_longer)
{
    struct test_client post, get;
    begin("max_connections = 1\norder_wait = 1s");
    ask_whole(&post, "POST", "");
    UNTIL(origin.requests == 1);
    ask_whole(&get, "GET", "");
    loop_skip(loop, 600);
    plain_origin_say(&origin, 0, MISDIRECTED);
    UNTIL(origin.requests == 2); /* of the one that has the only connection now */
    ck_assert(!post.recorder.ended);
    loop_skip(loop, 500);
    UNTIL(post.recorder.ended);
    ck_assert(heard_part(&post, "connection_limit_reached"));
    ck_assert(!get.recorder.ended);
    ck_assert_uint_eq(origin.requests, 2);
    recorder_cancel(&get.recorder);
    clear(&post);
    clear(&get);
    finish();
}
END_TEST

/* While the client does not read, the response is not read either, no matter on which line it
 * arrives. */
START_TEST(test_pause_lasts)
{
    static char piece[100001];
    struct test_client a;
    memset(piece, 'y', sizeof piece - 1);
    begin("");
    if (_i == 0)
        warm_up();
    ask_whole(&a, "GET", "");
    if (_i == 0) {
        UNTIL(origin.requests == 1);
        exchange_pause(a.recorder.exchange);
        exchange_resume(a.recorder.exchange);
        a.recorder.pause_in = RECORDER_INTERIM;
        plain_origin_say(&origin, 0, "HTTP/1.1 103 E\r\n\r\n" MISDIRECTED);
    } else { /* while the request waits for a line */
        exchange_pause(a.recorder.exchange);
    }
    unsigned last = _i ? 0 : 1;
    UNTIL(origin.requests == last + 1);
    plain_origin_say(&origin, last, "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
    for (int i = 0; i < 3; i++)
        plain_origin_say(&origin, last, piece);
    for (int i = 0; i < 50; i++)
        loop_turn(loop, false);
    ck_assert_uint_eq(a.recorder.status, 0);
    exchange_resume(a.recorder.exchange);
    UNTIL(a.recorder.ended);
    ck_assert(a.recorder.status == 200 && a.recorder.body == 300000);
    clear(&a);
    finish();
}
END_TEST

/* One of which the origin may have seen something has used up a token; the next try needs another. */
START_TEST(each_try_that_was_sent_has_a_token)
{
    struct test_client a;
    begin("rate = \"2/1h\"\ntotal_timeout = 3h\nresponse_timeout = 3h");
    warm_up();
    ask_whole(&a, "GET", "");
    UNTIL(origin.requests == 1);
    plain_origin_close(&origin, 0, true);
    UNTIL(look().gate.rate_held == 1);
    turn_for(loop, 5);
    ck_assert(!a.recorder.ended && origin.accepted == 1);
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = OK;
    loop_skip(loop, 3600000);
    UNTIL(a.recorder.ended);
    ck_assert(a.recorder.status == 200 && origin.accepted == 2);
    clear(&a);
    finish();
}
END_TEST

/* The weight that the exchange counts, of all tries, is that of the bot. */
START_TEST(their_weight_is_the_bots)
{
    struct test_client a;
    begin("weight_header = \"X-Used\"\nweight_limit = 1000");
    origin.manner = ORIGIN_WAITS;
    ask_whole(&a, "GET", "Trunkline-Client: grid\r\n");
    UNTIL(origin.requests == 1);
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = "HTTP/1.1 200 OK\r\nX-Used: 50\r\nContent-Length: 2\r\n\r\nhi";
    plain_origin_say(&origin, 0, "HTTP/1.1 421 No\r\nX-Used: 30\r\nContent-Length: 2\r\n\r\nhi");
    UNTIL(a.recorder.ended);
    ck_assert(a.recorder.status == 200 && origin.requests == 2);
    ck_assert_uint_eq(last_record.timing.weight, 50);
    clear(&a);
    finish();
}
END_TEST

/* A hold that does not concern it leaves it in its place: its time in the queue goes on. */
START_TEST(a_hold_of_others_costs_no_place)
{
    struct test_client first, a;
    begin("max_connections = 1\nqueue_timeout = 10s\ntotal_timeout = 1h\nresponse_timeout = 1h");
    ask_whole(&first, "GET", KEY);
    UNTIL(origin.requests == 1);
    ask_whole(&a, "GET", KEY);
    UNTIL(look().waiting == 1);
    loop_skip(loop, 6000);
    gate_limit(pool_ways(pools_find(pools, find(config, "a"), NULL))->at[0]->gate,
               &(struct gate_limit){.status = 429, .asked_ms = 60000});
    loop_turn(loop, false);
    ck_assert(look().waiting == 1 && !a.recorder.ended);
    loop_skip(loop, 4001);
    UNTIL(a.recorder.ended);
    ck_assert_uint_eq(a.recorder.status, 503);
    plain_origin_say(&origin, 0, OK);
    UNTIL(first.recorder.ended);
    clear(&first), clear(&a);
    finish();
}
END_TEST

SUITE()
{
    LOOP(test_verdict_of_all_tries, 0, 2);
    TEST(test_leaving_between_tries);
    TEST(a_hold_of_others_costs_no_place);
    TEST(each_try_that_was_sent_has_a_token);
    TEST(their_weight_is_the_bots);
    LOOP(test_misdirected, 0, 6);
    LOOP(test_misdirected_in_vain, 0, 2);
    TEST(test_misdirected_order_does_not_wait_longer);
    LOOP(test_pause_lasts, 0, 2);
}
