#include <stdio.h>
#include <zlib.h>

#include "cache/peek.h"
#include "recorder.h"
#include "suite.h"

/* {"error":["EService:Unavailable"]}, stored in one brotli block (RFC 7932 9.2). */
#define BROTLI "\x8f\x10\x80{\"error\":[\"EService:Unavailable\"]}\x03"

static const char *const texts[] = {"{\"error\":[\"E", "{\"errors"};
static const char *const refusal_texts[] = {"{\"code\":-1008"};
static uint16_t statuses[] = {418, 429};
static const struct upstream_config settings = {
    .error_prefix = {(const char **)texts, COUNT_OF(texts)},
    .known_refusals = {(const char **)refusal_texts, 1},
    .retry_after = true,
    .hold_status = {statuses, COUNT_OF(statuses)},
    .hold_until_prefix = "banned until ",
};
static unsigned seen_before_head; /* calls of on_seen that had no head yet */
static struct peek_order order;
static struct timing timing;
static struct peek peek;
static struct recorder recorder;
static struct text heard;
static struct fields fields;
static struct arena *arena;
static struct exchange exchange;

static bool ignore_body(struct exchange *x, const char *data, size_t len)
{
    (void)x, (void)data, (void)len;
    return true;
}

static void on_cancel(struct exchange *x)
{
    (void)x;
    peek_stop(&peek);
}

static void on_seen(struct peek *p)
{
    ck_assert_ptr_eq(p, &peek);
    seen_before_head += recorder.status == 0;
}

static void begin(void)
{
    static const struct exchange_ops ops = {.body = ignore_body, .cancel = on_cancel};
    exchange = (struct exchange){.ops = &ops};
    arena = arena_new();
    fields = (struct fields){0};
    timing = (struct timing){0};
    order = (struct peek_order){.settings = &settings, .on_seen = on_seen, .upstream = "a"};
    heard = (struct text){0};
    recorder_init(&recorder, &heard);
    recorder.exchange = &exchange;
    seen_before_head = 0;
    peek_init(&peek, &order, &timing, &recorder_events, &recorder);
}

static void finish(void)
{
    peek_free(&peek);
    text_free(&heard);
    arena_free(arena);
}

static void head(unsigned status, const char *coding)
{
    struct response r = {.status = status, .reason = SPAN("OK"), .framing = FRAMING_CHUNKED};
    if (coding)
        fields_add(&fields, arena, SPAN("Content-Encoding"), span_of(coding));
    r.fields = fields;
    peek_head(&peek, &r);
}

static bool has_head(void)
{
    return recorder.status != 0;
}

/* In pieces of this size. */
static void body(struct span all, size_t step)
{
    for (; all.len; all = span_from(all, step))
        peek_body(&peek, all.at, step < all.len ? step : all.len);
}

static const struct {
    const char *body;
    bool refused;
} bodies[] = {
    {"{\"error\":[\"EService:Busy\"]}", true},
    {"{\"error\":[\"E", true},
    {"{\"errors\":1}", true},
    {"{\"error\":[]}", false},
    {"{\"error\":[\"W\"]}", false},
    {"{\"error\":[\"", false},
    {"{", false},
    {"x", false},
};

START_TEST(beginnings)
{
    static const size_t steps[] = {1, 5, 1000};
    struct span all = span_of(bodies[_i / 3].body);
    head(200, NULL);
    ck_assert(!has_head());
    body(all, steps[_i % 3]);
    peek_flush(&peek);
    ck_assert(has_head());
    ck_assert_uint_eq(recorder.body, all.len);
    ck_assert_int_eq(timing.refused, bodies[_i / 3].refused);
    ck_assert(!timing.unseen);
}
END_TEST

/* The head is held back no longer than necessary. */
START_TEST(in_time)
{
    head(200, "identity");
    body(SPAN("{\"error\":[\""), 3);
    ck_assert(!has_head());
    body(SPAN("]"), 1);
    ck_assert(has_head() && !timing.refused);
    body(SPAN("{\"error\":[\"E"), 4);
    ck_assert(!timing.refused);
    ck_assert_str_eq(strstr(heard.at, "body("), "body({\"error\":[\"]{\"error\":[\"E)");
}
END_TEST

START_TEST(other_answers_pass)
{
    head(_i == 0 ? 404 : 203, NULL);
    ck_assert(has_head());
    body(SPAN("{\"error\":[\"E"), 100);
    ck_assert(!timing.refused && recorder.body == 12);
}
END_TEST

START_TEST(empty)
{
    head(200, NULL);
    peek_flush(&peek);
    ck_assert(has_head() && recorder.body == 0 && !timing.refused);
    peek_flush(&peek);
}
END_TEST

static struct span zipped(int window, const char *text)
{
    static char out[1000];
    z_stream z = {0};
    ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)strlen(text);
    z.next_out = (Bytef *)out;
    z.avail_out = sizeof out;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return (struct span){out, sizeof out - z.avail_out};
}

