/* A shared fetch between an origin and followers, both played by the test. */
#include <stdio.h>

#include "cache/shared_fetch.h"

#include "config_fixture.h"
#include "fake_fetch.h"
#include "pool_fixture.h"
#include "suite.h"

/* ------------------------------------------------------------------- the followers */

enum event { NOTHING, HEAD, MORE, PIECE, OUTGROWN, WHOLE, FAILED };

static struct fan {
    struct subscription subscription;
    enum event last, leaves_in;
    bool leads; /* in its last event */
    bool goes_on, served_otherwise, waits_for_all, full;
    unsigned events;
    size_t at;
    struct verdict why;
} fans[3];

/* The common part of all events: records the event, and leaves the fetch if the test wants that. */
static struct fan *hear(void *owner, enum event event)
{
    struct fan *a = owner;
    a->last = event;
    a->events++;
    if (a->leaves_in == event && a->subscription.fetch)
        shared_fetch_leave(&a->subscription);
    return a;
}

static void on_interim(void *owner, const struct response *r)
{
    (void)owner, (void)r;
    ck_abort_msg("no interim response was sent");
}

static bool on_head(void *owner, const struct response *r, bool leads)
{
    struct fan *a = hear(owner, HEAD);
    ck_assert_uint_ne(r->status, 0);
    a->leads = leads;
    if (a->served_otherwise)
        shared_fetch_leave(&a->subscription);
    return !a->served_otherwise;
}

static void on_more(void *owner)
{
    struct fan *a = hear(owner, MORE);
    if (a->subscription.fetch && !a->full && !a->waits_for_all)
        a->at = stored_response_length(shared_fetch_response(a->subscription.fetch));
}

static void on_piece(void *owner, const char *data, size_t len)
{
    struct fan *a = hear(owner, PIECE);
    (void)data;
    a->at += len;
}

static void on_outgrown(void *owner, bool leads)
{
    struct fan *a = hear(owner, OUTGROWN);
    a->leads = leads;
    if (!leads && a->waits_for_all && a->subscription.fetch)
        shared_fetch_leave(&a->subscription);
    a->waits_for_all = false;
}

static void on_whole(void *owner)
{
    struct fan *a = hear(owner, WHOLE);
    ck_assert_ptr_null(a->subscription.fetch);
}

static void on_failed(void *owner, const struct verdict *why, bool goes_on)
{
    struct fan *a = hear(owner, FAILED);
    a->why = *why;
    a->goes_on = goes_on;
    if (!goes_on && a->subscription.fetch)
        shared_fetch_leave(&a->subscription);
}

static size_t position(const void *owner)
{
    return ((const struct fan *)owner)->at;
}

static bool takes_more(const void *owner)
{
    return !((const struct fan *)owner)->full;
}

/* ------------------------------------------------------------------------ one of it */

static struct shared_fetch *fetch;
static struct cache *cache;
static struct unshared unshared;
static unsigned closings, reopenings, ends;

static void on_closed(void *owner)
{
    ck_assert_ptr_eq(owner, &fetch);
    closings++;
}

static void on_reopened(void *owner)
{
    ck_assert_ptr_eq(owner, &fetch);
    reopenings++;
}

static void on_over(void *owner)
{
    ck_assert_ptr_eq(owner, &fetch);
    ends++;
}

static void init_fan(struct fan *a, uint64_t total_ms)
{
    static const struct subscription_events events = {.on_interim = on_interim,
                                                      .on_head = on_head,
                                                      .on_more = on_more,
                                                      .on_piece = on_piece,
                                                      .on_outgrown = on_outgrown,
                                                      .on_whole = on_whole,
                                                      .on_failed = on_failed,
                                                      .position = position,
                                                      .takes_more = takes_more};
    *a = (struct fan){0};
    subscription_init(&a->subscription, loop, total_ms, &events, a);
}

