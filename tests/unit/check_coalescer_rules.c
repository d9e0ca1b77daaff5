/* What removes stored responses early (new settings, orders), and which responses are never stored
 * (a 200 that is an error). */
#include <stdio.h>

#include "config_fixture.h"
#include "suite.h"
#include "transaction_fixture.h"

#include "coalescer_fixture.h"

static void close_all(void)
{
    for (unsigned n = 0; n < origin.accepted && n < ORIGIN_LINES; n++)
        plain_origin_close(&origin, n, true);
}

/* --------------------------------------------------------------- configurations */

/* Upstream a of begin() with these directives, preceded by `more`. */
static struct config *also(const char *more, const char *directives)
{
    struct text text = {0};
    text_printf(&text,
                "%sdefaults { tls_verify = no }\nupstream a {\nurl = \"http://a.example\"\n"
                "connect_to = \"127.0.0.1:%u\"\n%s\n}\n",
                more, origin.port, directives);
    struct config *c = parse_good(text.at);
    text_free(&text);
    return c;
}

/* A response that was stored under other settings is not served under the present ones. */
START_TEST(new_settings)
{
    begin("fresh = 60s coalesce = yes");
    answers(NUMBERED);
    hears("", "fwd=miss");
    proxy_configure(proxy, config);
    hears("", "hit");
    origin.manner = ORIGIN_WAITS;
    start(1, "Cache-Control: max-age=0\r\n");
    UNTIL(origin.requests == 2);
    struct config *more =
        also("max_clients = 5\nupstream b { url = http://b.example fresh = 1s }\n",
             "fresh = 60s coalesce = yes");
    struct config *other = also("", "fresh = 50s coalesce = yes");
    proxy_configure(proxy, more);
    hears("", "hit"); /* only another upstream has changed */
    proxy_configure(proxy, other);
    ck_assert_uint_eq(proxy_stored(proxy).entries, 0);
    plain_origin_say(&origin, 0, NUMBERED); /* sent under the old settings */
    UNTIL(many[0].recorder.ended);
    ck_assert_uint_eq(proxy_stored(proxy).entries, 0);
    clear_all(1);
    proxy_configure(proxy, config);
    config_unref(other);
    config_unref(more);
    close_all();
    finish();
}
END_TEST

/* Of those beside it that have not changed nothing is dropped, and of it everything, wherever it is in
 * the list. */
START_TEST(new_settings_of_one_of_three)
{
    static const char others[] = "upstream %s { url = http://%s.example }\n";
    char more[200];
    int len = snprintf(more, sizeof more, others, "b", "b");
    snprintf(more + len, sizeof more - (size_t)len, others, "c", "c");
    begin("fresh = 60s");
    answers(NUMBERED);
    struct config *three = also(more, "fresh = 60s"), *changed = also(more, "fresh = 50s");
    struct tls_set *more_tls = tls_set_new(three, complain, &complaints);
    proxy_configure(proxy, three);
    pools_apply(pools, three, more_tls);
    hears("", "fwd=miss");
    proxy_configure(proxy, three);
    ck_assert_uint_eq(proxy_stored(proxy).entries, 1);
    proxy_configure(proxy, changed);
    ck_assert_uint_eq(proxy_stored(proxy).entries, 0);
    proxy_configure(proxy, config);
    pools_apply(pools, config, tls);
    tls_set_free(more_tls);
    config_unref(changed);
    config_unref(three);
    close_all();
    finish();
}
END_TEST

START_TEST(orders_drop_what_they_change)
{
    struct test_client a;
    begin("fresh = 60s");
    answers(BUSY);
    hear(&a, "POST", "");
    clear(&a);
    answers(NUMBERED);
    hears("", "fwd=miss");
    answers(BUSY);
    hear(&a, "DELETE", "");
    clear(&a);
    hears("", "hit"); /* the order failed, so nothing has changed */
    answers(NUMBERED);
    hear(&a, "PUT", "");
    clear(&a);
    hears("", "fwd=miss");
    finish();
}
END_TEST

/* An order may change what the response to a request in progress would contain, so that response is
 * neither stored nor shared. */
