/* Shared fetches whose followers disconnect, run out of time, or fail at an awkward moment. */
#include "config_fixture.h"
#include "suite.h"
#include "transaction_fixture.h"

#include "coalescer_fixture.h"

static void store_one(void)
{
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = NUMBERED;
    ask_whole(&many[0], "GET", "");
    UNTIL(many[0].recorder.ended);
    clear(&many[0]);
}

/* A response from the store is delivered later in the same turn: a client that has disconnected by
 * then gets no event. */
START_TEST(left_before_the_turn_ends)
{
    begin("fresh = 60s");
    store_one();
    ask_whole(&many[0], "GET", "");
    recorder_cancel(&many[0].recorder);
    ask_whole(&many[1], "GET", "Cache-Control: only-if-cached, max-age=0\r\n");
    recorder_cancel(&many[1].recorder);
    loop_turn(loop, false);
    ck_assert(many[0].heard.len == 0 && many[1].heard.len == 0);
    clear_all(2);
    finish();
}
END_TEST

/* A follower that joins after the head has arrived gets the head later in the turn. Before that,
 * the follower may disconnect or the response may fail. */
START_TEST(gone_before_it_is_told)
{
    begin("coalesce = yes body_timeout = 30s");
    origin.manner = ORIGIN_WAITS;
    ask_whole(&many[0], "GET", "");
    UNTIL(origin.requests == 1);
    plain_origin_say(&origin, 0, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfi");
    UNTIL(heard_part(&many[0], "fi"));
    ask_whole(&many[1], "GET", "");
    recorder_cancel(&many[1].recorder);
    ask_whole(&many[2], "GET", "");
    loop_skip(loop, 30100);
    UNTIL(many[2].recorder.ended && many[0].recorder.failed);
    ck_assert(many[1].heard.len == 0 && many[2].recorder.status == 504);
    clear_all(3);
    finish();
}
END_TEST

/* A wait in a queue keeps the deadline of the follower that began it; the other followers have
 * deadlines of their own. */
START_TEST(leader_late_in_a_queue)
{
    begin("coalesce = yes total_timeout = 60s queue_timeout = 0");
    pools_command(pools, POOL_PAUSE);
    ask_whole(&many[0], "GET", "Trunkline-Timeout: 5s\r\n");
    ask_whole(&many[1], "GET", "");
    loop_turn(loop, false);
    loop_skip(loop, 5100);
    UNTIL(many[0].recorder.ended);
    ck_assert_uint_eq(many[0].recorder.status, 503);
    loop_turn(loop, false);
    ck_assert_uint_eq(many[1].recorder.status, 0);
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = NUMBERED;
    pools_command(pools, POOL_RESUME);
    UNTIL(many[1].recorder.ended);
    ck_assert_uint_eq(many[1].recorder.status, 200);
    clear_all(2);
    finish();
}
END_TEST

/* With error_prefix the head is held back until the body begins; the same deadline applies. */
START_TEST(head_without_a_body)
{
    begin("error_prefix = {'no'} total_timeout = 9s response_timeout = 9s body_timeout = 600s");
    origin.manner = ORIGIN_WAITS;
    ask_whole(&many[0], "GET", "");
    UNTIL(origin.requests == 1);
    plain_origin_say(&origin, 0, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    UNTIL(look().stats->ttfb.count == 1);
    loop_skip(loop, 9100);
    UNTIL(many[0].recorder.ended);
    ck_assert(many[0].recorder.status == 504 && heard_part(&many[0], "http_response_timeout"));
    ck_assert_int_eq(last_record.sent, SENT_YES);
    clear_all(1);
    finish();
}
END_TEST

/* All clients have disconnected, before or during the response: the response is read to its end, so
 * that its line can be used again. It is not stored, and no request joins it. */
START_TEST(deserted)
{
    begin("coalesce = yes fresh = 60s max_connections = 2");
    origin.manner = ORIGIN_WAITS;
    start(3, "");
    UNTIL(origin.requests == 1);
    if (_i) {
        plain_origin_say(&origin, 0, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfi");
        UNTIL(heard_part(&many[0], "fi"));
    }
    for (size_t i = 0; i < 3; i++)
        recorder_cancel(&many[i].recorder);
    ck_assert(records == 3 && last_record.left && last_record.sent == SENT_YES);
    ask_whole(&many[3], "GET", "");
    UNTIL(origin.requests == 2);
    plain_origin_say(&origin, 0, _i ? "rst" : NUMBERED);
    UNTIL(look().stats->drained == 1);
    ck_assert_uint_eq(many[3].recorder.status, 0);
    plain_origin_say(&origin, 1, NUMBERED);
    UNTIL(many[3].recorder.ended);
    ck_assert_uint_eq(look().stats->closed[CLOSE_ERROR], 0);
    ck_assert_uint_eq(look().idle, 2);
    clear_all(4);
    finish();
}
END_TEST

/* When the daemon exits, it does not wait for such a response. */
START_TEST(deserted_until_the_end)
{
    begin("coalesce = yes");
    origin.manner = ORIGIN_WAITS;
    start(1, "");
    UNTIL(origin.requests == 1);
    recorder_cancel(&many[0].recorder);
    loop_turn(loop, false);
    ck_assert_uint_eq(look().active, 1);
    clear_all(1);
    finish();
}
END_TEST

SUITE()
{
    TEST(left_before_the_turn_ends);
    TEST(gone_before_it_is_told);
    TEST(leader_late_in_a_queue);
    TEST(head_without_a_body);
    LOOP(deserted, 0, 2);
    TEST(deserted_until_the_end);
}
