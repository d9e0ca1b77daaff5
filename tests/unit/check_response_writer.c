/* Responses as bytes, without a client: framing for each kind of request, gathering, back-pressure,
 * and responses that are cut off. */
#include "fake_stream.h"
#include "front/response_writer.h"
#include "suite.h"

static struct fake_stream stream;
static struct response_writer *writer;
static struct arena *arena;
static unsigned gathered, full;
static const struct fields no_fields;

static void on_gathered(void *owner)
{
    ck_assert_ptr_eq(owner, &stream);
    gathered++;
}

static void on_full(void *owner)
{
    (void)owner;
    full++;
}

static void begin_stream(void)
{
    static const struct response_writer_events events = {on_gathered, on_full};
    gathered = full = 0;
    arena = arena_new();
    fake_stream_init(&stream);
    writer = response_writer_new("test", &stream.base, &events, &stream);
}

static void finish(void)
{
    response_writer_free(writer);
    stream_close(&stream.base);
    fake_stream_free(&stream);
    arena_free(arena);
}

static struct request request_of(const char *method, unsigned minor)
{
    return (struct request){.arena = arena,
                            .method = span_of(method),
                            .minor = minor,
                            .is_head = strcmp(method, "HEAD") == 0};
}

static void begin(const char *method, unsigned minor)
{
    begin_stream();
    static struct request r;
    r = request_of(method, minor);
    response_writer_begin(writer, &r);
    ck_assert_int_eq(response_writer_state(writer), RESPONSE_DUE);
}

static struct response response_of(unsigned status, enum framing framing, uint64_t length)
{
    return (struct response){.status = status,
                             .reason = SPAN("Fine"),
                             .minor = 1,
                             .framing = framing,
                             .has_length = framing == FRAMING_LENGTH || length,
                             .length = length};
}

static bool head(unsigned status, enum framing framing, uint64_t length, bool is_last)
{
    struct response r = response_of(status, framing, length);
    return response_writer_head(writer, &r, is_last, 60);
}

static void body(const char *text)
{
    response_writer_body(writer, text, strlen(text));
}

static const char *got(void)
{
    response_writer_flush(writer);
    return stream.written.len ? stream.written.at : "";
}

#define KEPT "Connection: keep-alive\r\nKeep-Alive: timeout=60\r\n"

/* -------------------------------------------------------------------- framing */

static const struct {
    const char *method;
    unsigned minor, status;
    enum framing framing;
    uint64_t length;
    bool is_last, closes; /* as requested; as reported */
    const char *bytes;
} rows[] = {
    {"GET", 1, 200, FRAMING_LENGTH, 2, false, false,
     "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n" KEPT "\r\nxy"},
    {"GET", 1, 200, FRAMING_LENGTH, 2, true, true,
     "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nConnection: close\r\n\r\nxy"},
    {"GET", 1, 200, FRAMING_CHUNKED, 0, false, false,
     "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n" KEPT "\r\n2\r\nxy\r\n0\r\n\r\n"},
    {"GET", 1, 200, FRAMING_CLOSE, 0, false, false,
     "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n" KEPT "\r\n2\r\nxy\r\n0\r\n\r\n"},
    {"GET", 0, 200, FRAMING_CHUNKED, 0, false, true,
     "HTTP/1.1 200 Fine\r\nConnection: close\r\n\r\nxy"},
    {"GET", 0, 200, FRAMING_LENGTH, 2, false, false,
     "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n" KEPT "\r\nxy"},
    {"HEAD", 1, 200, FRAMING_LENGTH, 2, false, false,
     "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n" KEPT "\r\n"},
    {"HEAD", 0, 200, FRAMING_CHUNKED, 0, false, false, "HTTP/1.1 200 Fine\r\n" KEPT "\r\n"},
    {"GET", 1, 204, FRAMING_NONE, 0, false, false, "HTTP/1.1 204 Fine\r\n" KEPT "\r\n"},
    {"GET", 1, 304, FRAMING_NONE, 9, false, false,
     "HTTP/1.1 304 Fine\r\nContent-Length: 9\r\n" KEPT "\r\n"},
    {"GET", 1, 200, FRAMING_NONE, 0, false, false,
     "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n" KEPT "\r\n"},
};

