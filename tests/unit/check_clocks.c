/* The time limits of a fetch: which is the nearest in each phase, and the error with which it
 * fails. */
#include "proxy/clocks.h"
#include "suite.h"

static struct loop *loop;
static struct upstream_config settings;
static struct clocks c;
static uint64_t start;

static void setup(void)
{
    loop = loop_new();
    loop_hold(loop);
    start = loop_now(loop);
    settings = (struct upstream_config){.response_timeout = 3000,
                                        .body_timeout = 2000,
                                        .transfer_timeout = 60000,
                                        .serialize_timeout = 700,
                                        .order_wait = 1000};
    clocks_init(&c, loop, &settings, 9000);
}

static void teardown(void)
{
    loop_free(loop);
}

static uint64_t due(enum clocks_phase phase)
{
    uint64_t at = clocks_due(&c, phase);
    return at == UINT64_MAX ? at : at - start;
}

static bool is_up(enum clocks_phase phase)
{
    return clocks_are_up(&c, phase, true);
}

static void assert_verdict(enum clocks_phase phase, enum failure error, const char *detail)
{
    struct verdict v = clocks_verdict(&c, phase);
    ck_assert_int_eq(v.error, error);
    ck_assert_str_eq(v.detail, detail);
}

/* A wait before the request is sent ends at the nearest limit; the wait of an order ends sooner. */
START_TEST(bounds_the_wait)
{
    ck_assert_uint_eq(clocks_wait_until(&c) - start, 9000);
    ck_assert_uint_eq(clocks_serialize_until(&c) - start, 700);
    clocks_is_order(&c);
    ck_assert_uint_eq(clocks_wait_until(&c) - start, 1000);
    loop_skip(loop, 500);
    ck_assert_uint_eq(clocks_serialize_until(&c) - start, 1000);
}
END_TEST

START_TEST(zero_is_no_limit)
{
    settings = (struct upstream_config){0};
    clocks_init(&c, loop, &settings, 0);
    clocks_is_order(&c);
    clocks_sent(&c);
    clocks_active(&c);
    for (enum clocks_phase p = CLOCKS_GATHERING; p <= CLOCKS_HOLDING; p++)
        ck_assert_uint_eq(due(p), UINT64_MAX);
    loop_skip(loop, 100000000);
    ck_assert(!is_up(CLOCKS_AWAITING) && !is_up(CLOCKS_RECEIVING));
    ck_assert_uint_eq(clocks_wait_until(&c), UINT64_MAX);
}
END_TEST

/* response_timeout counts from the last byte sent, and begins again with each try. */
START_TEST(counts_the_response_from_what_was_sent)
{
    ck_assert_uint_eq(due(CLOCKS_AWAITING), 9000);
    clocks_sent(&c);
    ck_assert_uint_eq(due(CLOCKS_AWAITING), 3000);
    loop_skip(loop, 3000);
    ck_assert(!clocks_are_up(&c, CLOCKS_AWAITING, false));
    ck_assert_uint_eq(due(CLOCKS_AWAITING), 6000);
    loop_skip(loop, 3000);
    ck_assert(clocks_are_up(&c, CLOCKS_AWAITING, true));
    assert_verdict(CLOCKS_AWAITING, FAILURE_HTTP_RESPONSE_TIMEOUT, "no response head within 3s");
    clocks_try(&c);
    ck_assert_uint_eq(due(CLOCKS_AWAITING), 9000);
    loop_skip(loop, 3000);
    ck_assert(clocks_are_up(&c, CLOCKS_AWAITING, false));
    assert_verdict(CLOCKS_AWAITING, FAILURE_HTTP_RESPONSE_TIMEOUT, "no response head within 9s");
}
END_TEST

/* body_timeout counts from each byte, but not while the client does not read; total_timeout ends
 * with the head, unless the head is held back. */
