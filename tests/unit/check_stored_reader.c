/* One client that reads a stored response: fresh, stale, complete or still arriving. */
#include "cache/stored_reader.h"

#include "recorder.h"
#include "suite.h"

static struct loop *loop;
static struct cache *cache;
static struct arena *arena;
static struct fields asked;
static struct cache_status status;
static struct stored_reader reader;
static struct recorder recorder;
static struct text heard;
static unsigned over, caught_up;

static void on_over(struct stored_reader *r)
{
    ck_assert_ptr_eq(r, &reader);
    over++;
}

static void on_caught_up(struct stored_reader *r)
{
    ck_assert(r == &reader && over == 0);
    caught_up++;
}

static enum sent tell_sent(const struct stored_reader *r)
{
    ck_assert_ptr_eq(r, &reader);
    return SENT_PARTIAL;
}

static uint64_t tell_patience(const struct stored_reader *r)
{
    ck_assert_ptr_eq(r, &reader);
    return 500;
}

static void tell_progress(const struct stored_reader *r, struct progress *to)
{
    ck_assert_ptr_eq(r, &reader);
    to->state = PROGRESS_AWAITING;
}

/* Fresh for 10 s, and usable in place of a failure for 30 s. */
static void begin(void)
{
    static const struct stored_reader_events events = {on_over, on_caught_up, tell_sent,
                                                       tell_patience, tell_progress};
    struct stored_reader_order order = {.place = {1, SPAN("/a")},
                                        .policy = {.fields = &asked,
                                                   .fresh_ms = 10000,
                                                   .stale_ms = 30000,
                                                   .most_age_ms = UINT64_MAX},
                                        .status = &status,
                                        .upstream = "a"};
    loop = loop_new();
    loop_hold(loop);
    cache = cache_new();
    cache_limit(cache, 100000);
    arena = arena_new();
    asked = (struct fields){0};
    status = (struct cache_status){0};
    over = caught_up = 0;
    heard = (struct text){0};
    text_add_str(&heard, "");
    recorder_init(&recorder, &heard);
    order.loop = loop;
    order.cache = cache;
    order.arena = arena;
    stored_reader_init(&reader, &order, &events, &recorder_events, &recorder);
    recorder.exchange = &reader.base;
}

static void finish(void)
{
    ck_assert_uint_eq(over, 1);
    stored_reader_release(&reader);
    cache_free(cache);
    arena_free(arena);
    text_free(&heard);
    loop_turn(loop, false);
    loop_free(loop);
}

static struct response head(enum framing framing)
{
    return (struct response){.status = 200, .reason = SPAN("OK"), .framing = framing, .length = 6};
}

static struct stored_response *make(enum framing framing, const char *body)
{
    struct response r = head(framing);
    struct stored_response *s = stored_response_new(&r, &asked, loop_age_clock(loop), 0);
    text_add_str(&s->body, body);
    return s;
}

/* Puts a response into the store. */
static void store(const char *body)
{
    struct stored_response *s = make(FRAMING_CHUNKED, body);
    s->whole = true;
    cache_put(cache, reader.order.place, s, &asked);
    stored_response_unref(s);
}

/* --------------------------------------------------------------------------- the store */

START_TEST(fresh)
{
    store("fresh");
    loop_skip(loop, 9000);
    ck_assert(stored_reader_find(&reader));
    ck_assert_uint_eq(heard.len, 0); /* no event from inside that call */
    loop_turn(loop, false);
    ck_assert_str_eq(heard.at, "head 200 OK  body(fresh) end {}");
    ck_assert(status.result == CACHE_HIT && status.sent == SENT_NO);
    ck_assert(status.age_ms == 9000 && status.ttl_ms == 1000);
    finish();
}
END_TEST

START_TEST(nothing_stored)
{
    ck_assert(!stored_reader_find(&reader));
    ck_assert(!stored_reader_serve_stale(&reader, 503, FAILURE_NONE, SENT_YES));
    recorder_cancel(&recorder);
    finish();
}
END_TEST