static void make_fetch(void)
{
    static const struct shared_fetch_events events = {on_closed, on_reopened, on_over};
    char target[] = "/ticker";
    struct config *c = parse_good("upstream a { url = http://a.example }");
    struct fields fields = {0};
    struct shared_fetch_order order = {.fetch = {.loop = loop,
                                                 .pool = pool,
                                                 .settings = pool_settings(pool),
                                                 .request = {.target = span_of(target)}},
                                       .fields = &fields,
                                       .config = c,
                                       .ops = &fake_fetch_ops,
                                       .cache = cache,
                                       .unshared = &unshared};
    fetch = shared_fetch_new(&order, &events, &fetch);
    config_unref(c);
    memset(target, 'x', sizeof target); /* it has a copy */
}

/* With one follower that has this much time. */
static void set_up(uint64_t total_ms)
{
    begin("cache_max_object = 10");
    fake_fetch = (struct fake_fetch){0};
    memset(&unshared, 0, sizeof unshared);
    closings = reopenings = ends = 0;
    cache = cache_new();
    cache_limit(cache, 100000);
    make_fetch();
    init_fan(&fans[0], total_ms);
    shared_fetch_begin(fetch, &fans[0].subscription);
    ck_assert(fake_fetch.is_open && fake_fetch.opened == 1);
    ck_assert_str_eq(fake_fetch.target, "/ticker");
}

static struct fan *join(size_t i, uint64_t total_ms)
{
    init_fan(&fans[i], total_ms);
    shared_fetch_join(fetch, &fans[i].subscription);
    return &fans[i];
}

/* The fetch is over and has been freed. */
static void tear_down(void)
{
    loop_turn(loop, false);
    ck_assert_uint_eq(ends, 1);
    ck_assert(!fake_fetch.is_open);
    ck_assert_uint_ge(closings, 1);
    cache_free(cache);
    finish();
}

static void leave_all(void)
{
    for (size_t i = 0; i < COUNT_OF(fans); i++)
        if (fans[i].subscription.fetch)
            shared_fetch_leave(&fans[i].subscription);
}

static void clear_fans(void)
{
    memset(fans, 0, sizeof fans);
}

/* ---------------------------------------------------------------------- the response */

