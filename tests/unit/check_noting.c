/* An order that waits for its line in the journal, with a connection at hand, while something else
 * happens to it. The journal is a file. */
#include <stdio.h>
#include <unistd.h>

#include "proxy/order_journal.h"
#include "suite.h"
#include "transaction_fixture.h"

#define LIFE "06f3k9d2q4ab"

static char path[40];
static struct order_journal *journal;
static struct test_client order;
static const char *path_asked = "/x?y";

static struct gate *gate(void)
{
    return pool_ways(pools_find(pools, find(config, "a"), NULL))->at[0]->gate;
}

static uint64_t lines(void)
{
    struct order_journal_view v;
    order_journal_describe(journal, &v);
    return v.lines;
}

/* The start line is written, and that of an order has been given to the journal. */
static void begin_noting_with(const char *directives, const char *body)
{
    char error[200];
    char all[300], length[60];
    snprintf(all, sizeof all, "max_connections = 1\norder_wait = 1m\n%s", directives);
    snprintf(length, sizeof length, "API-Key: k\r\nContent-Length: %zu\r\n", strlen(body));
    begin(all);
    warm_up();
    asked_path = path_asked;
    snprintf(path, sizeof path, "/tmp/check_noting.%d", getpid());
    journal = order_journal_new(loop, path, LIFE, (struct order_journal_rules){.required = true},
                                error, sizeof error);
    ck_assert_ptr_nonnull(journal);
    proxy_journal(proxy, journal);
    UNTIL(lines() == 1);
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = OK;
    ask(&order, "POST", length);
    (void)!exchange_body(order.recorder.exchange, body, strlen(body));
    conclude(&order);
    ck_assert_uint_eq(look().active, 1);
}

static void begin_noting(void)
{
    begin_noting_with("", "hello");
}

static void end(void)
{
    clear(&order);
    proxy_journal(proxy, NULL);
    order_journal_end(journal);
    finish();
    unlink(path);
}

START_TEST(it_leaves_when_it_is_noted)
{
    begin_noting();
    UNTIL(order.recorder.ended);
    ck_assert_uint_eq(order.recorder.status, 200);
    ck_assert_uint_eq(lines(), 3);
    ck_assert_uint_eq(look().stats->reused, 1);
    end();
}
END_TEST

/* The connection is its own meanwhile, though another request waits for one. */
START_TEST(the_next_waits_for_its_answer)
{
    struct test_client next;
    begin_noting();
    unsigned before = origin.requests;
    origin.manner = ORIGIN_WAITS;
    ask_whole(&next, "GET", "");
    UNTIL(origin.requests == before + 1);
    turn_for(loop, 5);
    ck_assert(strncmp(origin.last.at, "POST ", 5) == 0 && look().waiting == 1);
    ck_assert_uint_eq(origin.requests, before + 1);
    origin.manner = ORIGIN_ANSWERS;
    plain_origin_say(&origin, 0, OK);
    UNTIL(order.recorder.ended && next.recorder.ended);
    ck_assert(order.recorder.status == 200 && next.recorder.status == 200);
    ck_assert_uint_eq(origin.accepted, 1);
    clear(&next);
    end();
}
END_TEST

/* Nothing that a hold covers is sent after it. */
START_TEST(a_hold_that_begins_meanwhile_holds_it)
{
    begin_noting();
    unsigned before = origin.requests;
    gate_limit(gate(), &(struct gate_limit){.status = 418, .asked_ms = 2000});
    UNTIL(lines() == 2 && look().active == 0);
    for (int i = 0; i < 20; i++)
        loop_turn(loop, false);
    ck_assert_uint_eq(origin.requests, before);
    ck_assert(look().idle == 1 && !order.recorder.ended);
    gate_resume(gate());
    UNTIL(order.recorder.ended);
    ck_assert_uint_eq(order.recorder.status, 200);
    ck_assert_uint_eq(origin.requests, before + 1);
    ck_assert_uint_eq(lines(), 3); /* it began once */
    end();
}
END_TEST

/* Its client has gone: it does not leave, and the connection is there for others. */
START_TEST(given_up_meanwhile_it_is_not_sent)
{
    struct test_client other;
    begin_noting();
    unsigned before = origin.requests;
    ck_assert_int_eq(exchange_sent(order.recorder.exchange), SENT_NO);
    ck_assert(!depart(&order));
    UNTIL(look().active == 0 && look().idle == 1);
    ck_assert_uint_eq(origin.requests, before);
    ask_whole(&other, "GET", "");
    UNTIL(other.recorder.ended);
    ck_assert_uint_eq(origin.requests, before + 1);
    clear(&other);
    end();
}
END_TEST

static bool file_has(const char *part)
{
    static char all[8192];
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    all[fread(all, 1, sizeof all - 1, f)] = '\0';
    fclose(f);
    return strstr(all, part) != NULL;
}

/* Those of the client's own that order_ids names. */
START_TEST(its_ids_are_noted)
{
    begin_noting_with("order_ids = {\"mine\"}", "mine=x7&yours=y8");
    UNTIL(order.recorder.ended);
    UNTIL(lines() == 3);
    ck_assert(file_has("\"mine\":\"x7\"") && !file_has("y8"));
    end();
}
END_TEST