START_TEST(stale)
{
    store("stale");
    loop_skip(loop, 11000);
    ck_assert(!stored_reader_find(&reader));
    cache_limit(cache, 0); /* the response it found stays the same */
    loop_skip(loop, 19000);
    ck_assert(stored_reader_serve_stale(&reader, 503, FAILURE_NONE, SENT_YES));
    loop_turn(loop, false);
    ck_assert_str_eq(heard.at, "head 200 OK  body(stale) end {}");
    ck_assert(status.result == CACHE_STALE && status.sent == SENT_YES && status.ttl_ms == 0);
    ck_assert(status.age_ms == 30000 && status.forward_status == 503);
    finish();
}
END_TEST

START_TEST(too_old)
{
    store("stale");
    loop_skip(loop, 11000);
    ck_assert(!stored_reader_find(&reader));
    loop_skip(loop, 19001);
    ck_assert(!stored_reader_serve_stale(&reader, 503, FAILURE_NONE, SENT_YES));
    recorder_cancel(&recorder);
    finish();
}
END_TEST

/* Another request has stored a newer response in the meantime, and the reader puts back the
 * response that it was about to read. */
START_TEST(newer_stale)
{
    store("old");
    loop_skip(loop, 11000);
    ck_assert(!stored_reader_find(&reader));
    struct stored_response *s = make(FRAMING_CHUNKED, "cut off");
    stored_reader_choose(&reader, s, true);
    store("new");
    ck_assert(stored_reader_serve_stale(&reader, 0, FAILURE_CONNECTION_TERMINATED, SENT_PARTIAL));
    ck_assert_uint_eq(s->references, 1);
    stored_response_unref(s);
    loop_turn(loop, false);
    ck_assert_str_eq(heard.at, "head 200 OK  body(new) end {}");
    ck_assert(status.sent == SENT_PARTIAL && status.failure == FAILURE_CONNECTION_TERMINATED);
    finish();
}
END_TEST

START_TEST(bypasses)
{
    reader.order.policy.bypasses = true;
    store("fresh");
    ck_assert(!stored_reader_find(&reader));
    ck_assert(!stored_reader_serve_stale(&reader, 503, FAILURE_NONE, SENT_YES));
    recorder_cancel(&recorder);
    finish();
}
END_TEST

/* -------------------------------------------------------------------------- coming in */

static struct stored_response *lead(void)
{
    struct response r = head(FRAMING_CHUNKED);
    struct stored_response *s = make(FRAMING_CHUNKED, "");
    stored_reader_choose(&reader, s, false);
    loop_turn(loop, false);
    ck_assert_uint_eq(heard.len, 0);
    stored_reader_begin(&reader, &r);
    return s;
}

START_TEST(as_it_comes)
{
    struct stored_response *s = lead();
    ck_assert_str_eq(heard.at, "head 200 OK ");
    text_add_str(&s->body, "abc");
    stored_reader_read(&reader);
    stored_reader_read(&reader);
    ck_assert_uint_eq(stored_reader_position(&reader), 3);
    stored_response_drop(s, 3);
    stored_response_skip(s, 2);
    ck_assert(stored_reader_takes_more(&reader));
    stored_reader_pass(&reader, "de", 2);
    text_add_str(&s->body, "f");
    stored_reader_read(&reader);
    ck_assert_uint_eq(stored_reader_position(&reader), 6);
    fields_add(&s->trailers, s->arena, SPAN("T"), SPAN("v"));
    s->whole = true;
    stored_reader_read(&reader);
    ck_assert_str_eq(heard.at, "head 200 OK  body(abcdef) end {T=v;}");
    stored_response_unref(s);
    finish();
}
END_TEST

/* Events that were held back by a pause are not delivered inside the call that resumes the reader,
 * but after it. */
START_TEST(pauses)
{
    struct stored_response *s = lead();
    exchange_pause(&reader.base);
    ck_assert(!stored_reader_takes_more(&reader));
    text_add_str(&s->body, "abc");
    stored_reader_read(&reader);
    ck_assert_str_eq(heard.at, "head 200 OK ");
    exchange_resume(&reader.base);
    ck_assert_str_eq(heard.at, "head 200 OK ");
    loop_turn(loop, false);
    ck_assert_str_eq(heard.at, "head 200 OK  body(abc)");
    ck_assert_uint_eq(caught_up, 1);
    recorder_cancel(&recorder);
    stored_response_unref(s);
    finish();
}
END_TEST

