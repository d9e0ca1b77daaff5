/* The path of a request through the proxy to an origin on loopback: which requests may be sent
 * again and which never, every deadline, and a client that disconnects in each state. */
#include <stdio.h>

#include "config_fixture.h"
#include "suite.h"
#include "transaction_fixture.h"

/* ------------------------------------------------------------ never twice */

#define KEY "Authorization: k\r\n"

static const struct {
    const char *directives, *method, *fields;
    bool reused;
    enum origin_manner manner;
    const char *answer;
    unsigned requests; /* requests that reached the origin */
    const char *error, *sent;
} nevers[] = {
    /* (c): a safe request on a reused line, without a single byte of a response: it is sent once
     * more, on a new line */
    {"", "GET", "", true, ORIGIN_RESETS, "", 2, "connection_terminated", "yes"},
    {"", "HEAD", "", true, ORIGIN_CLOSES, "", 2, "connection_terminated", "yes"},
    {"", "OPTIONS", "", true, ORIGIN_RESETS, "", 2, "connection_terminated", "yes"},
    {"retries = 0", "GET", "", true, ORIGIN_RESETS, "", 1, "connection_terminated", "yes"},
    {"retry_private = yes", "GET", KEY, true, ORIGIN_RESETS, "", 2, "connection_terminated", "yes"},
    /* not on a new line, not after a byte of the response, not with a credential, and never an
     * order */
    {"", "GET", "", false, ORIGIN_RESETS, "", 1, "connection_terminated", "yes"},
    {"", "GET", "", true, ORIGIN_CLOSES, "HTTP/1.1 2", 1, "http_response_incomplete", "yes"},
    {"", "GET", "", true, ORIGIN_ANSWERS, "SSH-2.0\r\n\r\n", 1, "http_protocol_error", "yes"},
    {"", "GET", KEY, true, ORIGIN_RESETS, "", 1, "connection_terminated", "yes"},
    {"", "GET", "X-My-Token: t\r\n", true, ORIGIN_RESETS, "", 1, "connection_terminated", "yes"},
    {"", "POST", "", true, ORIGIN_RESETS, "", 1, "connection_terminated", "yes"},
    {"", "POST", "", true, ORIGIN_CLOSES, "", 1, "connection_terminated", "yes"},
    {"", "PUT", "", true, ORIGIN_RESETS, "", 1, "connection_terminated", "yes"},
    {"", "PATCH", "", true, ORIGIN_RESETS, "", 1, "connection_terminated", "yes"},
    {"", "DELETE", "", true, ORIGIN_RESETS, "", 1, "connection_terminated", "yes"},
    {"", "DELETE", "", false, ORIGIN_RESETS, "", 1, "connection_terminated", "yes"},
    {"retry_private = yes", "POST", KEY, true, ORIGIN_RESETS, "", 1, "connection_terminated",
     "yes"},
    {"", "M-SEARCH", "", true, ORIGIN_RESETS, "", 1, "connection_terminated", "yes"},
};

START_TEST(test_never_twice)
{
    struct test_client a;
    char part[80];
    begin(nevers[_i].directives);
    if (nevers[_i].reused)
        warm_up();
    origin.manner = nevers[_i].manner;
    origin.answer = nevers[_i].answer;
    uint64_t failed = look().stats->failed;
    ask_whole(&a, nevers[_i].method, nevers[_i].fields);
    UNTIL(a.recorder.ended + a.recorder.failed);
    for (int i = 0; i < 20; i++)
        loop_turn(loop, false);
    ck_assert_uint_eq(origin.requests, nevers[_i].requests);
    ck_assert_uint_eq(a.recorder.status, 502);
    ck_assert_uint_eq(look().stats->failed, failed + 1);
    ck_assert_uint_eq(look().stats->retried, nevers[_i].requests - 1);
    ck_assert_uint_eq(look().stats->unknown, a.request.is_order);
    ck_assert(heard_part(&a, nevers[_i].error));
    snprintf(part, sizeof part, "Trunkline-Sent=%s;", nevers[_i].sent);
    ck_assert_msg(heard_part(&a, part), "%s", a.heard.at);
    ck_assert_int_eq(last_record.sent, SENT_YES);
    clear(&a);
    finish();
}
END_TEST

