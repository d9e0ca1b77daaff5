/* Stored and coalesced responses, tested through the whole proxy with an origin on loopback. The
 * tests advance the loop's clock by hand. */
#include <stdio.h>

#include "config_fixture.h"
#include "suite.h"
#include "transaction_fixture.h"

#include "coalescer_fixture.h"

/* ------------------------------------------------------------------------ time */

START_TEST(fresh_until_its_time)
{
    begin("fresh = 100s");
    answers(NUMBERED);
    hears("", "fwd=miss; stored");
    loop_skip(loop, 90500);
    hears("", "hit; ttl=");
    hears("", "Age=9"); /* 90 s and a little more */
    ck_assert_uint_eq(origin.requests, 1);
    hears("Cache-Control: max-age=80\r\n", "fwd=miss");
    ck_assert_uint_eq(origin.requests, 2);
    loop_skip(loop, 100100);
    hears("", "fwd=miss");
    ck_assert_uint_eq(origin.requests, 3);
    ck_assert_uint_eq(look().stats->cache_hits, 2);
    ck_assert_uint_eq(look().stats->cache_misses, 3);
    ck_assert_uint_eq(proxy_stored(proxy).entries, 1);
    finish();
}
END_TEST

/* Contract 5: a stale response is served up to an age of freshness plus stale_if_error, and no
 * longer. */
START_TEST(stale_until_its_time)
{
    begin("fresh = 100s stale_if_error = 300s");
    answers(NUMBERED);
    hears("", "fwd=miss");
    answers(BUSY);
    loop_skip(loop, 390000);
    hears("", "Age=39"); /* 390 s and a little more */
    hears("", "fwd=stale; fwd-status=503");
    hears("Cache-Control: stale-if-error=100\r\n", "head 503");
    hears("Cache-Control: stale-if-error=0\r\n", "head 503");
    hears("Cache-Control: no-cache\r\n", "head 503");
    loop_skip(loop, 10100);
    hears("", "head 503");
    ck_assert_uint_eq(look().stats->cache_stale, 2);
    finish();
}
END_TEST

static const struct {
    enum origin_manner manner;
    const char *answer, *words;
} failures[] = {
    {ORIGIN_RESETS, "", "fwd=stale; detail=connection_terminated"},
    {ORIGIN_CLOSES, "HTTP/1.1 2", "fwd=stale; detail=http_response_incomplete"},
    {ORIGIN_ANSWERS, "what?\r\n\r\n", "fwd=stale; detail=http_protocol_error"},
    {ORIGIN_ANSWERS, "HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", "fwd-status=429"},
    {ORIGIN_ANSWERS, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "fwd-status=500"},
    {ORIGIN_ANSWERS, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "head 404"},
    /* a good response is passed on: there is no error that the old response could hide */
    {ORIGIN_ANSWERS, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "fwd=miss"},
};

START_TEST(what_stale_hides)
{
    begin("stale_if_error = 30s retries = 0");
    answers(NUMBERED);
    hears("", "fwd=miss");
    origin.manner = failures[_i].manner;
    origin.answer = failures[_i].answer;
    hears("", failures[_i].words);
    finish();
}
END_TEST

START_TEST(no_answer_in_time)
{
    struct test_client a;
    begin("stale_if_error = 30s");
    answers(NUMBERED);
    hears("", "fwd=miss");
    origin.manner = ORIGIN_WAITS;
    ask_whole(&a, "GET", "Trunkline-Timeout: 2s\r\n");
    UNTIL(origin.requests == 2);
    loop_skip(loop, 2100);
    UNTIL(a.recorder.ended);
    ck_assert(heard_part(&a, "fwd=stale; detail=http_response_timeout"));
    ck_assert_int_eq(last_record.sent, SENT_YES);
    clear(&a);
    finish();
}
END_TEST

/* ------------------------------------------------------------------- coalescing */