static const struct {
    const char *coding;
    int window; /* 0: brotli */
} codings[] = {{"gzip", 31}, {"X-GZip", 31}, {"deflate", 15}, {"br", 0}};

START_TEST(coded)
{
    static const size_t steps[] = {1, 7, 1000};
    int window = codings[_i / 3].window;
    struct span all =
        window ? zipped(window, "{\"error\":[\"EService:Unavailable\"]}") : SPAN(BROTLI);
    head(200, codings[_i / 3].coding);
    body(all, steps[_i % 3]);
    peek_flush(&peek);
    ck_assert(timing.refused && !timing.unseen);
    ck_assert_uint_eq(recorder.body, all.len);
}
END_TEST

START_TEST(not_coded_as_it_says)
{
    static const char *const names[] = {"gzip", "br"};
    head(200, names[_i]);
    body(SPAN("\x1f\xff this is neither"), 3);
    ck_assert(has_head() && timing.unseen && !timing.refused);
}
END_TEST

START_TEST(codings_unknown)
{
    static const char *const names[] = {"zstd", "gzip, br", ""};
    if (_i == 3)
        fields_add(&fields, arena, SPAN("Content-Encoding"), SPAN("gzip"));
    head(200, _i == 3 ? "gzip" : names[_i]);
    ck_assert(has_head() && timing.unseen);
}
END_TEST

/* A coding that yields no output for a long time holds back 64 KiB and no more. */
START_TEST(much_for_nothing)
{
    static char zeros[200 * 1024];
    head(200, "gzip");
    body(SPAN("\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x03"), 100);
    memset(zeros, 'n', sizeof zeros); /* a file name without an end */
    for (size_t at = 0; at < sizeof zeros && !has_head(); at += 1000)
        peek_body(&peek, zeros, 1000);
    ck_assert(has_head() && timing.unseen);
    ck_assert_uint_le(recorder.body, 70 * 1024);
}
END_TEST

START_TEST(cancelled)
{
    recorder.cancel_in = _i == 0 ? RECORDER_HEAD : RECORDER_BODY;
    head(200, NULL);
    body(SPAN("x"), 1);
    ck_assert_ptr_null(recorder.exchange);
    ck_assert_uint_eq(recorder.body, _i == 0 ? 0 : 1);
}
END_TEST

/* ------------------------------------------------------------ answers to orders */

static void order_head(unsigned status, enum framing framing, uint64_t length, const char *type)
{
    struct response r = {.status = status, .framing = framing, .length = length};
    r.has_length = framing == FRAMING_LENGTH;
    if (type)
        fields_add(&fields, arena, SPAN("content-type"), span_of(type));
    r.fields = fields;
    order.is_order = true;
    peek_init(&peek, &order, &timing, &recorder_events, &recorder);
    peek_head(&peek, &r);
}

static const struct {
    enum framing framing;
    uint64_t length;
    const char *type;
    bool held;
} answers[] = {
    {FRAMING_LENGTH, 10, NULL, true},
    {FRAMING_LENGTH, 65536, "application/json", true},
    {FRAMING_LENGTH, 65537, NULL, false},
    {FRAMING_CHUNKED, 0, "application/json", true},
    {FRAMING_CLOSE, 0, "text/event-stream-of-mine", true},
    {FRAMING_CHUNKED, 0, "text/event-stream", false},
    {FRAMING_CHUNKED, 0, "Text/Event-Stream ; charset=utf-8", false},
    {FRAMING_NONE, 0, NULL, false},
};

START_TEST(an_order_is_answered_whole)
{
    order_head(_i % 2 ? 201 : 400, answers[_i].framing, answers[_i].length, answers[_i].type);
    ck_assert_int_eq(peek_holds(&peek), answers[_i].held);
    ck_assert_int_eq(has_head(), !answers[_i].held);
    if (answers[_i].framing == FRAMING_NONE)
        return;
    body(SPAN("{\"orderId\":1}"), 3);
    ck_assert_uint_eq(recorder.body, answers[_i].held ? 0 : 13);
    peek_flush(&peek);
    ck_assert(has_head() && recorder.body == 13 && !timing.refused && !peek_holds(&peek));
}
END_TEST

/* Of a body of unknown length, 64 KiB are held back, and not one byte more. */
START_TEST(an_order_is_answered_at_length)
{
    static char piece[1000];
    memset(piece, 'y', sizeof piece);
    order_head(200, FRAMING_CHUNKED, 0, NULL);
    for (size_t i = 0; i < 65; i++)
        peek_body(&peek, piece, sizeof piece);
    ck_assert(!has_head() && peek.held.len == 65000);
    peek_body(&peek, piece, sizeof piece);
    ck_assert(has_head() && recorder.body == 66000 && peek.held.len == 0);
    peek_body(&peek, piece, sizeof piece);
    ck_assert_uint_eq(recorder.body, 67000);
}
END_TEST