/* (a): the kernel refused the whole write, so even an order may be sent again. */
START_TEST(test_nothing_was_sent)
{
    static const char *const methods[] = {"GET", "POST", "DELETE"};
    struct test_client a;
    begin("min_idle = 1");
    UNTIL(look().idle == 1 && origin.accepted == 1);
    plain_origin_close(&origin, 0, true);
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = OK;
    ask_whole(&a, methods[_i], ""); /* before the loop can detect the reset */
    UNTIL(a.recorder.ended);
    ck_assert_uint_eq(a.recorder.status, 200);
    ck_assert_uint_eq(origin.requests, 1);
    ck_assert_uint_eq(origin.accepted, 2);
    /* A GET may be lent the dead line; an order waits until the line is known to be dead. */
    ck_assert_uint_le(look().stats->retried, _i == 0);
    clear(&a);
    finish();
}
END_TEST

/* ------------------------------------------------------------ bodies */

START_TEST(test_small_body_is_gathered)
{
    struct test_client a;
    begin("");
    ask(&a, "POST", "Content-Length: 5\r\n");
    ck_assert(exchange_body(a.recorder.exchange, "he", 2));
    for (int i = 0; i < 20; i++)
        loop_turn(loop, false);
    ck_assert_uint_eq(look().connecting + look().idle + look().active, 0); /* no line is used yet */
    ck_assert(exchange_body(a.recorder.exchange, "llo", 3));
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = OK;
    conclude(&a);
    UNTIL(a.recorder.ended);
    ck_assert_ptr_nonnull(strstr(origin.last.at, "\r\n\r\nhello"));
    clear(&a);
    finish();
}
END_TEST

/* A large body is streamed once 64 KiB of it have arrived; from then on some of it may already have
 * been sent. */
START_TEST(test_large_body_streams)
{
    static char piece[40000];
    struct test_client a;
    begin("");
    memset(piece, 'x', sizeof piece);
    ask(&a, "POST", "Content-Length: 200000\r\n");
    ck_assert(exchange_body(a.recorder.exchange, piece, sizeof piece));
    for (int i = 0; i < 20; i++)
        loop_turn(loop, false);
    ck_assert_uint_eq(look().connecting + look().idle + look().active, 0); /* no line is used yet */
    ck_assert(!exchange_body(a.recorder.exchange, piece, sizeof piece));
    UNTIL(origin.last.len > 20);
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = OK;
    for (int i = 0; i < 3; i++) {
        (void)!exchange_body(a.recorder.exchange, piece, sizeof piece);
        loop_turn(loop, false);
    }
    conclude(&a);
    UNTIL(a.recorder.ended);
    ck_assert_uint_eq(a.recorder.status, 200);
    ck_assert_uint_gt(origin.last.len, 200000);
    clear(&a);
    ask(&a, "POST", "Content-Length: 200000\r\n"); /* on the reused line, which breaks */
    (void)!exchange_body(a.recorder.exchange, piece, sizeof piece);
    (void)!exchange_body(a.recorder.exchange, piece, sizeof piece);
    UNTIL(origin.last.len > 100 && origin.last.len < 200000);
    plain_origin_close(&origin, 0, true);
    UNTIL(a.recorder.ended);
    ck_assert(heard_part(&a, "Trunkline-Sent=partial;"));
    ck_assert_uint_eq(look().stats->retried, 0);
    ck_assert_uint_eq(look().stats->unknown, 1);
    clear(&a);
    finish();
}
END_TEST

/* The client's body cannot be forwarded (for instance because it is malformed). */
START_TEST(test_refused_within_body)
{
    struct test_client a;
    struct verdict why = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO, "no good");
    static char piece[70000];
    begin("");
    memset(piece, 'x', sizeof piece);
    ask(&a, "POST", "Transfer-Encoding: chunked\r\n");
    (void)!exchange_body(a.recorder.exchange, piece, sizeof piece);
    UNTIL(origin.last.len > 20);
    exchange_refuse(a.recorder.exchange, &why);
    UNTIL(a.recorder.ended);
    ck_assert_uint_eq(a.recorder.status, 400);
    ck_assert(heard_part(&a, "Trunkline-Sent=partial;"));
    clear(&a);
    ask(&a, "POST", "Content-Length: 5\r\n");
    exchange_refuse(a.recorder.exchange, &why);
    recorder_cancel(&a.recorder); /* the client disconnects before it could get the response */
    clear(&a);
    finish();
}
END_TEST

/* ------------------------------------------------------------ deadlines */

static void is_answered(struct test_client *a, unsigned status, const char *error, const char *sent)
{
    char part[80];
    UNTIL(a->recorder.ended);
    snprintf(part, sizeof part, "Trunkline-Sent=%s;", sent);
    ck_assert_uint_eq(a->recorder.status, status);
    ck_assert_msg(heard_part(a, part), "%s", a->heard.at);
    ck_assert_msg(heard_part(a, error), "%s", a->heard.at);
    clear(a);
}