START_TEST(keeps_for_all)
{
    set_up(0);
    struct fan *second = join(1, 0);
    ck_assert_ptr_null(shared_fetch_response(fetch));
    fake_fetch_head(200, 6);
    ck_assert(fans[0].leads && second->last == HEAD && !second->leads);
    ck_assert(shared_fetch_is_stored(fetch) && !shared_fetch_is_failure(fetch));
    fake_fetch_body("abc", 3);
    struct fan *late = join(2, 0);
    ck_assert_uint_eq(late->events, 0);
    fake_fetch_body("def", 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert(fans[i].at == 6 && fans[i].last == MORE);
    ck_assert_uint_eq(closings, 0);
    fake_fetch_end();
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(fans[i].last, WHOLE);
    ck_assert_uint_eq(cache_entries(cache), 1);
    tear_down();
}
END_TEST

/* The fetch serves only its followers. */
START_TEST(outdated)
{
    set_up(0);
    fake_fetch_head(200, 0);
    shared_fetch_outdate(fetch);
    fake_fetch_end();
    ck_assert_int_eq(fans[0].last, WHOLE);
    ck_assert_uint_eq(cache_entries(cache), 0);
    tear_down();
}
END_TEST

START_TEST(next_one_leads)
{
    set_up(0);
    struct fan *second = join(1, 0), *third = join(2, 0);
    fans[0].served_otherwise = true;
    fake_fetch_head(503, 0);
    ck_assert(shared_fetch_is_failure(fetch));
    ck_assert(fans[0].leads && second->leads && !third->leads);
    fake_fetch_end();
    ck_assert(second->last == WHOLE && third->last == WHOLE && fans[0].last == HEAD);
    tear_down();
}
END_TEST

START_TEST(outgrown)
{
    set_up(0);
    struct fan *second = join(1, 0), *third = join(2, 0);
    third->waits_for_all = true;
    fake_fetch_head(200, SIZE_MAX);
    ck_assert(!shared_fetch_is_stored(fetch)); /* it may still outgrow the limit */
    fake_fetch_body("0123456789", 10);
    ck_assert(closings == 0 && third->at == 0);
    fake_fetch_body("!", 1);
    ck_assert(closings == 1 && fans[0].leads && !second->leads);
    ck_assert(third->last == OUTGROWN && third->subscription.fetch == NULL);
    ck_assert(fans[0].at == 11 && second->at == 11);
    ck_assert_uint_eq(shared_fetch_response(fetch)->body.len, 0); /* all of them have it */
    ck_assert(unshared_has(&unshared, shared_fetch_place(fetch), loop_age_clock(loop)));
    fake_fetch_end();
    ck_assert_uint_eq(cache_entries(cache), 0);
    tear_down();
}
END_TEST

/* A streamed response is not kept; a leader that does not read pauses the fake_fetch. */
START_TEST(paced_by_its_leader)
{
    static const char piece[40000];
    set_up(0);
    fake_fetch_head(200, 1000000);
    ck_assert(closings == 1 && !shared_fetch_suits(fetch, &(struct fields){0}));
    fake_fetch_body(piece, sizeof piece);
    ck_assert(fans[0].last == PIECE && shared_fetch_response(fetch)->body.len == 0);
    fans[0].full = true;
    fake_fetch_body(piece, sizeof piece);
    ck_assert(fans[0].last == MORE && fake_fetch.paused == 0);
    fake_fetch_body(piece, sizeof piece);
    fake_fetch_body(piece, 1);
    ck_assert_uint_eq(fake_fetch.paused, 1);
    shared_fetch_caught_up(fetch); /* it has not received it */
    ck_assert_uint_eq(fake_fetch.resumed, 0);
    fans[0].full = false;
    fans[0].at = 3 * sizeof piece + 1;
    shared_fetch_caught_up(fetch);
    ck_assert_uint_eq(fake_fetch.resumed, 1);
    fake_fetch_body(piece, sizeof piece);
    ck_assert_int_eq(fans[0].last, PIECE);
    ck_assert_uint_eq(shared_fetch_response(fetch)->body.len, 0);
    fake_fetch_end();
    tear_down();
}
END_TEST

/* A slow follower pauses no other, and is cut off when it falls too far behind; nor does a slow
 * leader that disconnects delay the others. */
START_TEST(slow_ones)
{
    static const char piece[40000];
    set_up(0);
    struct fan *second = join(1, 0), *third = join(2, 0);
    fake_fetch_head(200, SIZE_MAX);
    second->full = third->full = true;
    fake_fetch_body(piece, sizeof piece);
    ck_assert(second->subscription.fetch && third->subscription.fetch);
    fake_fetch_body(piece, sizeof piece);
    ck_assert(fans[0].at == 2 * sizeof piece && fake_fetch.paused == 0);
    ck_assert(second->last == FAILED && third->last == FAILED && !third->goes_on);
    ck_assert_int_eq(third->why.error, FAILURE_CONNECTION_LIMIT_REACHED);
    ck_assert_ptr_null(third->subscription.fetch);
    fake_fetch_end();
    tear_down();
}
END_TEST

START_TEST(slow_leader_leaves)
{
    static const char piece[40000];
    set_up(0);
    struct fan *second = join(1, 0);
    fake_fetch_head(200, SIZE_MAX);
    fans[0].full = true;
    fake_fetch_body(piece, sizeof piece);
    fake_fetch_body(piece, sizeof piece);
    ck_assert(fake_fetch.paused == 1 && second->at == 2 * sizeof piece);
    shared_fetch_leave(&fans[0].subscription);
    ck_assert_uint_eq(fake_fetch.resumed, 1);
    fake_fetch_end();
    ck_assert_int_eq(second->last, WHOLE);
    tear_down();
}
END_TEST

/* ---------------------------------------------------------------------------- leaving */

/* In any event, one or all of them cancel. */
START_TEST(leaving_in_an_event)
{
    enum event event = (enum event)(_i % 6 + 1);
    clear_fans();
    set_up(0);
    join(1, 0);
    for (size_t i = 0; i < 2; i++)
        if (_i / 6 != (int)i)
            fans[i].leaves_in = event;
    if (event != FAILED) {
        fake_fetch_head(200, SIZE_MAX);
        for (int i = 0; i < 3 && fake_fetch.is_open; i++)
            fake_fetch_body("abcdefgh", 8);
    }
    if (fake_fetch.is_open && event == FAILED)
        fake_fetch_failed(FAILURE_CONNECTION_REFUSED, SENT_NO);
    else if (fake_fetch.is_open)
        fake_fetch_end();
    ck_assert_ptr_null(fans[0].subscription.fetch);
    ck_assert_ptr_null(fans[1].subscription.fetch);
    tear_down();
}
END_TEST

START_TEST(last_one_leaves)
{
    set_up(0);
    join(1, 0);
    shared_fetch_leave(&fans[0].subscription);
    ck_assert(fake_fetch.is_open && ends == 0);
    shared_fetch_leave(&fans[1].subscription);
    ck_assert(ends == 1 && fake_fetch.cancelled == 1);
    tear_down();
}
END_TEST

/* The response is read to its end so that the line can be reused; this ends with the response, a
 * failure, or the exit of the daemon. */
START_TEST(drained)
{
    set_up(0);
    fake_fetch.drains = true;
    if (_i > 2)
        fake_fetch_head(200, 5);
    shared_fetch_leave(&fans[0].subscription);
    ck_assert(ends == 0 && closings == 1 && fake_fetch.is_open);
    if (_i <= 2)
        fake_fetch_head(200, 5);
    fake_fetch_body("hello", 5);
    if (_i % 3 == 0)
        fake_fetch_end();
    else if (_i % 3 == 1)
        fake_fetch_failed(FAILURE_CONNECTION_TERMINATED, SENT_YES);
    else
        shared_fetch_stop(fetch);
    ck_assert_uint_eq(fake_fetch.cancelled, _i % 3 == 2);
    ck_assert_uint_eq(cache_entries(cache), 0);
    tear_down();
}
END_TEST

START_TEST(stopped_only_if_drained)
{
    set_up(0);
    shared_fetch_stop(fetch);
    ck_assert(fake_fetch.is_open && ends == 0);
    leave_all();
    tear_down();
}
END_TEST

/* ------------------------------------------------------------------- time and failure */

START_TEST(deadlines)
{
    set_up(5000);
    ck_assert_uint_eq(fake_fetch.order.total_ms, 5000);
    uint64_t began = loop_now(loop);
    struct fan *second = join(1, 9000), *third = join(2, 3000);
    ck_assert_uint_eq(fake_fetch.extended_ms, began + 9000);
    fake_fetch.sent = SENT_PARTIAL;
    loop_skip(loop, 3000);
    ck_assert(third->last == FAILED && !third->goes_on && third->why.sent == SENT_PARTIAL);
    ck_assert_str_eq(third->why.detail, "3000");
    ck_assert_int_eq(fans[0].last, NOTHING);
    loop_skip(loop, 2000);
    ck_assert(fans[0].last == FAILED && second->last == NOTHING);
    loop_skip(loop, 60000); /* the last deadline is that of the fetch itself */
    ck_assert_int_eq(second->last, NOTHING);
    leave_all();
    tear_down();
}
END_TEST

/* After the head there are no deadlines. */
START_TEST(in_time)
{
    set_up(5000);
    struct fan *second = join(1, 3000);
    fake_fetch_head(200, 5);
    loop_skip(loop, 10000);
    ck_assert(fans[0].last == HEAD && second->last == HEAD);
    leave_all();
    tear_down();
}
END_TEST

/* The first follower's time runs out in a queue: the fetch is started again for the follower that
 * has more time. */
START_TEST(goes_on_for_others)
{
    set_up(5000);
    struct fan *second = join(1, 9000);
    loop_skip(loop, 4000);
    fake_fetch_failed(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO);
    ck_assert(ends == 1 && !fans[0].goes_on && !second->goes_on); /* too early for that */
    tear_down();

    set_up(5000);
    second = join(1, 9000);
    loop_skip(loop, 5000);
    fake_fetch_failed(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO);
    ck_assert(ends == 0 && closings == 1 && reopenings == 1 && second->goes_on);
    ck_assert_ptr_null(fans[0].subscription.fetch);
    ck_assert(fake_fetch.opened == 2 && fake_fetch.order.total_ms == 4000);
    ck_assert_str_eq(fake_fetch.target, "/ticker");
    fake_fetch_head(200, 0);
    ck_assert(second->leads);
    fake_fetch_end();
    tear_down();
}
END_TEST

static uint64_t age_now(void)
{
    return stored_response_told_age_ms(shared_fetch_response(fetch), loop_age_clock(loop));
}

/* A response is as old as its request, not as the waits before that: in a queue, or for a try that
 * failed. */
START_TEST(waits_are_no_age)
{
    set_up(0);
    loop_skip(loop, 4000);
    fake_fetch.order.timing->lent_us = loop_clock_us(loop);
    loop_skip(loop, 1000);
    fake_fetch_head(200, 0);
    ck_assert_uint_ge(age_now(), 990);
    ck_assert_uint_lt(age_now(), 3900);
    fake_fetch_end();
    tear_down();

    set_up(5000);
    join(1, 9000);
    loop_skip(loop, 5000);
    fake_fetch_failed(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO);
    loop_skip(loop, 1000);
    fake_fetch_head(200, 0); /* of a fetch that does not tell when it left */
    ck_assert(age_now() >= 990 && age_now() < 4900);
    fake_fetch_end();
    tear_down();
}
END_TEST

/* Once the request may have reached the origin, a failure applies to all followers; so does one
 * after the head. */
START_TEST(fails_for_all)
{
    set_up(5000);
    struct fan *second = join(1, 9000);
    loop_skip(loop, 5000);
    if (_i)
        fake_fetch_head(200, 5);
    fake_fetch_failed(FAILURE_CONNECTION_TERMINATED, _i ? SENT_YES : SENT_PARTIAL);
    ck_assert(ends == 1 && fake_fetch.opened == 1);
    ck_assert(second->last == FAILED && !second->goes_on);
    tear_down();
}
END_TEST

/* ------------------------------------------------------------------------------ weight */

START_TEST(weight_is_borne_by_one)
{
    struct timing first = {.weight = 5}, second = {.weight = 1};
    set_up(0);
    fake_fetch.order.timing->weight = 20;
    fake_fetch.order.timing->refused = true;
    shared_fetch_take_timing(fetch, &first);
    ck_assert(first.weight == 25 && first.refused);
    shared_fetch_take_weight(fetch, &second);
    ck_assert(second.weight == 1 && !second.refused);
    ck_assert(shared_fetch_timing(fetch)->refused);
    leave_all();
    tear_down();
}
END_TEST

SUITE()
{
    FIXTURE(clear_fans, NULL);
    TEST(keeps_for_all);
    TEST(outdated);
    TEST(next_one_leads);
    TEST(outgrown);
    TEST(paced_by_its_leader);
    TEST(slow_ones);
    TEST(slow_leader_leaves);
    LOOP(leaving_in_an_event, 0, 18);
    TEST(last_one_leaves);
    LOOP(drained, 0, 6);
    TEST(stopped_only_if_drained);
    TEST(deadlines);
    TEST(in_time);
    TEST(goes_on_for_others);
    TEST(waits_are_no_age);
    LOOP(fails_for_all, 0, 2);
    TEST(weight_is_borne_by_one);
}