static const struct {
    unsigned status;
    const char *body;
    bool known, refused;
} refused[] = {
    {503, "{\"code\":-1008,\"msg\":\"throttled\"}", true, false},
    {408, "{\"code\":-1008}", true, false},
    {503, "{\"code\":-1007,\"msg\":\"unknown\"}", false, false},
    {503, "{\"code\":-", false, false},
    {503, "{\"error\":[\"EService\"]}", false, false},
    {400, "{\"code\":-1008}", false, false},
    {200, "{\"code\":-1008}", false, false},
    {200, "{\"error\":[\"EOrder\"]}", false, true},
};

START_TEST(an_order_is_known_to_be_refused)
{
    order_head(refused[_i].status, FRAMING_CHUNKED, 0, NULL);
    body(span_of(refused[_i].body), 4);
    ck_assert(!has_head());
    peek_flush(&peek);
    ck_assert_int_eq(timing.known_refusal, refused[_i].known);
    ck_assert_int_eq(timing.refused, refused[_i].refused);
    ck_assert_uint_eq(recorder.body, strlen(refused[_i].body));
}
END_TEST

/* ------------------------------------------------------------------- ends of bans */

static const struct {
    const char *body;
    int64_t until_ms;
} bans[] = {
    {"{\"code\":-1003,\"msg\":\"IP banned until 1795000000123. Please\"}", 1795000000123},
    {"banned until 1795000000123", 1795000000123}, /* up to the end of the body */
    {"banned until 17\"", 17},
    {"banned until soon", 0},
    {"banned until ", 0},
    {"banned unti", 0},
    {"Too many requests", 0},
    {"banned until 1234567890123456.", 0}, /* no time of ours */
    {"banned until -5", 0},
    {"", 0},
};

START_TEST(bans_in_bodies)
{
    static const size_t steps[] = {1, 5, 1000};
    struct span all = span_of(bans[_i / 3].body);
    head(_i % 2 ? 418 : 429, NULL);
    ck_assert(!has_head());
    body(all, steps[_i % 3]);
    peek_flush(&peek);
    ck_assert(has_head());
    ck_assert_uint_eq(seen_before_head, 1);
    ck_assert_uint_eq(recorder.body, all.len);
    ck_assert(!timing.refused && !timing.unseen);
    ck_assert_int_eq(peek.ban_until_ms, bans[_i / 3].until_ms);
}
END_TEST

START_TEST(bans_in_codings)
{
    struct span all = zipped(codings[_i].window, "IP banned until 1795000000123.");
    head(418, codings[_i].coding);
    body(all, 3);
    ck_assert_int_eq(peek.ban_until_ms, 1795000000123);
    finish();
    begin();
    head(418, "zstd");
    ck_assert(has_head() && !timing.unseen);
}
END_TEST

/* The head is held back until the number ends, or up to 4 KiB. */
START_TEST(bans_in_time)
{
    head(418, NULL);
    body(SPAN("banned until 17"), 100);
    ck_assert(!has_head());
    body(SPAN("9 "), 100);
    ck_assert(has_head());
    ck_assert_int_eq(peek.ban_until_ms, 179);
    finish();
    begin();
    head(418, NULL);
    for (int i = 0; i < PEEK_BAN_MOST / 16; i++) {
        ck_assert(!has_head());
        body(SPAN("no end of it yet"), 16);
    }
    ck_assert(has_head());
    body(SPAN("banned until 5 "), 100);
    ck_assert_int_eq(peek.ban_until_ms, 0);
}
END_TEST

START_TEST(no_bans_elsewhere)
{
    static const unsigned others[] = {200, 403, 503};
    head(others[_i], NULL);
    body(SPAN("banned until 17 "), 100);
    ck_assert(has_head());
    ck_assert_uint_eq(seen_before_head, 1);
    ck_assert_int_eq(peek.ban_until_ms, 0);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    LOOP(beginnings, 0, 3 * (int)COUNT_OF(bodies));
    TEST(in_time);
    LOOP(other_answers_pass, 0, 2);
    TEST(empty);
    LOOP(coded, 0, 3 * (int)COUNT_OF(codings));
    LOOP(not_coded_as_it_says, 0, 2);
    LOOP(codings_unknown, 0, 4);
    TEST(much_for_nothing);
    LOOP(cancelled, 0, 2);
    LOOP(an_order_is_answered_whole, 0, COUNT_OF(answers));
    TEST(an_order_is_answered_at_length);
    LOOP(an_order_is_known_to_be_refused, 0, COUNT_OF(refused));
    LOOP(bans_in_bodies, 0, 3 * (int)COUNT_OF(bans));
    LOOP(bans_in_codings, 0, COUNT_OF(codings) - 1);
    TEST(bans_in_time);
    LOOP(no_bans_elsewhere, 0, 3);
}