START_TEST(test_body_too_late)
{
    static const char *const limits[] = {"total_timeout = 60s",
                                         "total_timeout = 90s\ntransfer_timeout = 60s"};
    struct test_client a;
    begin(limits[_i]);
    ask(&a, "POST", "Content-Length: 5\r\n");
    loop_skip(loop, 40000);
    ck_assert_uint_eq(a.recorder.status, 0);
    loop_skip(loop, 21000);
    UNTIL(a.recorder.ended);
    ck_assert_msg(heard_part(&a, "did not come within 1m"), "%s", a.heard.at);
    is_answered(&a, 408, "http_request_error", "no");
    finish();
}
END_TEST

START_TEST(test_order_wait)
{
    struct test_client first, get, post;
    begin("max_connections = 1");
    ask_whole(&first, "GET", "");
    UNTIL(origin.requests == 1);
    ask_whole(&post, "POST", "");
    ask_whole(&get, "GET", "");
    loop_skip(loop, 1100);
    ck_assert_uint_eq(get.recorder.status, 0);
    is_answered(&post, 503, "connection_limit_reached", "no");
    ck_assert_uint_eq(look().stats->unknown, 0);
    loop_skip(loop, 4100);
    is_answered(&get, 503, "connection_limit_reached", "no");
    loop_skip(loop, 4000);
    is_answered(&first, 504, "http_response_timeout", "yes");
    ck_assert_uint_eq(look().stats->closed[CLOSE_ERROR], 1);
    finish();
}
END_TEST

START_TEST(test_response_timeout)
{
    struct test_client a;
    begin("response_timeout = 2s\ntotal_timeout = 1m");
    ask_whole(&a, "POST", "");
    UNTIL(origin.requests == 1);
    plain_origin_say(&origin, 0, "HTTP/1.1 102 Wait\r\n\r\n");
    UNTIL(heard_part(&a, "interim 102"));
    loop_skip(loop, 2100);
    is_answered(&a, 504, "http_response_timeout", "yes");
    ck_assert_uint_eq(look().stats->unknown, 1);
    ck_assert_uint_eq(look().stats->errors[FAILURE_HTTP_RESPONSE_TIMEOUT], 1);
    finish();
}
END_TEST

START_TEST(test_trunkline_timeout)
{
    struct test_client a;
    begin("");
    ask_whole(&a, "GET", "Trunkline-Timeout: 800ms\r\n");
    UNTIL(origin.requests == 1);
    ck_assert_ptr_null(strstr(origin.last.at, "Trunkline"));
    loop_skip(loop, 900);
    is_answered(&a, 504, "within 800ms", "yes");
    ask_whole(&a, "GET", "Trunkline-Timeout: 1h\r\n"); /* shortens, never lengthens */
    UNTIL(origin.requests == 2);
    loop_skip(loop, 9100);
    is_answered(&a, 504, "within 9s", "yes");
    ask_whole(&a, "GET", "Trunkline-Timeout: soon\r\n");
    is_answered(&a, 400, "http_request_error", "no");
    ck_assert_uint_eq(origin.requests, 2);
    finish();
}
END_TEST