START_TEST(one_for_all)
{
    begin("coalesce = yes");
    origin.manner = ORIGIN_WAITS;
    start(8, "");
    UNTIL(origin.requests == 1);
    plain_origin_say(&origin, 0, NUMBERED);
    for (size_t i = 0; i < 8; i++) {
        UNTIL(many[i].recorder.ended);
        ck_assert(heard_part(&many[i], "body(first)"));
        ck_assert_int_eq(heard_part(&many[i], "collapsed"), i > 0);
    }
    ck_assert_uint_eq(origin.requests, 1);
    ck_assert_uint_eq(look().stats->cache_collapsed, 7);
    ck_assert_uint_eq(look().stats->succeeded, 8);
    clear_all(8);
    finish();
}
END_TEST

/* A follower that joins in the middle of the body gets all of it: what has arrived so far at once,
 * and the rest as it arrives. */
START_TEST(late_followers)
{
    begin("coalesce = yes");
    origin.manner = ORIGIN_WAITS;
    start(1, "");
    UNTIL(origin.requests == 1);
    plain_origin_say(&origin, 0, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
    UNTIL(heard_part(&many[0], "abc"));
    ask_whole(&many[1], "GET", "");
    UNTIL(heard_part(&many[1], "body(abc)"));
    plain_origin_say(&origin, 0, "def");
    UNTIL(many[0].recorder.ended && many[1].recorder.ended);
    ck_assert(heard_part(&many[1], "body(abcdef)"));
    clear_all(2);
    finish();
}
END_TEST

/* A request that accepts no earlier response may join a shared fetch as long as its head has not
 * arrived. Once the head has arrived, such a request starts a new shared fetch, and later requests
 * join the new one. */
START_TEST(too_late_for_them)
{
    begin("coalesce = yes");
    origin.manner = ORIGIN_WAITS;
    ask_whole(&many[0], "GET", "");
    ask_whole(&many[1], "GET", "Cache-Control: max-age=0\r\n");
    UNTIL(origin.requests == 1);
    plain_origin_say(&origin, 0, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
    UNTIL(heard_part(&many[1], "abc"));
    ask_whole(&many[2], "GET", "Cache-Control: max-age=60\r\n");
    ask_whole(&many[3], "GET", "Cache-Control: max-age=0\r\n");
    ask_whole(&many[4], "GET", "");
    UNTIL(heard_part(&many[2], "abc") && origin.requests == 2);
    plain_origin_say(&origin, 0, "def");
    plain_origin_say(&origin, 1, NUMBERED);
    for (size_t i = 0; i < 5; i++) {
        UNTIL(many[i].recorder.ended);
        ck_assert(heard_part(&many[i], i < 3 ? "body(abcdef)" : "body(first)"));
    }
    ck_assert_uint_eq(origin.requests, 2);
    clear_all(5);
    finish();
}
END_TEST

/* Starts `count` requests to an origin that takes `ms` to respond. A request of a follower's own
 * would have to wait equally long. */
static void delay(size_t count, uint64_t ms)
{
    origin.manner = ORIGIN_WAITS;
    start(count, "");
    UNTIL(origin.requests == 1);
    loop_skip(loop, ms);
}

/* A response of unknown length could outgrow the limit, so followers get nothing until it is
 * complete. */
START_TEST(chunked_followers)
{
    begin("coalesce = yes cache_max_object = 10");
    delay(2, 5000);
    plain_origin_say(&origin, 0, CHUNKED "3\r\nabc\r\n");
    UNTIL(heard_part(&many[0], "abc"));
    ck_assert_uint_eq(many[1].recorder.status, 0);
    plain_origin_say(&origin, 0, "0\r\nX: y\r\n\r\n");
    UNTIL(many[0].recorder.ended && many[1].recorder.ended);
    ck_assert(heard_part(&many[0], "end {X=y;}") && heard_part(&many[1], "body(abc) end {}"));
    clear_all(2);
    finish();
}
END_TEST

/* However, followers wait no longer than a request of their own would take; after that, they get
 * the response as it arrives. */
START_TEST(chunked_followers_in_time)
{
    begin("coalesce = yes");
    delay(2, 2000);
    plain_origin_say(&origin, 0, CHUNKED "3\r\nabc\r\n");
    UNTIL(heard_part(&many[0], "abc"));
    loop_skip(loop, 500);
    ask_whole(&many[2], "GET", "Trunkline-Timeout: 1s\r\n");
    ck_assert(many[1].recorder.status == 0 && many[2].recorder.status == 0);
    loop_skip(loop, 1100);
    UNTIL(heard_part(&many[2], "abc"));
    loop_skip(loop, 500);
    UNTIL(heard_part(&many[1], "abc"));
    plain_origin_say(&origin, 0, "3\r\ndef\r\n");
    for (size_t i = 0; i < 3; i++)
        UNTIL(heard_part(&many[i], "body(abcdef)"));
    plain_origin_say(&origin, 0, "0\r\nX: y\r\n\r\n");
    for (size_t i = 0; i < 3; i++) {
        UNTIL(many[i].recorder.ended);
        ck_assert(heard_part(&many[i], "end {X=y;}"));
    }
    ck_assert_uint_eq(origin.requests, 1);
    clear_all(3);
    finish();
}
END_TEST

START_TEST(outgrown)
{
    begin("coalesce = yes cache_max_object = 5 fresh = 5s");
    delay(2, 2000);
    plain_origin_say(&origin, 0, CHUNKED "3\r\nabc\r\n");
    UNTIL(heard_part(&many[0], "abc"));
    plain_origin_say(&origin, 0, "3\r\ndef\r\n");
    UNTIL(origin.requests == 2); /* the follower sends its own request */
    plain_origin_say(&origin, 0, "0\r\n\r\n");
    UNTIL(many[0].recorder.ended);
    ck_assert(heard_part(&many[0], "body(abcdef)"));
    plain_origin_say(&origin, 1, OK);
    UNTIL(many[1].recorder.ended);
    ck_assert(heard_part(&many[1], "body(hi)"));
    ck_assert_uint_eq(proxy_stored(proxy).entries, 1);
    clear_all(2);
    finish();
}
END_TEST

/* The first client disconnects in the middle of a response of unknown length, and then the response
 * outgrows the limit: the next follower gets all of it, and the last one sends a request of its
 * own. */
START_TEST(outgrown_without_its_leader)
{
    begin("coalesce = yes cache_max_object = 5");
    delay(3, 2000);
    plain_origin_say(&origin, 0, CHUNKED "3\r\nabc\r\n");
    UNTIL(heard_part(&many[0], "abc"));
    recorder_cancel(&many[0].recorder);
    plain_origin_say(&origin, 0, "3\r\ndef\r\n0\r\n\r\n");
    UNTIL(many[1].recorder.ended && origin.requests == 2);
    ck_assert(heard_part(&many[1], "body(abcdef)"));
    recorder_cancel(&many[2].recorder);
    clear_all(3);
    finish();
}
END_TEST

/* Followers that have begun to receive the response before it outgrows the limit get the rest as it
 * arrives, no matter which of them disconnects. */
START_TEST(outgrown_by_those_who_have_begun)
{
    begin("coalesce = yes cache_max_object = 5 fresh = 5s");
    delay(3, 2000);
    plain_origin_say(&origin, 0, CHUNKED "3\r\nabc\r\n");
    UNTIL(heard_part(&many[0], "abc"));
    loop_skip(loop, 2100);
    UNTIL(heard_part(&many[1], "abc") && heard_part(&many[2], "abc"));
    plain_origin_say(&origin, 0, "3\r\ndef\r\n");
    for (size_t i = 0; i < 3; i++)
        UNTIL(heard_part(&many[i], "body(abcdef)"));
    exchange_pause(many[1].recorder.exchange);
    recorder_cancel(&many[_i].recorder);
    plain_origin_say(&origin, 0, "3\r\nghi\r\n");
    UNTIL(heard_part(&many[2], "body(abcdefghi)"));
    plain_origin_say(&origin, 0, "0\r\n\r\n");
    UNTIL(many[2].recorder.ended);
    if (many[1].recorder.exchange) {
        exchange_resume(many[1].recorder.exchange);
        UNTIL(many[1].recorder.ended && heard_part(&many[1], "body(abcdefghi)"));
    }
    ck_assert_uint_eq(origin.requests, 1);
    ck_assert_uint_eq(proxy_stored(proxy).entries, 0);
    clear_all(3);
    finish();
}
END_TEST

/* Any client may disconnect at any time: the others still get the response, and when no client is
 * left the request is abandoned. */
START_TEST(leaving)
{
    begin("coalesce = yes");
    origin.manner = ORIGIN_WAITS;
    start(3, "");
    UNTIL(origin.requests == 1);
    recorder_cancel(&many[_i % 3].recorder);
    if (_i >= 3)
        recorder_cancel(&many[(_i + 1) % 3].recorder);
    if (_i >= 6) {
        recorder_cancel(&many[(_i + 2) % 3].recorder);
        loop_skip(loop, 2500); /* longer than the response is drained to save the line */
        UNTIL(look().active == 0);
    }
    plain_origin_say(&origin, 0, NUMBERED);
    for (size_t i = 0; i < 3; i++) {
        if (many[i].recorder.exchange == NULL)
            continue;
        UNTIL(many[i].recorder.ended);
        ck_assert(heard_part(&many[i], "body(first)"));
    }
    clear_all(3);
    finish();
}
END_TEST

/* The same, but a client disconnects inside an event. */
START_TEST(leaving_in_an_event)
{
    enum recorder_event events[] = {RECORDER_HEAD, RECORDER_BODY};
    begin("coalesce = yes fresh = 5s");
    origin.manner = ORIGIN_WAITS;
    start(3, "");
    many[_i % 3].recorder.cancel_in = events[_i / 3];
    UNTIL(origin.requests == 1);
    plain_origin_say(&origin, 0, NUMBERED);
    for (size_t i = 0; i < 3; i++)
        UNTIL(many[i].recorder.exchange == NULL);
    ck_assert_uint_eq(many[0].recorder.ended + many[1].recorder.ended + many[2].recorder.ended, 2);
    clear_all(3);
    ask_whole(&many[0], "GET", "");
    many[0].recorder.cancel_in = events[_i / 3];
    UNTIL(many[0].recorder.exchange == NULL);
    clear(&many[0]);
    finish();
}
END_TEST

START_TEST(failing_together)
{
    begin("coalesce = yes retries = 0");
    origin.manner = ORIGIN_WAITS;
    start(4, "");
    UNTIL(origin.requests == 1);
    plain_origin_close(&origin, 0, true);
    for (size_t i = 0; i < 4; i++) {
        UNTIL(many[i].recorder.ended);
        ck_assert_uint_eq(many[i].recorder.status, 502);
    }
    ck_assert_uint_eq(origin.requests, 1);
    ck_assert_uint_eq(look().stats->failed, 4);
    clear_all(4);
    finish();
}
END_TEST

/* The response is cut off in the middle: a client that has begun to receive it is cut off too, and
 * the others get the old response. */
START_TEST(cut_together)
{
    begin("coalesce = yes stale_if_error = 9s");
    answers(NUMBERED);
    hears("", "fwd=miss");
    origin.manner = ORIGIN_WAITS;
    start(2, "");
    UNTIL(origin.requests == 2);
    loop_skip(loop, 2000);
    plain_origin_say(&origin, 0, CHUNKED "3\r\nabc\r\n");
    UNTIL(heard_part(&many[0], "abc"));
    plain_origin_close(&origin, 0, false);
    UNTIL(many[0].recorder.failed && many[1].recorder.ended);
    ck_assert(heard_part(&many[1], "fwd=stale") && heard_part(&many[1], "body(first)"));
    clear_all(2);
    finish();
}
END_TEST

/* Each follower has its own deadline; the shared fetch has the latest of these deadlines. */
START_TEST(deadlines)
{
    begin("coalesce = yes response_timeout = 600s total_timeout = 90s");
    origin.manner = ORIGIN_WAITS;
    ask_whole(&many[0], "GET", "Trunkline-Timeout: 20s\r\n");
    UNTIL(origin.requests == 1);
    loop_skip(loop, 10000);
    ask_whole(&many[1], "GET", "");
    ask_whole(&many[2], "GET", "Trunkline-Timeout: 5s\r\n");
    loop_skip(loop, 5100);
    UNTIL(many[2].recorder.ended);
    ck_assert(many[2].recorder.status == 504 && heard_part(&many[2], "within 5s"));
    ck_assert_uint_eq(many[0].recorder.status, 0);
    loop_skip(loop, 5000);
    UNTIL(many[0].recorder.ended);
    ck_assert(many[0].recorder.status == 504 && heard_part(&many[0], "within 20s"));
    loop_skip(loop, 75000);
    loop_turn(loop, false);
    ck_assert_uint_eq(many[1].recorder.status, 0);
    loop_skip(loop, 6000);
    UNTIL(many[1].recorder.ended);
    ck_assert_uint_eq(many[1].recorder.status, 504);
    ck_assert_uint_eq(origin.requests, 1);
    clear_all(3);
    finish();
}
END_TEST

/* At the gate, the follower that has little time left is refused at once, and the shared fetch
 * continues for the other. */
START_TEST(gate)
{
    begin("coalesce = yes rate = \"1/4s\" burst = 1");
    answers(OK);
    hears("", "hi");
    ask_whole(&many[0], "GET", "Trunkline-Timeout: 5s\r\n");
    ask_whole(&many[1], "GET", "");
    loop_turn(loop, false);
    recorder_cancel(&many[0].recorder);
    loop_skip(loop, 4100);
    UNTIL(many[1].recorder.ended);
    ck_assert(many[1].recorder.status == 200 && origin.requests == 2);
    clear_all(2);
    finish();
}
END_TEST

/* During a hold, a request for which there is an old response gets that response; the others wait
 * for the end of the hold in one shared fetch. */
START_TEST(held)
{
    const char *fields[] = {"", "Cache-Control: stale-if-error=0\r\n"};
    begin("coalesce = yes stale_if_error = 60s total_timeout = 30s");
    answers(NUMBERED);
    hears("", "fwd=miss");
    answers("HTTP/1.1 418 No\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n");
    hears("Cache-Control: no-cache\r\n", "head 418");
    ask_whole(&many[_i], "GET", fields[_i]); /* in either order */
    ask_whole(&many[1 - _i], "GET", fields[1 - _i]);
    UNTIL(many[0].recorder.ended);
    ck_assert(heard_part(&many[0], "fwd=stale; detail=http_request_denied"));
    ck_assert_int_eq(records, 3);
    answers(OK);
    loop_turn(loop, false);
    ck_assert_uint_eq(origin.requests, 2);
    loop_skip(loop, 3100);
    UNTIL(many[1].recorder.ended);
    ck_assert(heard_part(&many[1], "body(hi)"));
    clear_all(2);
    finish();
}
END_TEST

/* ------------------------------------------------------------------ back-pressure */

/* While the response is being stored, a slow reader delays no other client. Once the response is
 * only streamed, a slow reader delays the origin. */
START_TEST(slow_readers)
{
    begin("coalesce = yes");
    origin.manner = ORIGIN_WAITS;
    start(2, "");
    many[_i].recorder.pause_in = RECORDER_HEAD;
    UNTIL(origin.requests == 1);
    plain_origin_say(&origin, 0, NUMBERED);
    UNTIL(many[1 - _i].recorder.ended);
    ck_assert(many[_i].recorder.status == 200 && many[_i].recorder.body == 0);
    exchange_resume(many[_i].recorder.exchange);
    UNTIL(many[_i].recorder.ended);
    ck_assert(heard_part(&many[_i], "body(first)"));
    clear_all(2);
    finish();
}
END_TEST

START_TEST(slow_alone)
{
    static char piece[10001];
    begin("fresh = 5s cache_max_object = 1k");
    memset(piece, 'x', sizeof piece - 1);
    origin.manner = ORIGIN_WAITS;
    start(1, "");
    many[0].recorder.pause_in = RECORDER_HEAD;
    UNTIL(origin.requests == 1);
    plain_origin_say(&origin, 0, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    for (int i = 0; i < 100; i++)
        plain_origin_say(&origin, 0, piece);
    UNTIL(many[0].recorder.status == 200);
    for (int i = 0; i < 50; i++)
        loop_turn(loop, false);
    ck_assert_uint_eq(many[0].recorder.body, 0);
    ck_assert_uint_lt(look().stats->traffic.bytes_received, 900000);
    exchange_resume(many[0].recorder.exchange);
    UNTIL(many[0].recorder.ended);
    ck_assert_uint_eq(many[0].recorder.body, 1000000);
    clear_all(1);
    finish();
}
END_TEST

/* When a response is too large to be stored, the first client sets the pace of the origin. The
 * other clients do not slow it down; a follower that falls too far behind is cut off. */
START_TEST(slow_followers)
{
    static char chunk[10020];
    begin("coalesce = yes cache_max_object = 1k");
    delay(3, 2000);
    plain_origin_say(&origin, 0, CHUNKED "3\r\nabc\r\n");
    UNTIL(many[0].recorder.body == 3);
    loop_skip(loop, 2100);
    UNTIL(many[1].recorder.body == 3 && many[2].recorder.body == 3);
    exchange_pause(many[_i].recorder.exchange);
    int len = snprintf(chunk, sizeof chunk, "2710\r\n%010000d\r\n", 7);
    ck_assert_int_eq(len, 10008);
    for (int i = 0; i < 100; i++)
        plain_origin_say(&origin, 0, chunk);
    plain_origin_say(&origin, 0, "0\r\n\r\n");
    if (_i == 0) {
        for (int i = 0; i < 50; i++)
            loop_turn(loop, false);
        ck_assert_uint_lt(look().stats->traffic.bytes_received, 900000);
        exchange_resume(many[0].recorder.exchange);
    } else {
        UNTIL(many[1].recorder.failed);
        ck_assert(heard_part(&many[1], "connection_limit_reached sent=yes"));
    }
    for (size_t i = 0; i < 3; i++) {
        UNTIL(many[i].recorder.ended + many[i].recorder.failed);
        ck_assert_uint_eq(many[i].recorder.body, (int)i == _i && _i ? 3 : 1000003);
    }
    ck_assert_uint_eq(origin.requests, 1);
    clear_all(3);
    finish();
}
END_TEST

SUITE()
{
    TEST(fresh_until_its_time);
    TEST(stale_until_its_time);
    LOOP(what_stale_hides, 0, COUNT_OF(failures));
    TEST(no_answer_in_time);
    TEST(one_for_all);
    TEST(late_followers);
    TEST(too_late_for_them);
    TEST(chunked_followers);
    TEST(chunked_followers_in_time);
    TEST(outgrown);
    LOOP(outgrown_by_those_who_have_begun, 0, 2);
    TEST(outgrown_without_its_leader);
    LOOP(leaving, 0, 9);
    LOOP(leaving_in_an_event, 0, 6);
    TEST(failing_together);
    TEST(cut_together);
    TEST(deadlines);
    TEST(gate);
    LOOP(held, 0, 2);
    LOOP(slow_readers, 0, 2);
    TEST(slow_alone);
    LOOP(slow_followers, 0, 2);
}
