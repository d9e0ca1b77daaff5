/* Copies of an order are not sent: they get the answer to it, or hear what is known of it; and no order
 * reaches the origin twice, whatever happens to the first and to its copies (contract 12, `dedupe`). */
#include "config_fixture.h"
#include "suite.h"
#include "transaction_fixture.h"

#define KEY "API-Key: k\r\n"
#define WITHIN 10000

static struct test_client a, b, c;

static void order(struct test_client *x)
{
    ask_whole(x, "POST", KEY);
}

static void turn(void)
{
    for (int i = 0; i < 3; i++)
        loop_turn(loop, false);
}

/* The first has been sent, and the origin has not answered. */
static void begin_sent(const char *directives)
{
    char all[300];
    snprintf(all, sizeof all, "dedupe = 10s\n%s", directives);
    begin(all);
    order(&a);
    UNTIL(origin.requests == 1);
}

static void told(const struct test_client *x, unsigned status, bool as_copy)
{
    ck_assert_msg(x->recorder.ended == 1, "%s", x->heard.at);
    ck_assert_uint_eq(x->recorder.status, status);
    ck_assert_int_eq(heard_part(x, "Trunkline-Duplicate=yes"), as_copy);
}

static void end(void)
{
    clear(&a);
    finish();
}

START_TEST(copies_get_the_answer)
{
    begin_sent("");
    order(&b);
    order(&c);
    turn();
    ck_assert_uint_eq(b.recorder.ended, 0);
    ck_assert_int_eq(exchange_sent(b.recorder.exchange), SENT_YES);
    plain_origin_say(&origin, 0,
                     "HTTP/1.1 201 Made\r\nSet-Cookie: a=b\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "2\r\nhi\r\n0\r\n\r\n");
    UNTIL(a.recorder.ended && b.recorder.ended && c.recorder.ended);
    told(&a, 201, false);
    told(&b, 201, true);
    told(&c, 201, true);
    ck_assert(heard_part(&b, "body(hi)") && heard_part(&b, "Set-Cookie=a=b"));
    clear(&b);
    order(&b); /* and later ones too */
    UNTIL(b.recorder.ended);
    told(&b, 201, true);
    ck_assert(a.recorder.framing == FRAMING_CHUNKED && b.recorder.framing == FRAMING_LENGTH);
    const struct upstream_stats *s = look().stats;
    ck_assert(origin.requests == 1 && origin.accepted == 1);
    ck_assert(s->duplicates == 3 && s->succeeded == 4 && s->failed == 0 && s->unknown == 0);
    ck_assert(last_record.duplicate && last_record.sent == SENT_YES && last_record.bytes == 2);
    clear(&b);
    clear(&c);
    end();
}
END_TEST

START_TEST(others_are_sent)
{
    static const struct {
        const char *method, *fields;
    } others[] = {{"POST", "API-Key: l\r\n"},
                  {"PUT", KEY},
                  {"POST", KEY "X-Nonce-Sign: 2\r\n"},
                  {"POST", ""},
                  {"POST", ""},
                  {"GET", KEY},
                  {"GET", KEY}};
    begin_sent("");
    for (unsigned i = 0; i < COUNT_OF(others); i++) {
        ask_whole(&b, others[i].method, others[i].fields);
        UNTIL(origin.requests == 2 + i);
        recorder_cancel(&b.recorder);
        clear(&b);
    }
    ck_assert_uint_eq(look().stats->duplicates, 0);
    recorder_cancel(&a.recorder);
    end();
}
END_TEST

START_TEST(without_the_directive_copies_are_sent)
{
    begin("");
    order(&a);
    order(&b);
    UNTIL(origin.requests == 2);
    recorder_cancel(&a.recorder);
    recorder_cancel(&b.recorder);
    clear(&b);
    end();
}
END_TEST

/* How the first ends without an answer, and what a copy hears then. */
static const struct {
    const char *directives, *said;
    uint64_t later_ms; /* 0: the origin resets */
    const char *error;
    unsigned status;
} lost[] = {
    {"", NULL, 0, "connection_terminated", 0},
    {"response_timeout = 3s", NULL, 3100, "http_response_timeout", 0},
    {"", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhallo", 0, "http_response_incomplete", 0},
    {"", "garbage\r\n\r\n", 0, "http_protocol_error", 0},
    {"", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nhallo", 1,
     "http_request_denied", 200},
};

START_TEST(of_an_unknown_order_copies_hear_that)
{
    char words[100];
    begin_sent(lost[_i].directives);
    order(&b);
    if (lost[_i].said)
        plain_origin_say(&origin, 0, lost[_i].said);
    if (lost[_i].later_ms > 1)
        loop_skip(loop, lost[_i].later_ms);
    else if (lost[_i].later_ms == 0) {
        UNTIL(!lost[_i].said || look().stats->traffic.bytes_received > 5);
        plain_origin_close(&origin, 0, true);
    }
    UNTIL(b.recorder.ended);
    told(&b, 409, true);
    order(&c);
    UNTIL(c.recorder.ended);
    told(&c, 409, true);
    snprintf(words, sizeof words, "trunkline: %s; upstream=a; sent=yes", lost[_i].error);
    ck_assert_msg(heard_part(&b, words) && heard_part(&c, words), "%s", b.heard.at);
    ck_assert(heard_part(&b, "copy of order "));
    if (lost[_i].status)
        ck_assert(heard_part(&b, ": answered 200"));
    else
        ck_assert(heard_part(&b, ": its outcome is unknown"));
    ck_assert_uint_eq(origin.requests, 1);
    ck_assert_uint_eq(look().stats->unknown, lost[_i].status ? 0 : 1);
    ck_assert_uint_eq(look().stats->duplicates, 2);
    if (a.recorder.exchange)
        recorder_cancel(&a.recorder);
    clear(&b);
    clear(&c);
    end();
}
END_TEST

START_TEST(a_long_answer_is_not_kept)
{
    static char body[70001];
    memset(body, 'x', sizeof body - 1);
    begin_sent("");
    order(&b);
    plain_origin_say(&origin, 0,
                     _i ? "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n"
                        : "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    plain_origin_say(&origin, 0, body);
    UNTIL(b.recorder.ended);
    told(&b, 409, true);
    ck_assert(heard_part(&b, ": answered 200") && heard_part(&b, "sent=yes"));
    plain_origin_close(&origin, 0, false);
    UNTIL(a.recorder.ended);
    ck_assert(a.recorder.status == 200 && a.recorder.body == 70000);
    clear(&b);
    end();
}
END_TEST

/* A first that was never sent ends; the youngest copy goes, and the others wait for that. */
START_TEST(of_an_unsent_order_one_copy_goes)
{
    begin("dedupe = 10s\nmax_connections = 1");
    ask_whole(&c, "GET", ""); /* has the only connection */
    UNTIL(origin.requests == 1);
    order(&a);
    order(&b);
    struct test_client d;
    order(&d);
    turn();
    ck_assert_int_eq(exchange_sent(b.recorder.exchange), SENT_NO);
    if (_i)
        ck_assert(!depart(&a));
    else
        recorder_cancel(&a.recorder);
    turn();
    plain_origin_say(&origin, 0, OK);
    UNTIL(origin.requests == 2);
    ck_assert(b.recorder.ended == 0 && d.recorder.ended == 0);
    plain_origin_say(&origin, 0, OK);
    UNTIL(b.recorder.ended && d.recorder.ended);
    told(&b, 200, true);
    told(&d, 200, false);
    ck_assert_uint_eq(origin.requests, 2);
    ck_assert_uint_eq(look().stats->duplicates, 1);
    ck_assert_uint_eq(look().stats->abandoned, 1);
    clear(&b);
    clear(&c);
    clear(&d);
    end();
}
END_TEST

/* order_wait is over for the first: it is refused, and so is the copy once its own is over. */
START_TEST(a_copy_does_not_leave_late)
{
    begin("dedupe = 10s\nmax_connections = 1\norder_wait = 1s");
    ask_whole(&c, "GET", "");
    UNTIL(origin.requests == 1);
    order(&a);
    loop_skip(loop, 600);
    order(&b);
    loop_skip(loop, 500);
    UNTIL(a.recorder.ended);
    ck_assert(heard_part(&a, "sent=no"));
    turn();
    ck_assert_uint_eq(b.recorder.ended, 0); /* it goes now, and waits on */
    loop_skip(loop, 600);
    UNTIL(b.recorder.ended);
    told(&b, 503, false);
    ck_assert(heard_part(&b, "sent=no"));
    plain_origin_say(&origin, 0, OK);
    UNTIL(c.recorder.ended);
    turn();
    ck_assert_uint_eq(origin.requests, 1);
    clear(&b);
    clear(&c);
    end();
}
END_TEST

/* A copy that came with the first is as late as that: no copy goes. */
START_TEST(no_copy_goes_when_all_are_late)
{
    begin("dedupe = 10s\nmax_connections = 1\norder_wait = 1s");
    ask_whole(&c, "GET", "");
    UNTIL(origin.requests == 1);
    order(&a);
    order(&b);
    loop_skip(loop, 1100);
    UNTIL(a.recorder.ended && b.recorder.ended);
    told(&b, 503, false);
    ck_assert_msg(heard_part(&b, "sent=no") && heard_part(&b, "not sent within 1s"), "%s",
                  b.heard.at);
    ck_assert(look().stats->duplicates == 0 && look().stats->unknown == 0);
    plain_origin_say(&origin, 0, OK);
    UNTIL(c.recorder.ended);
    turn();
    ck_assert_uint_eq(origin.requests, 1);
    clear(&b);
    clear(&c);
    end();
}
END_TEST

/* The client of the first left after it was sent: copies get the answer nevertheless. */
START_TEST(a_followed_answer_is_kept)
{
    begin_sent("");
    order(&b);
    ck_assert(depart(&a));
    plain_origin_say(&origin, 0, OK);
    UNTIL(b.recorder.ended && records == 2);
    told(&b, 200, true);
    clear(&b);
    order(&b);
    UNTIL(b.recorder.ended);
    told(&b, 200, true);
    ck_assert_uint_eq(origin.requests, 1);
    clear(&b);
    end();
}
END_TEST

/* It is read no further, but it has been answered. */
START_TEST(an_answer_too_long_for_a_client_that_left)
{
    static char body[1200001];
    memset(body, 'x', sizeof body - 1);
    begin_sent("");
    ck_assert(depart(&a));
    plain_origin_say(&origin, 0, "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n");
    plain_origin_say(&origin, 0, body);
    UNTIL(records == 1);
    order(&b);
    UNTIL(b.recorder.ended);
    told(&b, 409, true);
    ck_assert_msg(heard_part(&b, ": answered 200") && heard_part(&b, "sent=yes"), "%s", b.heard.at);
    ck_assert_uint_eq(origin.requests, 1);
    clear(&b);
    end();
}
END_TEST

/* A copy's own time is up while the first may have left: it never hears `no`. */
START_TEST(a_copy_that_gives_up_tells_of_the_first)
{
    begin_sent("");
    ask_whole(&b, "POST", KEY "Trunkline-Timeout: 200ms\r\n");
    loop_skip(loop, 300);
    UNTIL(b.recorder.ended);
    told(&b, 504, true);
    ck_assert(heard_part(&b, "http_response_timeout; upstream=a; sent=yes"));
    ck_assert_uint_eq(look().stats->unknown, 0);
    plain_origin_say(&origin, 0, OK);
    UNTIL(a.recorder.ended);
    told(&a, 200, false);
    clear(&b);
    end();
}
END_TEST

/* The first has not left, but still may: `no` would allow its client to order again. */
START_TEST(a_copy_that_gives_up_before_the_first_leaves)
{
    begin("dedupe = 10s\nmax_connections = 1\norder_wait = 5s");
    ask_whole(&c, "GET", "");
    UNTIL(origin.requests == 1);
    order(&a);
    ask_whole(&b, "POST", KEY "Trunkline-Timeout: 200ms\r\n");
    loop_skip(loop, 300);
    UNTIL(b.recorder.ended);
    told(&b, 504, true);
    ck_assert(heard_part(&b, "sent=partial"));
    plain_origin_say(&origin, 0, OK);
    UNTIL(origin.requests == 2);
    plain_origin_say(&origin, 0, OK);
    UNTIL(a.recorder.ended);
    told(&a, 200, false);
    clear(&b);
    clear(&c);
    end();
}
END_TEST

START_TEST(a_copy_leaves)
{
    begin_sent("");
    order(&b);
    order(&c);
    ck_assert(!depart(&b));
    plain_origin_say(&origin, 0, OK);
    UNTIL(a.recorder.ended && c.recorder.ended);
    told(&c, 200, true);
    clear(&b);
    clear(&c);
    end();
}
END_TEST

/* The body is gathered before anything is decided. */
START_TEST(bodies_that_come_late)
{
    begin_sent("");
    ask(&b, "POST", KEY "Content-Length: 5\r\nExpect: 100-continue\r\n");
    UNTIL(heard_part(&b, "100"));
    ck_assert(exchange_body(b.recorder.exchange, "hel", 3));
    turn();
    ck_assert(exchange_body(b.recorder.exchange, "lo", 2));
    conclude(&b);
    ask(&c, "POST", KEY "Transfer-Encoding: chunked\r\n");
    ck_assert(exchange_body(c.recorder.exchange, "hel", 3));
    turn();
    ck_assert(exchange_body(c.recorder.exchange, "lo", 2));
    conclude(&c);
    turn();
    plain_origin_say(&origin, 0, OK);
    UNTIL(b.recorder.ended && c.recorder.ended);
    told(&b, 200, true);
    told(&c, 200, true);
    ck_assert_uint_eq(origin.requests, 1);
    clear(&b);
    clear(&c);
    end();
}
END_TEST

/* A body of more than 64 KiB has no digest. */
START_TEST(long_bodies_are_sent)
{
    static char body[66000];
    memset(body, 'x', sizeof body);
    begin("dedupe = 10s");
    for (unsigned i = 0; i < 2; i++) {
        ask(&b, "POST",
            _i ? KEY "Transfer-Encoding: chunked\r\n" : KEY "Content-Length: 66000\r\n");
        (void)!exchange_body(b.recorder.exchange, body, sizeof body);
        conclude(&b);
        UNTIL(origin.requests == i + 1);
        plain_origin_say(&origin, 0, OK);
        UNTIL(b.recorder.ended);
        told(&b, 200, false);
        clear(&b);
    }
    ck_assert_uint_eq(look().stats->duplicates, 0);
    finish();
}
END_TEST

START_TEST(a_421_is_one_order)
{
    begin_sent("");
    order(&b);
    plain_origin_say(&origin, 0, "HTTP/1.1 421 No\r\nContent-Length: 0\r\n\r\n");
    UNTIL(origin.requests == 2);
    turn();
    ck_assert_uint_eq(b.recorder.ended, 0);
    plain_origin_say(&origin, 1, OK);
    UNTIL(b.recorder.ended && a.recorder.ended);
    told(&b, 200, true);
    ck_assert_uint_eq(origin.requests, 2);
    clear(&b);
    end();
}
END_TEST

/* The copy waits for the first, not behind it: in the serializer it would wait for itself. */
START_TEST(a_copy_is_not_serialized)
{
    begin_sent("serialize_by = \"API-Key\"\nrate = \"1/1h\"\nburst = 1");
    order(&b);
    turn();
    struct text target = {0};
    struct under_way_walk walk;
    struct request_view view = {0};
    unsigned waiting = 0;
    under_way_walk_begin(proxy_under_way(proxy), &walk);
    for (struct under_way_entry *e; (e = under_way_next(&walk));) {
        proxy_under_way(proxy)->describe(e, &view, &target);
        waiting += view.progress.state == PROGRESS_DUPLICATE && view.sent == SENT_YES;
    }
    under_way_walk_end(&walk);
    text_free(&target);
    ck_assert_uint_eq(waiting, 1);
    plain_origin_say(&origin, 0, OK);
    UNTIL(b.recorder.ended);
    told(&b, 200, true);
    clear(&b);
    end();
}
END_TEST

/* A reader that is slow gets the answer when it reads on. */
START_TEST(a_copy_pauses)
{
    begin_sent("");
    order(&b);
    exchange_pause(b.recorder.exchange);
    plain_origin_say(&origin, 0, OK);
    UNTIL(a.recorder.ended && b.recorder.status == 200);
    turn();
    ck_assert_uint_eq(b.recorder.body, 0);
    if (_i) {
        recorder_cancel(&b.recorder);
    } else {
        exchange_resume(b.recorder.exchange);
        UNTIL(b.recorder.ended);
        told(&b, 200, true);
    }
    clear(&b);
    end();
}
END_TEST

/* Its time begins when it is sent; under other rules it may be shorter. */
START_TEST(later_it_is_sent_again)
{
    begin_sent("");
    loop_skip(loop, 1000);
    plain_origin_say(&origin, 0, OK);
    UNTIL(a.recorder.ended);
    loop_skip(loop, WITHIN - 1000);
    order(&b);
    UNTIL(origin.requests == 2);
    recorder_cancel(&b.recorder);
    clear(&b);
    end();
}
END_TEST

/* To the millisecond; one that was answered at once is no older than its answer. */
START_TEST(its_time_ends)
{
    begin_sent("");
    plain_origin_say(&origin, 0, OK);
    UNTIL(a.recorder.ended);
    loop_skip(loop, WITHIN - 1);
    order(&b);
    UNTIL(b.recorder.ended);
    told(&b, 200, true);
    clear(&b);
    loop_skip(loop, 1);
    order(&b);
    UNTIL(origin.requests == 2);
    recorder_cancel(&b.recorder);
    clear(&b);
    end();
}
END_TEST

SUITE()
{
    TEST(copies_get_the_answer);
    TEST(others_are_sent);
    TEST(without_the_directive_copies_are_sent);
    LOOP(of_an_unknown_order_copies_hear_that, 0, COUNT_OF(lost));
    LOOP(a_long_answer_is_not_kept, 0, 2);
    LOOP(of_an_unsent_order_one_copy_goes, 0, 2);
    TEST(a_copy_does_not_leave_late);
    TEST(no_copy_goes_when_all_are_late);
    TEST(a_followed_answer_is_kept);
    TEST(an_answer_too_long_for_a_client_that_left);
    TEST(a_copy_that_gives_up_tells_of_the_first);
    TEST(a_copy_that_gives_up_before_the_first_leaves);
    TEST(a_copy_leaves);
    TEST(bodies_that_come_late);
    LOOP(long_bodies_are_sent, 0, 2);
    TEST(a_421_is_one_order);
    TEST(a_copy_is_not_serialized);
    LOOP(a_copy_pauses, 0, 2);
    TEST(later_it_is_sent_again);
    TEST(its_time_ends);
}