START_TEST(test_framing)
{
    begin(rows[_i].method, rows[_i].minor);
    bool closes = head(rows[_i].status, rows[_i].framing, rows[_i].length, rows[_i].is_last);
    ck_assert_int_eq(closes, rows[_i].closes);
    if (rows[_i].framing != FRAMING_NONE)
        body("xy");
    response_writer_end(writer, &no_fields);
    ck_assert_str_eq(got(), rows[_i].bytes);
    ck_assert_int_eq(response_writer_state(writer), RESPONSE_COMPLETE);
    ck_assert(!response_writer_needs_reset(writer)); /* the kernel has accepted everything */
    finish();
}
END_TEST

START_TEST(test_interim)
{
    struct response wait = {.status = 100, .reason = SPAN("Wait"), .minor = 1};
    begin("POST", 1);
    response_writer_interim(writer, &wait);
    response_writer_interim(writer, &wait);
    ck_assert_uint_eq(gathered, 2);
    ck_assert_str_eq(got(), "HTTP/1.1 100 Wait\r\n\r\nHTTP/1.1 100 Wait\r\n\r\n");
    ck_assert_int_eq(response_writer_state(writer), RESPONSE_DUE);
    finish();
    begin("POST", 0); /* RFC 9110 15.2 */
    response_writer_interim(writer, &wait);
    ck_assert_str_eq(got(), "");
    finish();
}
END_TEST

START_TEST(test_trailers)
{
    struct field at = {SPAN("T"), SPAN("u")};
    struct fields trailers = {.at = &at, .count = 1};
    begin("GET", 1);
    (void)head(200, FRAMING_CHUNKED, 0, false);
    response_writer_end(writer, &trailers);
    ck_assert_ptr_nonnull(strstr(got(), "\r\n\r\n0\r\nT: u\r\n\r\n"));
    finish();
}
END_TEST

START_TEST(test_switch)
{
    struct response r = {.status = 101, .reason = SPAN("Go"), .minor = 1};
    begin("GET", 1);
    response_writer_switch(writer, &r);
    ck_assert_str_eq(got(), "HTTP/1.1 101 Go\r\n\r\n");
    ck_assert(response_writer_is_over(writer));
    finish();
}
END_TEST

/* A response before any request was understood, and one in place of a response that is due. */
START_TEST(test_error)
{
    struct verdict why = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO, "oops");
    struct request r;
    if (_i) {
        begin("GET", 1);
        r = request_of("GET", 1);
    } else {
        begin_stream();
        r = (struct request){.arena = arena};
    }
    response_writer_error(writer, &r, &why);
    ck_assert_ptr_nonnull(strstr(got(), "HTTP/1.1 400 "));
    ck_assert_ptr_nonnull(strstr(got(), "Connection: close\r\n"));
    ck_assert_ptr_nonnull(strstr(got(), "oops"));
    ck_assert_uint_eq(gathered, 1);
    ck_assert_int_eq(response_writer_state(writer), RESPONSE_COMPLETE);
    finish();
}
END_TEST

START_TEST(test_one_after_the_other)
{
    struct request r;
    begin("GET", 1);
    for (int i = 0; i < 3; i++) {
        (void)head(200, FRAMING_LENGTH, 1, false);
        body("z");
        response_writer_end(writer, &no_fields);
        response_writer_flush(writer);
        response_writer_done(writer);
        ck_assert_int_eq(response_writer_state(writer), RESPONSE_IDLE);
        r = request_of("GET", 1);
        response_writer_begin(writer, &r);
    }
    ck_assert_uint_eq(stream.writes, 3);
    finish();
}
END_TEST

/* ------------------------------------------------------------------------ cut */

START_TEST(test_wrong_length)
{
    begin("GET", 1); /* less than its head announced */
    (void)head(200, FRAMING_LENGTH, 3, false);
    body("ab");
    response_writer_end(writer, &no_fields);
    ck_assert_int_eq(response_writer_state(writer), RESPONSE_CUT);
    finish();
    begin("GET", 1); /* more: the rest is dropped */
    (void)head(200, FRAMING_LENGTH, 3, false);
    body("ab");
    body("cd");
    body("e");
    ck_assert_int_eq(response_writer_state(writer), RESPONSE_EXCESS);
    response_writer_end(writer, &no_fields);
    ck_assert_int_eq(response_writer_state(writer), RESPONSE_CUT);
    ck_assert_ptr_nonnull(strstr(got(), "\r\n\r\nabc"));
    ck_assert_ptr_null(strstr(got(), "abcd"));
    finish();
}
END_TEST