/* The client may cancel or pause in each event. */
START_TEST(inside_events)
{
    recorder.cancel_in = _i % 2 ? RECORDER_HEAD : RECORDER_BODY;
    if (_i > 1) {
        recorder.pause_in = recorder.cancel_in;
        recorder.cancel_in = RECORDER_NONE;
    }
    store("hello");
    ck_assert(stored_reader_find(&reader));
    loop_turn(loop, false);
    if (_i == 3)
        ck_assert_str_eq(heard.at, "head 200 OK "); /* paused in that event */
    if (_i > 1 && recorder.exchange) {
        recorder.pause_in = RECORDER_NONE;
        exchange_resume(recorder.exchange);
        loop_turn(loop, false);
    }
    ck_assert_uint_eq(recorder.ended, _i > 1);
    ck_assert_uint_eq(caught_up, 0);
    finish();
}
END_TEST

/* A response is chosen for the reader and then put back: the reader waits again. */
START_TEST(put_back)
{
    struct stored_response *s = make(FRAMING_CHUNKED, "x");
    stored_reader_choose(&reader, s, true);
    stored_reader_put_back(&reader);
    loop_turn(loop, false);
    ck_assert(heard.len == 0 && s->references == 1);
    stored_reader_choose(&reader, s, true);
    loop_turn(loop, false);
    ck_assert_str_eq(heard.at, "head 200 OK  body(x)");
    recorder_cancel(&recorder);
    stored_response_unref(s);
    finish();
}
END_TEST

/* A follower gets a head that matches the stored response, and its cache status says when that
 * response arrived. */
START_TEST(begins_with_what_is_kept)
{
    struct stored_response *s = make(FRAMING_LENGTH, "hello!");
    status.result = CACHE_COLLAPSED;
    loop_skip(loop, 700);
    stored_reader_choose(&reader, s, true);
    stored_reader_begin_kept(&reader);
    stored_reader_read(&reader);
    ck_assert_str_eq(heard.at, "head 200 OK  body(hello!)");
    ck_assert(status.age_ms == 700 && status.sent == SENT_YES);
    loop_turn(loop, false);
    s->whole = true;
    stored_reader_read(&reader);
    ck_assert_uint_eq(recorder.ended, 1);
    stored_response_unref(s);
    finish();
}
END_TEST

START_TEST(head_only)
{
    reader.order.policy.is_head = true;
    store("hello");
    ck_assert(stored_reader_find(&reader));
    loop_turn(loop, false);
    ck_assert_str_eq(heard.at, "head 200 OK  end {}");
    ck_assert_uint_eq(stored_reader_position(&reader), SIZE_MAX);
    finish();
}
END_TEST

/* ---------------------------------------------------------------------------- failing */

START_TEST(fails)
{
    struct verdict why = verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "x");
    ck_assert_int_eq(exchange_sent(&reader.base), SENT_PARTIAL);
    ck_assert_uint_eq(exchange_patience(&reader.base), 500);
    ck_assert_int_eq(exchange_progress(&reader.base).state, PROGRESS_AWAITING);
    if (_i)
        stored_reader_fail(&reader, &why);
    else
        stored_reader_fail_soon(&reader, &why);
    ck_assert_uint_eq(over, _i);
    loop_turn(loop, false);
    ck_assert_uint_eq(recorder.failed, 1);
    ck_assert_int_eq(recorder.verdict.error, FAILURE_DESTINATION_UNAVAILABLE);
    finish();
}
END_TEST

START_TEST(cancelled_before_it_fails)
{
    struct verdict why = verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "x");
    stored_reader_fail_soon(&reader, &why);
    recorder_cancel(&recorder);
    loop_turn(loop, false);
    ck_assert(heard.len == 0 && recorder.failed == 0);
    finish();
}
END_TEST

/* A response is started only once. */
START_TEST(begun_twice)
{
    struct response r = head(FRAMING_CHUNKED);
    lead();
    stored_reader_begin(&reader, &r);
}
END_TEST

SUITE()
{
    FIXTURE(begin, NULL);
    TEST(fresh);
    TEST(nothing_stored);
    TEST(stale);
    TEST(too_old);
    TEST(newer_stale);
    TEST(bypasses);
    TEST(as_it_comes);
    TEST(pauses);
    LOOP(inside_events, 0, 4);
    TEST(put_back);
    TEST(begins_with_what_is_kept);
    TEST(head_only);
    LOOP(fails, 0, 2);
    TEST(cancelled_before_it_fails);
    ABORTS(begun_twice);
}