START_TEST(orders_outdate_what_is_under_way)
{
    struct test_client a;
    begin("fresh = 60s coalesce = yes");
    origin.manner = ORIGIN_WAITS;
    start(1, "");
    UNTIL(origin.requests == 1);
    ask_whole(&a, "POST", "");
    UNTIL(origin.requests == 2);
    plain_origin_say(&origin, 1, OK);
    UNTIL(a.recorder.ended);
    clear(&a);
    ask_whole(&many[1], "GET", "");
    UNTIL(origin.requests == 3); /* it does not join the older fetch */
    plain_origin_say(&origin, 0, NUMBERED);
    UNTIL(many[0].recorder.ended);
    ck_assert_uint_eq(proxy_stored(proxy).entries, 0);
    plain_origin_say(&origin, 1, OK);
    UNTIL(many[1].recorder.ended);
    ck_assert_uint_eq(proxy_stored(proxy).entries, 1);
    clear_all(2);
    finish();
}
END_TEST

/* ------------------------------------------------------------------ error_prefix */

START_TEST(errors_of_200)
{
    struct test_client a;
    begin("fresh = 60s stale_if_error = 60s error_prefix = {'no: ', 'never'}");
    answers("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nno: 17");
    hears("", "body(no: 17)");
    ck_assert_uint_eq(look().stats->failed, 1);
    ck_assert_uint_eq(proxy_stored(proxy).entries, 0);
    hear(&a, "POST", "");
    clear(&a);
    ck_assert(look().stats->failed == 2 && look().stats->unknown == 0);
    answers("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nno: no");
    hears("", "fwd=miss");
    answers("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nneve");
    hears("", "fwd=miss; stored");
    loop_skip(loop, 61000);
    answers("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nnevers");
    hears("", "fwd=stale; fwd-status=200");
    finish();
}
END_TEST

/* The response counts as a failure for the followers, too. */
START_TEST(shared_errors_of_200)
{
    begin("coalesce = yes error_prefix = {'no: '}");
    origin.manner = ORIGIN_WAITS;
    start(3, "");
    UNTIL(origin.requests == 1);
    plain_origin_say(&origin, 0, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nno: 17");
    for (size_t i = 0; i < 3; i++)
        UNTIL(many[i].recorder.ended);
    ck_assert_uint_eq(look().stats->failed, 3);
    ck_assert_uint_eq(look().stats->succeeded, 0);
    clear_all(3);
    finish();
}
END_TEST

/* When the origin fails, its error response goes to all followers instead of each of them sending a
 * request of its own, whatever the response says about caching. Only the first client gets the
 * cookie. */
START_TEST(shared_failures)
{
    static const char *const fields[] = {"Set-Cookie: a=b", "Cache-Control: private", "Vary: *",
                                         "Vary: User-Agent"};
    char answer[200];
    begin("coalesce = yes");
    origin.manner = ORIGIN_WAITS;
    ask_whole(&many[0], "GET", "User-Agent: one\r\n");
    ask_whole(&many[1], "GET", "User-Agent: other\r\n");
    UNTIL(origin.requests == 1);
    snprintf(answer, sizeof answer, "HTTP/1.1 503 Busy\r\n%s\r\nContent-Length: 4\r\n\r\nbusy",
             fields[_i]);
    plain_origin_say(&origin, 0, answer);
    UNTIL(many[0].recorder.ended && many[1].recorder.ended);
    ck_assert(heard_part(&many[1], "head 503") && heard_part(&many[1], "body(busy)"));
    ck_assert_int_eq(heard_part(&many[0], "Set-Cookie"), _i == 0);
    ck_assert(!heard_part(&many[1], "Set-Cookie"));
    ck_assert_uint_eq(origin.requests, 1);
    clear_all(2);
    finish();
}
END_TEST

static const char *const unshared[] = {
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 2\r\n\r\nhi",
    "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nhi",
    "HTTP/1.1 200 OK\r\nVary: *\r\nContent-Length: 2\r\n\r\nhi",
    "HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: 2\r\n\r\nhi",
    "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nmuch more..",
};

/* The client that began a shared request has left: the next one gets no response that only the first
 * one may have, or that is another variant. */
START_TEST(not_inherited)
{
    static const char *const fields[] = {"Set-Cookie: a=b", "Cache-Control: private", "Vary: *",
                                         "Vary: User-Agent"};
    char answer[200];
    begin("coalesce = yes");
    origin.manner = ORIGIN_WAITS;
    ask_whole(&many[0], "GET", "User-Agent: one\r\n");
    ask_whole(&many[1], "GET", "User-Agent: other\r\n");
    UNTIL(origin.requests == 1);
    recorder_cancel(&many[0].recorder);
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\n%s\r\nContent-Length: 5\r\n\r\nfirst",
             fields[_i]);
    answers(NUMBERED);
    plain_origin_say(&origin, 0, answer);
    UNTIL(many[1].recorder.ended);
    ck_assert_uint_eq(origin.requests, 2);
    ck_assert(!heard_part(&many[1], "Set-Cookie") && !heard_part(&many[1], "collapsed"));
    clear_all(2);
    finish();
}
END_TEST