/* 0: HTTP/1.1, where the missing last chunk shows it; 1: HTTP/1.0, where nothing else does. */
START_TEST(test_cut)
{
    begin("GET", _i ? 0 : 1);
    (void)head(200, FRAMING_CHUNKED, 0, false);
    body("abc");
    ck_assert_int_eq(response_writer_needs_reset(writer), _i == 1);
    response_writer_cut(writer);
    ck_assert(response_writer_is_over(writer));
    ck_assert_ptr_null(strstr(got(), "\r\n0\r\n"));
    ck_assert_int_eq(response_writer_needs_reset(writer), _i == 1);
    finish();
}
END_TEST

/* The response is complete, but the kernel has not accepted all of it. */
START_TEST(test_close_too_early)
{
    begin("GET", 0);
    stream.stuck = true;
    (void)head(200, FRAMING_CHUNKED, 0, false);
    body("abc");
    response_writer_end(writer, &no_fields);
    response_writer_flush(writer);
    ck_assert(response_writer_needs_reset(writer));
    fake_stream_take(&stream, 1000);
    ck_assert(!response_writer_needs_reset(writer));
    finish();
}
END_TEST

/* ------------------------------------------------------ gathering, back-pressure */

START_TEST(test_gathered)
{
    begin("GET", 1);
    (void)head(200, FRAMING_CHUNKED, 0, false);
    body("hello");
    body("!");
    response_writer_end(writer, &no_fields);
    ck_assert_uint_eq(stream.writes, 0);
    ck_assert_uint_ge(gathered, 1);
    ck_assert_str_eq(got(), "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n" KEPT "\r\n"
                            "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n");
    ck_assert_uint_eq(stream.writes, 1);
    response_writer_flush(writer);
    ck_assert_uint_eq(stream.writes, 1);
    finish();
}
END_TEST

START_TEST(test_large_pieces_go_at_once)
{
    static char piece[100000];
    memset(piece, 'p', sizeof piece);
    begin("GET", 1);
    (void)head(200, FRAMING_CHUNKED, 0, false);
    response_writer_body(writer, piece, sizeof piece);
    ck_assert_uint_eq(stream.writes, 1); /* after the head */
    ck_assert_ptr_nonnull(strstr(stream.written.at, "\r\n\r\n186a0\r\nppp"));
    ck_assert_int_eq(memcmp(stream.written.at + stream.written.len - 3, "p\r\n", 3), 0);
    finish();
}
END_TEST

START_TEST(test_full)
{
    static char piece[100000];
    begin("GET", 1);
    stream.stuck = true;
    (void)head(200, FRAMING_LENGTH, 500000, false);
    response_writer_body(writer, piece, sizeof piece);
    response_writer_body(writer, piece, sizeof piece);
    ck_assert_uint_eq(full, 0);
    response_writer_body(writer, piece, sizeof piece);
    ck_assert(full == 1 && response_writer_is_full(writer));
    response_writer_body(writer, piece, sizeof piece); /* reported once */
    ck_assert_uint_eq(full, 1);
    ck_assert(response_writer_drained(writer) && !response_writer_is_full(writer));
    ck_assert(!response_writer_drained(writer));
    finish();
}
END_TEST

START_TEST(test_another_stream)
{
    struct fake_stream second;
    begin("GET", 1);
    fake_stream_init(&second);
    response_writer_use(writer, &second.base);
    (void)head(204, FRAMING_NONE, 0, false);
    response_writer_flush(writer);
    ck_assert(stream.writes == 0 && second.writes == 1);
    response_writer_use(writer, &stream.base);
    stream_close(&second.base);
    fake_stream_free(&second);
    finish();
}
END_TEST

START_TEST(test_two_heads)
{
    begin("GET", 1);
    (void)head(200, FRAMING_LENGTH, 3, false);
    (void)head(200, FRAMING_LENGTH, 3, false);
}
END_TEST

SUITE()
{
    LOOP(test_framing, 0, COUNT_OF(rows));
    TEST(test_interim);
    TEST(test_trailers);
    TEST(test_switch);
    LOOP(test_error, 0, 2);
    TEST(test_one_after_the_other);
    TEST(test_wrong_length);
    LOOP(test_cut, 0, 2);
    TEST(test_close_too_early);
    TEST(test_gathered);
    TEST(test_large_pieces_go_at_once);
    TEST(test_full);
    TEST(test_another_stream);
    ABORTS(test_two_heads);
}