START_TEST(counts_the_body_from_each_byte)
{
    loop_skip(loop, 8500);
    clocks_active(&c);
    ck_assert_uint_eq(due(CLOCKS_RECEIVING), 10500);
    ck_assert_uint_eq(due(CLOCKS_HOLDING), 9000);
    loop_skip(loop, 1000);
    ck_assert(!is_up(CLOCKS_RECEIVING) && is_up(CLOCKS_HOLDING));
    assert_verdict(CLOCKS_HOLDING, FAILURE_HTTP_RESPONSE_TIMEOUT,
                   "the response was not complete within 9s");
    c.paused = true;
    ck_assert_uint_eq(due(CLOCKS_RECEIVING), 60000);
    c.paused = false;
    loop_skip(loop, 1000);
    ck_assert(is_up(CLOCKS_RECEIVING));
    assert_verdict(CLOCKS_RECEIVING, FAILURE_CONNECTION_READ_TIMEOUT,
                   "no byte of the body within 2s");
    clocks_active(&c);
    loop_skip(loop, 49500);
    ck_assert(is_up(CLOCKS_RECEIVING));
    assert_verdict(CLOCKS_RECEIVING, FAILURE_CONNECTION_READ_TIMEOUT, "not transferred within 1m");
}
END_TEST

/* A request that was not sent fails with a different error in each phase. */
START_TEST(says_what_was_waited_for)
{
    loop_skip(loop, 9000);
    ck_assert(is_up(CLOCKS_GATHERING) && is_up(CLOCKS_WAITING));
    assert_verdict(CLOCKS_GATHERING, FAILURE_HTTP_REQUEST_ERROR,
                   "the request's body did not come within 9s");
    ck_assert_uint_eq(clocks_verdict(&c, CLOCKS_GATHERING).status, 408);
    assert_verdict(CLOCKS_WAITING, FAILURE_CONNECTION_TIMEOUT, "no connection within 9s");
    ck_assert_str_eq(clocks_late(1500).detail, "no response head within 1500ms");
}
END_TEST

/* The response to a client that has disconnected is drained for half a second, or, in steps, for
 * two seconds if no other request needs its connection. The response to an order is drained for as
 * long as the origin may take. */
START_TEST(drains_unread_responses)
{
    clocks_active(&c);
    clocks_follow(&c, false);
    ck_assert_uint_eq(due(CLOCKS_AWAITING), 500);
    clocks_drain_on(&c);
    ck_assert_uint_eq(due(CLOCKS_AWAITING), 500); /* the connection is not established yet */
    for (uint64_t at = 500; at < 2000; at += 500) {
        loop_skip(loop, 500);
        clocks_active(&c);
        ck_assert(is_up(CLOCKS_RECEIVING));
        clocks_drain_on(&c);
        ck_assert(!is_up(CLOCKS_RECEIVING));
        ck_assert_uint_eq(due(CLOCKS_RECEIVING), at + 500);
    }
    loop_skip(loop, 500);
    clocks_drain_on(&c);
    ck_assert(is_up(CLOCKS_RECEIVING));
}
END_TEST

START_TEST(follows_an_order_as_long_as_the_origin_may_take)
{
    clocks_sent(&c);
    clocks_follow(&c, true);
    ck_assert_uint_eq(due(CLOCKS_AWAITING), 3000);
    clocks_try(&c);
    ck_assert_uint_eq(due(CLOCKS_AWAITING), 60000);
    clocks_active(&c);
    ck_assert_uint_eq(due(CLOCKS_RECEIVING), 2000);
}
END_TEST

/* It may wait in the queue of a connection that the origin no longer reads. */
START_TEST(follows_an_order_that_is_never_sent_only_so_long)
{
    clocks_sent(&c);
    clocks_follow(&c, true);
    loop_skip(loop, 2999);
    ck_assert(!clocks_are_up(&c, CLOCKS_AWAITING, false));
    loop_skip(loop, 1);
    ck_assert(clocks_are_up(&c, CLOCKS_AWAITING, false));
    assert_verdict(CLOCKS_AWAITING, FAILURE_HTTP_RESPONSE_TIMEOUT, "no response head within 3s");
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(bounds_the_wait);
    TEST(zero_is_no_limit);
    TEST(counts_the_response_from_what_was_sent);
    TEST(counts_the_body_from_each_byte);
    TEST(says_what_was_waited_for);
    TEST(drains_unread_responses);
    TEST(follows_an_order_as_long_as_the_origin_may_take);
    TEST(follows_an_order_that_is_never_sent_only_so_long);
}