/* Without a journal they are looked for when it is known that a warning will name them. */
START_TEST(the_ids_of_an_unknown_order_are_told)
{
    static const struct {
        enum origin_manner manner;
        const char *answer;
        bool told;
    } rows[] = {{ORIGIN_CLOSES, "", true},
                {ORIGIN_ANSWERS, "HTTP/1.1 408 Late\r\nContent-Length: 0\r\n\r\n", true},
                {ORIGIN_ANSWERS, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", true},
                {ORIGIN_ANSWERS, "HTTP/1.1 499 No\r\nContent-Length: 0\r\n\r\n", false},
                {ORIGIN_ANSWERS, OK, false}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin("order_ids = {\"mine\"}");
        origin.manner = rows[i].manner;
        origin.answer = rows[i].answer;
        ask(&order, "POST", "Content-Length: 7\r\n");
        (void)!exchange_body(order.recorder.exchange, "mine=x7", 7);
        conclude(&order);
        UNTIL(order.recorder.exchange == NULL && records == 1);
        ck_assert_int_eq(span_is(last_record.order_ids, SPAN("{\"mine\":\"x7\"}")), rows[i].told);
        ck_assert(rows[i].told || last_record.order_ids.len == 0);
        clear(&order);
        finish();
    }
}
END_TEST

/* The 421 before is no fate. */
START_TEST(the_ids_of_an_order_that_went_again_are_told)
{
    begin("order_ids = {\"mine\"}");
    ask(&order, "POST", "Content-Length: 7\r\n");
    (void)!exchange_body(order.recorder.exchange, "mine=x7", 7);
    conclude(&order);
    UNTIL(origin.requests == 1);
    origin.manner = ORIGIN_CLOSES;
    plain_origin_say(&origin, 0, "HTTP/1.1 421 No\r\nContent-Length: 0\r\n\r\n");
    UNTIL(order.recorder.exchange == NULL && records == 1);
    ck_assert(last_record.unknown);
    ck_assert(span_is(last_record.order_ids, SPAN("{\"mine\":\"x7\"}")));
    clear(&order);
    finish();
}
END_TEST

/* Its line does not come within order_wait: it is refused, and the connection is there for others. */
START_TEST(a_line_that_is_late_refuses_it)
{
    begin_noting();
    unsigned before = origin.requests;
    loop_skip(loop, 60000);
    UNTIL(order.recorder.exchange == NULL);
    ck_assert_uint_eq(order.recorder.status, 503);
    ck_assert_msg(heard_part(&order, "the order journal was not written within 1m") &&
                      heard_part(&order, "Trunkline-Sent=no;"),
                  "%s", order.heard.at);
    UNTIL(look().active == 0 && look().idle == 1);
    ck_assert_uint_eq(origin.requests, before);
    end();
}
END_TEST

/* A body that is too long to be kept has no digest, which would be that of another order. */
START_TEST(a_long_body_has_no_digest)
{
    static char body[70001];
    memset(body, 'x', _i ? sizeof body - 1 : 100);
    memcpy(body, "mine=x7&", 8);
    begin_noting_with("order_ids = {\"mine\"}", body);
    UNTIL(order.recorder.ended);
    UNTIL(lines() == 3);
    ck_assert(file_has("\"begin\""));
    ck_assert_int_eq(file_has("\"digest\":\""), !_i);
    ck_assert_int_eq(file_has("\"mine\":\"x7\""), !_i); /* nor is it searched */
    end();
}
END_TEST

/* The target as it may be shown: the journal has no secret. */
START_TEST(its_target_is_redacted)
{
    path_asked = _i ? "/x?y=1&signature=s3cret&symbol=A" : "/x?y=1&symbol=A";
    begin_noting_with("credential_params = {\"signature\"}", "hello");
    UNTIL(order.recorder.ended);
    UNTIL(lines() == 3);
    ck_assert(file_has(_i ? "\"target\":\"/x?y=1&signature=***&symbol=A\""
                          : "\"target\":\"/x?y=1&symbol=A\""));
    ck_assert(!file_has("s3cret"));
    path_asked = "/x?y";
    end();
}
END_TEST

/* What a journal withholds is let go with the connection, and when its client has left. */
START_TEST(an_order_ends_without_its_answer)
{
    begin_noting();
    origin.manner = ORIGIN_RESETS;
    origin.answer = _i ? "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nhi" : "";
    UNTIL(order.recorder.exchange == NULL);
    UNTIL(lines() == 3);
    ck_assert(file_has("\"sent\":\"yes\""));
    end();
}
END_TEST

START_TEST(its_client_leaves_before_the_answer)
{
    begin_noting();
    unsigned before = origin.requests;
    origin.manner = ORIGIN_WAITS;
    UNTIL(origin.requests == before + 1);
    ck_assert(depart(&order));
    plain_origin_say(&origin, 0, OK);
    UNTIL(lines() == 3);
    ck_assert(file_has("\"status\":200"));
    end();
}
END_TEST

SUITE()
{
    TEST(a_line_that_is_late_refuses_it);
    LOOP(a_long_body_has_no_digest, 0, 2);
    LOOP(its_target_is_redacted, 0, 2);
    LOOP(an_order_ends_without_its_answer, 0, 2);
    TEST(its_client_leaves_before_the_answer);
    TEST(it_leaves_when_it_is_noted);
    TEST(the_next_waits_for_its_answer);
    TEST(a_hold_that_begins_meanwhile_holds_it);
    TEST(given_up_meanwhile_it_is_not_sent);
    TEST(its_ids_are_noted);
    TEST(the_ids_of_an_unknown_order_are_told);
    TEST(the_ids_of_an_order_that_went_again_are_told);
}