static void begin_body(struct test_client *a, const char *directives)
{
    begin(directives);
    ask_whole(a, "GET", "");
    UNTIL(origin.requests == 1);
    plain_origin_say(&origin, 0, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nh");
    UNTIL(a->recorder.body == 1);
}

START_TEST(test_body_timeout)
{
    struct test_client a;
    begin_body(&a, "body_timeout = 3s");
    loop_skip(loop, 2000);
    plain_origin_say(&origin, 0, "i");
    UNTIL(a.recorder.body == 2);
    loop_skip(loop, 2000);
    exchange_pause(a.recorder.exchange); /* the timeout is suspended */
    loop_skip(loop, 60000);
    ck_assert_uint_eq(a.recorder.failed, 0);
    exchange_resume(a.recorder.exchange);
    loop_skip(loop, 2000);
    ck_assert_uint_eq(a.recorder.failed, 0);
    loop_skip(loop, 1100);
    ck_assert_uint_eq(a.recorder.failed, 1);
    ck_assert_int_eq(a.recorder.verdict.error, FAILURE_CONNECTION_READ_TIMEOUT);
    ck_assert_uint_eq(look().stats->errors[FAILURE_CONNECTION_READ_TIMEOUT], 1);
    ck_assert_uint_eq(look().stats->failed, 1);
    clear(&a);
    finish();
}
END_TEST

START_TEST(test_transfer_timeout)
{
    struct test_client a;
    begin_body(&a, "transfer_timeout = 20s\nbody_timeout = 30s");
    exchange_pause(a.recorder.exchange);
    loop_skip(loop, 19000);
    ck_assert_uint_eq(a.recorder.failed, 0);
    loop_skip(loop, 1100);
    ck_assert_int_eq(a.recorder.verdict.error, FAILURE_CONNECTION_READ_TIMEOUT);
    clear(&a);
    finish();
}
END_TEST

START_TEST(test_cut_short)
{
    struct test_client a;
    begin_body(&a, "");
    plain_origin_close(&origin, 0, false);
    UNTIL(a.recorder.failed);
    ck_assert_int_eq(a.recorder.verdict.error, FAILURE_HTTP_RESPONSE_INCOMPLETE);
    ck_assert_uint_eq(last_record.status, 200);
    ck_assert_uint_eq(last_record.bytes, 1);
    ck_assert_uint_eq(look().stats->failed, 1);
    clear(&a);
    finish();
}
END_TEST

/* The response to an order is held back until it is complete. Any failure before that is therefore
 * reported as an error of trunkline's own, with its own status. */
static const struct {
    const char *directives;
    uint64_t later_ms;
    enum failure error;
} held[] = {
    {"", 0, FAILURE_HTTP_RESPONSE_INCOMPLETE},
    {"body_timeout = 3s", 3100, FAILURE_CONNECTION_READ_TIMEOUT},
    {"transfer_timeout = 3s", 3100, FAILURE_CONNECTION_READ_TIMEOUT},
    {"total_timeout = 3s", 3100, FAILURE_HTTP_RESPONSE_TIMEOUT},
};

START_TEST(test_answer_to_an_order)
{
    struct test_client a;
    begin(held[_i].directives);
    ask_whole(&a, "POST", "");
    UNTIL(origin.requests == 1);
    plain_origin_say(&origin, 0, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhallo");
    UNTIL(look().stats->traffic.bytes_received > 40);
    ck_assert_uint_eq(a.recorder.status, 0);
    if (held[_i].later_ms)
        loop_skip(loop, held[_i].later_ms);
    else
        plain_origin_close(&origin, 0, true);
    UNTIL(a.recorder.exchange == NULL);
    ck_assert_uint_eq(a.recorder.status, (unsigned)failure_status(held[_i].error));
    ck_assert_int_eq(last_record.error, held[_i].error);
    ck_assert_int_eq(last_record.sent, SENT_YES);
    ck_assert(last_record.unknown);
    clear(&a);
    finish();
}
END_TEST

/* ------------------------------------------------------------ disconnecting */

enum moment {
    AT_ONCE,
    GATHERING,
    CONNECTING,
    QUEUED,
    SENT,
    IN_INTERIM,
    IN_HEAD,
    IN_BODY,
    REFUSED,
    IN_REFUSAL,
    MOMENTS
};

static const char *const outcomes[MOMENTS] = {
    [AT_ONCE] = "abandoned",  [GATHERING] = "abandoned", [CONNECTING] = "abandoned",
    [QUEUED] = "abandoned",   [SENT] = "failed",         [IN_INTERIM] = "failed",
    [IN_HEAD] = "failed",     [IN_BODY] = "failed",      [REFUSED] = "abandoned",
    [IN_REFUSAL] = "refused",
};

static void reach(struct test_client *a, enum moment m)
{
    static const enum recorder_event inside[MOMENTS] = {[IN_INTERIM] = RECORDER_INTERIM,
                                                        [IN_HEAD] = RECORDER_HEAD,
                                                        [IN_BODY] = RECORDER_BODY,
                                                        [IN_REFUSAL] = RECORDER_HEAD};
    bool refused = m == REFUSED || m == IN_REFUSAL;
    ask(a, "POST",
        refused ? "Trunkline-Timeout: x\r\nContent-Length: 5\r\n" : "Content-Length: 5\r\n");
    a->recorder.cancel_in = inside[m];
    if (m == AT_ONCE || m == REFUSED)
        return;
    ck_assert(exchange_body(a->recorder.exchange, "hello", 5));
    if (m == GATHERING)
        return;
    conclude(a);
    if (m == CONNECTING || m == QUEUED)
        return;
    if (!refused)
        UNTIL(origin.requests == 1);
    if (m == SENT)
        return;
    plain_origin_say(&origin, 0, "HTTP/1.1 102 P\r\n\r\n" OK);
    UNTIL(a->recorder.exchange == NULL);
}

START_TEST(test_leaving)
{
    struct test_client a, other;
    begin("max_connections = 1");
    if (_i == QUEUED) {
        ask_whole(&other, "GET", "");
        UNTIL(origin.requests == 1);
    }
    reach(&a, (enum moment)_i);
    if (a.recorder.exchange)
        recorder_cancel(&a.recorder);
    const struct upstream_stats *s = look().stats;
    bool abandoned = strcmp(outcomes[_i], "abandoned") == 0;
    ck_assert_uint_eq(s->abandoned, abandoned);
    ck_assert_uint_eq(s->failed, !abandoned);
    ck_assert_uint_eq(s->succeeded, 0);
    bool answered = _i == IN_HEAD || _i == IN_BODY;
    ck_assert_uint_eq(s->unknown, strcmp(outcomes[_i], "failed") == 0 && !answered);
    ck_assert_uint_eq(records, 1);
    ck_assert_uint_eq(pools_requests(pools), _i == QUEUED);
    ck_assert_uint_eq(proxy_active(proxy), _i == QUEUED);
    for (int i = 0; i < 20; i++)
        loop_turn(loop, false);
    if (_i == QUEUED)
        recorder_cancel(&other.recorder);
    ck_assert_uint_eq(origin.requests, _i >= QUEUED && _i <= IN_BODY);
    clear(&a);
    if (_i == QUEUED)
        clear(&other);
    finish();
}
END_TEST

/* ------------------------------------------------------------ counters */

START_TEST(test_statuses)
{
    struct test_client a;
    begin("");
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = OK;
    ask_whole(&a, "POST", "");
    UNTIL(a.recorder.ended);
    clear(&a);
    ck_assert_uint_eq(look().stats->succeeded, 1);
    ck_assert(!last_record.timing.reused && last_record.status == 200 && last_record.bytes == 2);
    origin.answer = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
    ask_whole(&a, "GET", "");
    UNTIL(a.recorder.ended);
    clear(&a);
    ck_assert_uint_eq(look().stats->succeeded, 2);
    ck_assert(last_record.timing.reused);
    origin.answer = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n";
    ask_whole(&a, "POST", "");
    UNTIL(a.recorder.ended);
    clear(&a);
    const struct upstream_stats *s = look().stats;
    ck_assert_uint_eq(s->failed, 1);
    ck_assert_uint_eq(s->unknown, 1);
    ck_assert_uint_eq(s->status[1], 1);
    ck_assert_uint_eq(s->status[3], 1);
    ck_assert_uint_eq(s->status[4], 1);
    ck_assert_uint_eq(s->total.count, 3);
    ck_assert_uint_eq(s->opened, 1);
    ck_assert_uint_eq(s->reused, 2);
    finish();
}
END_TEST

/* What is gathered while it waits is limited; the client goes on when that has been sent. */
START_TEST(a_long_upload_goes_on_when_it_has_a_line)
{
    static const char piece[8192];
    struct test_client first, upload;
    size_t pieces = 0;
    begin("max_connections = 1");
    origin.manner = ORIGIN_WAITS;
    origin.answer = OK;
    ask_whole(&first, "GET", "");
    UNTIL(origin.requests == 1);
    ask(&upload, "POST", "Content-Length: 163840\r\n"); /* 20 pieces */
    do
        ck_assert_uint_lt(++pieces, 20);
    while (exchange_body(upload.recorder.exchange, piece, sizeof piece));
    ck_assert_uint_eq(upload.recorder.drained, 0);
    origin.manner = ORIGIN_ANSWERS;
    plain_origin_say(&origin, 0, OK);
    UNTIL(upload.recorder.drained == 1);
    for (; pieces < 20; pieces++)
        (void)!exchange_body(upload.recorder.exchange, piece, sizeof piece);
    conclude(&upload);
    UNTIL(upload.recorder.ended);
    ck_assert_uint_eq(upload.recorder.status, 200);
    clear(&first), clear(&upload);
    finish();
}
END_TEST

SUITE()
{
    TEST(a_long_upload_goes_on_when_it_has_a_line);
    LOOP(test_never_twice, 0, COUNT_OF(nevers));
    LOOP(test_nothing_was_sent, 0, 3);
    TEST(test_small_body_is_gathered);
    TEST(test_large_body_streams);
    TEST(test_refused_within_body);
    LOOP(test_body_too_late, 0, 2);
    TEST(test_order_wait);
    TEST(test_response_timeout);
    TEST(test_trunkline_timeout);
    TEST(test_body_timeout);
    TEST(test_transfer_timeout);
    TEST(test_cut_short);
    LOOP(test_answer_to_an_order, 0, COUNT_OF(held));
    LOOP(test_leaving, 0, MOMENTS);
    TEST(test_statuses);
}