/* A failure is shared all the same, but not its cookie. */
START_TEST(failure_inherited)
{
    begin("coalesce = yes");
    origin.manner = ORIGIN_WAITS;
    start(2, "");
    UNTIL(origin.requests == 1);
    recorder_cancel(&many[0].recorder);
    plain_origin_say(&origin, 0,
                     "HTTP/1.1 503 Busy\r\nSet-Cookie: a=b\r\nContent-Length: 4\r\n\r\nbusy");
    UNTIL(many[1].recorder.ended);
    ck_assert_uint_eq(origin.requests, 1);
    ck_assert(heard_part(&many[1], "head 503") && !heard_part(&many[1], "Set-Cookie"));
    clear_all(2);
    finish();
}
END_TEST

START_TEST(released)
{
    begin("coalesce = yes fresh = 5s cache_max_object = 10");
    origin.manner = ORIGIN_WAITS;
    start(3, "");
    UNTIL(origin.requests == 1);
    answers(unshared[_i]);
    plain_origin_say(&origin, 0, unshared[_i]);
    for (size_t i = 0; i < 3; i++)
        UNTIL(many[i].recorder.ended && many[i].recorder.body);
    ck_assert_uint_eq(origin.requests, 3);
    ck_assert_uint_eq(look().stats->cache_misses, 3);
    ck_assert_uint_eq(proxy_stored(proxy).entries, 0);
    clear_all(3);
    finish();
}
END_TEST

/* For a minute after a response that cannot be shared, requests for that target do not wait for
 * each other, unless a response that can be shared arrives in the meantime. */
START_TEST(not_waited_for_again)
{
    struct test_client a;
    begin("coalesce = yes cache_max_object = 10");
    answers(unshared[_i]);
    hear(&a, "GET", "");
    clear(&a);
    origin.manner = ORIGIN_WAITS;
    start(3, "");
    UNTIL(origin.requests == 4);
    for (size_t i = 0; i < 3; i++)
        recorder_cancel(&many[i].recorder);
    clear_all(3);
    answers(BUSY); /* an error response is shared in any case */
    hear(&a, "GET", "");
    clear(&a);
    answers(NUMBERED);
    hear(&a, "GET", "");
    clear(&a);
    origin.manner = ORIGIN_WAITS;
    unsigned before = origin.requests;
    start(3, "");
    UNTIL(origin.requests > before);
    loop_turn(loop, false);
    ck_assert_uint_eq(origin.requests, before + 1);
    for (size_t i = 0; i < 3; i++)
        recorder_cancel(&many[i].recorder);
    clear_all(3);
    finish();
}
END_TEST

SUITE()
{
    TEST(new_settings);
    TEST(new_settings_of_one_of_three);
    TEST(orders_drop_what_they_change);
    TEST(orders_outdate_what_is_under_way);
    TEST(errors_of_200);
    TEST(shared_errors_of_200);
    LOOP(shared_failures, 0, 4);
    LOOP(not_inherited, 0, 4);
    TEST(failure_inherited);
    LOOP(released, 0, COUNT_OF(unshared));
    LOOP(not_waited_for_again, 0, COUNT_OF(unshared));
}
