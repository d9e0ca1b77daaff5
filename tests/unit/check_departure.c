/* Requests that a freeze stops: wherever they wait, at once, and when they would be sent again. */
#include "proxy/departure.h"

#include "suite.h"
#include "transaction_fixture.h"

static struct freezes *freezes;
static struct test_client one, two, three;

static void start(const char *directives)
{
    begin(directives);
    origin.answer = OK;
    freezes = proxy_freezes(proxy);
}

static void freeze(const char *bot)
{
    ck_assert(freezes_begin(freezes, "a", bot, "a test"));
}

static bool has_ended(const struct test_client *a)
{
    return a->recorder.exchange == NULL;
}

static bool is_frozen(const struct test_client *a)
{
    UNTIL(has_ended(a));
    return a->recorder.status == 503 && heard_part(a, "frozen");
}

static bool is_answered(const struct test_client *a)
{
    UNTIL(has_ended(a));
    return a->recorder.status == 200;
}

START_TEST(what_waits_for_a_line_is_refused_at_once)
{
    start("max_connections = 1\norder_wait = 1h\ntotal_timeout = 1h\nqueue_timeout = 1h");
    origin.manner = ORIGIN_WAITS;
    ask_whole(&one, "POST", "");
    UNTIL(origin.requests == 1);
    ask_whole(&two, "POST", "");
    ask_whole(&three, "DELETE", "");
    UNTIL(look().waiting == 2);
    freeze(NULL);
    ck_assert(has_ended(&two)); /* before freezes_begin() returned */
    ck_assert(is_frozen(&two));
    ck_assert(!has_ended(&one) && !has_ended(&three));
    origin.manner = ORIGIN_ANSWERS;
    plain_origin_say(&origin, 0, OK);
    ck_assert(is_answered(&one) && is_answered(&three));
    ck_assert_uint_eq(origin.requests, 2);
    clear(&one), clear(&two), clear(&three);
    finish();
}
END_TEST

START_TEST(what_comes_later_is_refused_without_its_body)
{
    start("");
    freeze(NULL);
    ask(&one, "POST", "Content-Length: 5\r\nExpect: 100-continue\r\n");
    ck_assert(is_frozen(&one) && !heard_part(&one, "100"));
    ask(&two, "POST", "Transfer-Encoding: chunked\r\n");
    ck_assert(is_frozen(&two));
    ck_assert(freezes_lift(freezes, "a", NULL));
    origin.manner = ORIGIN_ANSWERS;
    ask_whole(&three, "POST", "");
    ck_assert(is_answered(&three));
    clear(&one), clear(&two), clear(&three);
    finish();
}
END_TEST

START_TEST(only_the_bot_that_is_frozen_is_stopped)
{
    start("");
    origin.manner = ORIGIN_ANSWERS;
    freeze("grid");
    ask_whole(&one, "POST", "Trunkline-Client: grid\r\n");
    ask_whole(&two, "POST", "Trunkline-Client: arb\r\n");
    ask_whole(&three, "GET", "Trunkline-Client: grid\r\n");
    ck_assert(is_frozen(&one) && is_answered(&two) && is_answered(&three));
    clear(&one), clear(&two), clear(&three);
    finish();
}
END_TEST

/* The origin says that it has not acted on it; without a freeze it would be sent again. */
START_TEST(a_replay_is_a_new_leaving)
{
    start("");
    origin.manner = ORIGIN_WAITS;
    ask_whole(&one, "POST", "");
    UNTIL(origin.requests == 1);
    freeze(NULL);
    ck_assert(!has_ended(&one));
    plain_origin_say(&origin, 0, "HTTP/1.1 421 No\r\nContent-Length: 2\r\n\r\nhi");
    UNTIL(has_ended(&one));
    ck_assert_uint_eq(one.recorder.status, 421);
    ck_assert_uint_eq(origin.requests, 1);
    clear(&one);
    finish();
}
END_TEST

/* It is not about to leave: it hears what becomes of the order that has. */
START_TEST(a_copy_that_is_withheld_is_not_refused)
{
    start("dedupe = 1h\norder_wait = 1h\ntotal_timeout = 1h");
    origin.manner = ORIGIN_WAITS;
    ask_whole(&one, "POST", "API-Key: k\r\n");
    UNTIL(origin.requests == 1);
    ask_whole(&two, "POST", "API-Key: k\r\n");
    for (int i = 0; i < 4; i++)
        loop_turn(loop, false);
    freeze(NULL);
    ck_assert(!has_ended(&one) && !has_ended(&two));
    plain_origin_say(&origin, 0, OK);
    ck_assert(is_answered(&one) && is_answered(&two));
    ck_assert_uint_eq(origin.requests, 1);
    clear(&one), clear(&two);
    finish();
}
END_TEST

/* A line that comes in the same turn as the freeze is given back, and is not counted as used. */
START_TEST(a_line_is_given_back_unused)
{
    start("max_connections = 1\norder_wait = 1h\ntotal_timeout = 1h\nqueue_timeout = 1h");
    origin.manner = ORIGIN_ANSWERS;
    warm_up();
    unsigned before = origin.requests;
    origin.manner = ORIGIN_WAITS;
    ask_whole(&one, "GET", "");
    UNTIL(origin.requests == before + 1);
    ask_whole(&two, "POST", "");
    freezes_restore(freezes, &(struct freeze){"a", NULL, "a test", 0, false}); /* in silence */
    plain_origin_say(&origin, 0, OK);
    ck_assert(is_answered(&one) && is_frozen(&two));
    ck_assert_uint_eq(origin.requests, before + 1);
    UNTIL(look().idle == 1);
    ck_assert_uint_eq(look().stats->reused, 1);
    origin.manner = ORIGIN_ANSWERS;
    ask_whole(&three, "GET", "");
    ck_assert(is_answered(&three));
    ck_assert_uint_eq(look().stats->opened, 1);
    clear(&one), clear(&two), clear(&three);
    finish();
}
END_TEST

static struct verdict heard;

static void on_stopped(void *owner, const struct verdict *why)
{
    (void)owner;
    heard = *why;
}

/* The last look: a connection that comes free at the moment at which the time is over is not used. */
START_TEST(what_is_late_does_not_leave)
{
    start("");
    const struct fetch_order order = {.loop = loop};
    struct departure d = {.order = &order, .on_stopped = on_stopped};
    departure_open(&d);
    ck_assert(!departure_ask_last(&d, loop_now(loop) + 1));
    ck_assert(departure_ask_last(&d, loop_now(loop)));
    ck_assert_int_eq(heard.error, FAILURE_NONE); /* not from inside the call */
    loop_turn(loop, false);
    ck_assert_int_eq(heard.error, FAILURE_CONNECTION_LIMIT_REACHED);
    ck_assert_int_eq(heard.sent, SENT_NO);
    departure_close(&d);
    finish();
}
END_TEST

SUITE()
{
    TEST(what_is_late_does_not_leave);
    TEST(what_waits_for_a_line_is_refused_at_once);
    TEST(what_comes_later_is_refused_without_its_body);
    TEST(only_the_bot_that_is_frozen_is_stopped);
    TEST(a_replay_is_a_new_leaving);
    TEST(a_copy_that_is_withheld_is_not_refused);
    TEST(a_line_is_given_back_unused);
}
