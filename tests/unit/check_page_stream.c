/* A page that is made while it is sent: in one piece with its length, or in many pieces over
 * several turns of the loop; paused, and cancelled at every event. */
#include "pages/page_stream.h"

#include <string.h>

#include "recorder.h"
#include "stopwatch.h"
#include "suite.h"
#include "until.h"

struct fake_source {
    struct page_source base;
    unsigned left; /* pieces still to come */
    size_t size;   /* of each */
    uint64_t takes_us;
    unsigned asked, freed;
};

static struct loop *loop;
static struct recorder recorder;
static struct text heard;
static struct response head;
static struct fake_source source;

static bool next(struct page_source *base, struct text *to)
{
    struct fake_source *s = container_of(base, struct fake_source, base);
    uint64_t until = clock_us() + s->takes_us;
    ck_assert(s->left > 0 && s->freed == 0);
    memset(text_reserve(to, s->size), 'x', s->size);
    text_added(to, s->size);
    while (clock_us() < until)
        ;
    s->asked++;
    return --s->left > 0;
}

static void free_source(struct page_source *base)
{
    container_of(base, struct fake_source, base)->freed++;
}

static void begin(unsigned pieces, size_t size, uint64_t takes_us, bool is_head)
{
    loop = loop_new();
    recorder_init(&recorder, &heard);
    head = (struct response){.status = 200, .reason = SPAN("OK"), .minor = 1};
    source = (struct fake_source){{next, free_source}, pieces, size, takes_us, 0, 0};
    recorder.exchange =
        page_stream_open(loop, &head, is_head, &source.base, &recorder_events, &recorder);
    ck_assert_uint_eq(recorder.status, 0);
    exchange_finish(recorder.exchange, &(struct fields){0});
}

static void finish(void)
{
    loop_turn(loop, false);
    ck_assert_uint_eq(source.freed, 1);
    loop_free(loop);
    text_free(&heard);
}

START_TEST(a_short_page_has_its_length)
{
    begin(1, 500, 0, false);
    loop_turn(loop, false);
    ck_assert(recorder.ended == 1 && recorder.status == 200);
    ck_assert(head.has_length && head.length == 500 && head.framing == FRAMING_LENGTH);
    ck_assert_uint_eq(recorder.body, 500);
    finish();
}
END_TEST

/* However short the page is, pieces that take time are made one per turn. */
START_TEST(a_slow_page_delays_no_turn)
{
    begin(20, 10, 1000, false);
    for (unsigned turns = 1; !recorder.ended; turns++) {
        loop_turn(loop, false);
        ck_assert_uint_le(source.asked, turns + 1); /* the first before the loop turns */
        ck_assert_uint_lt(turns, 1000);
    }
    ck_assert(!head.has_length && head.framing == FRAMING_CHUNKED);
    ck_assert(recorder.body == 200 && source.asked == 20);
    finish();
}
END_TEST

START_TEST(a_long_page_is_made_as_it_is_read)
{
    begin(100, 20000, 0, false);
    recorder.pause_in = RECORDER_BODY;
    for (int i = 0; i < 10; i++)
        loop_turn(loop, false);
    ck_assert_uint_le(source.asked, 3); /* 32 KiB, and the piece that crosses it */
    recorder.pause_in = RECORDER_NONE;
    exchange_resume(recorder.exchange);
    UNTIL(recorder.ended);
    ck_assert_uint_eq(recorder.body, 100 * 20000);
    finish();
}
END_TEST

START_TEST(head_makes_no_more_than_the_start)
{
    bool is_long = _i;
    begin(is_long ? 100 : 1, 20000, 0, true);
    loop_turn(loop, false);
    ck_assert(recorder.ended == 1 && recorder.body == 0 && head.framing == FRAMING_NONE);
    ck_assert(head.has_length == !is_long && head.length == (is_long ? 0 : 20000));
    ck_assert_uint_le(source.asked, 3);
    finish();
}
END_TEST

START_TEST(it_is_cancelled_at_any_time)
{
    begin(100, 20000, 0, false);
    if (_i == 1)
        recorder.cancel_in = RECORDER_HEAD;
    if (_i == 2)
        recorder.cancel_in = RECORDER_BODY;
    if (_i >= 3)
        recorder.pause_in = RECORDER_BODY;
    if (_i > 0)
        for (int i = 0; i < 3; i++)
            loop_turn(loop, false);
    if (_i == 4)
        exchange_resume(recorder.exchange);
    if (recorder.exchange)
        recorder_cancel(&recorder);
    ck_assert_uint_eq(recorder.ended, 0);
    finish();
}
END_TEST

START_TEST(a_broken_request_is_answered_all_the_same)
{
    struct verdict v = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO, "malformed");
    begin(1, 3, 0, false);
    exchange_refuse(recorder.exchange, &v);
    UNTIL(recorder.ended);
    ck_assert_uint_eq(recorder.body, 3);
    finish();
}
END_TEST

SUITE()
{
    TEST(a_short_page_has_its_length);
    TEST(a_slow_page_delays_no_turn);
    TEST(a_long_page_is_made_as_it_is_read);
    LOOP(head_makes_no_more_than_the_start, 0, 2);
    LOOP(it_is_cancelled_at_any_time, 0, 5);
    TEST(a_broken_request_is_answered_all_the_same);
}
