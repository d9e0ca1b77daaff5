/* Requests from bytes, without a connection: the events, each limit, and holding and stopping in
 * every state, however the bytes are split. */
#include "base/text.h"
#include "front/request_parser.h"
#include "suite.h"

static const struct request_limits limits = {.max_header_size = 512, .max_uri_size = 100};

static struct request_parser *parser;
static struct text told;      /* the events, in words */
static struct verdict reason; /* of the refusal */
static unsigned refusals;
static bool holds;         /* after each piece of the body */
static bool refuses;       /* at the head */
static bool stops_at_head; /* from inside the event */
static bool stops_at_body;

static void add_fields(const struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        text_printf(&told, " %.*s=%.*s", SPAN_ARG(fields->at[i].name),
                    SPAN_ARG(fields->at[i].value));
}

static bool on_head(void *owner, const struct request *r, struct verdict *why)
{
    ck_assert_ptr_eq(owner, &told);
    ck_assert_ptr_eq(r, request_parser_request(parser));
    text_printf(&told, "%.*s %.*s 1.%u", SPAN_ARG(r->method), SPAN_ARG(r->target), r->minor);
    add_fields(&r->fields);
    text_add(&told, SPAN("|"));
    if (stops_at_head)
        request_parser_stop(parser);
    if (refuses)
        *why = verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO, "not now");
    return !refuses;
}

static bool on_body(void *owner, const char *data, size_t len)
{
    (void)owner;
    ck_assert_uint_gt(len, 0);
    text_add(&told, (struct span){data, len});
    if (stops_at_body)
        request_parser_stop(parser);
    return !holds;
}

static void on_end(void *owner, const struct fields *trailers)
{
    (void)owner;
    text_add(&told, SPAN("|"));
    add_fields(trailers);
    text_add(&told, SPAN("."));
}

static void on_refused(void *owner, const struct verdict *why)
{
    (void)owner;
    ck_assert_int_eq(request_parser_state(parser), REQUEST_REFUSED);
    reason = *why;
    refusals++;
}

static void begin(void)
{
    static const struct request_parser_events events = {on_head, on_body, on_end, on_refused};
    text_clear(&told);
    text_add(&told, SPAN(""));
    refusals = 0;
    holds = refuses = stops_at_head = stops_at_body = false;
    parser = request_parser_new("test", &limits, NULL, &events, &told);
}

static void finish(void)
{
    request_parser_free(parser);
    parser = NULL;
    text_free(&told);
}

static const char *words(void)
{
    return told.len ? told.at : "";
}

static bool wants_more(void)
{
    enum request_parser_state s = request_parser_state(parser);
    return s == REQUEST_HEAD || s == REQUEST_BODY;
}

/* Feeds pieces of `step` bytes, and resumes the parser when it is held; returns how many were
 * used. */
static size_t feed(const char *data, size_t len, size_t step)
{
    size_t used = 0;
    while (wants_more()) {
        size_t left = len - used, n = left < step ? left : step;
        char *piece = malloc(n + 1); /* exactly its size, for ASan */
        ck_assert_ptr_nonnull(piece);
        memcpy(piece, data + used, n);
        size_t taken = request_parser_feed(parser, piece, n);
        free(piece);
        ck_assert_uint_le(taken, n);
        used += taken;
        if (request_parser_state(parser) == REQUEST_HELD)
            request_parser_resume(parser);
        else if (n == 0)
            break;
    }
    return used;
}

static size_t feed_all(const char *text)
{
    return feed(text, strlen(text), strlen(text));
}

/* ------------------------------------------------------------------ requests */

static const struct {
    const char *input, *told, *rest;
} good[] = {
    {"GET /a?b HTTP/1.1\r\nHost: h\r\nX:  y \r\n\r\n", "GET /a?b 1.1 Host=h X=y||.", ""},
    {"GET / HTTP/1.0\r\n\r\nGET /", "GET / 1.0||.", "GET /"},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloPOST",
     "POST / 1.1 Host=h Content-Length=5|hello|.", "POST"},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
     "2\r\nab\r\n3\r\ncde\r\n0\r\nT: u\r\n\r\n\r\n",
     "POST / 1.1 Host=h Transfer-Encoding=chunked|abcde| T=u.", "\r\n"},
    {"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n\x16\x03", "CONNECT h:443 1.1 Host=h:443||.",
     "\x16\x03"},
    {"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81",
     "GET / 1.1 Host=h Connection=Upgrade Upgrade=websocket||.", "\x81"},
};

/* The events are the same for pieces of any size, with or without holds; bytes after the request
 * are not used. */
START_TEST(test_requests)
{
    const char *input = good[_i].input;
    size_t len = strlen(input), rest = strlen(good[_i].rest);
    for (size_t step = 1; step <= 2 * len; step++) {
        begin();
        holds = step % 2;
        ck_assert_uint_eq(feed(input, len, step), len - rest);
        ck_assert_int_eq(request_parser_state(parser), REQUEST_COMPLETE);
        ck_assert_str_eq(words(), good[_i].told);
        ck_assert_uint_eq(refusals, 0);
        finish();
    }
}
END_TEST

START_TEST(test_empty_lines_are_skipped)
{
    ck_assert_uint_eq(request_parser_skip("\r\n\nGET", 6), 3);
    ck_assert_uint_eq(request_parser_skip("\r\n", 2), 2);
    ck_assert_uint_eq(request_parser_skip("GET\r\n", 5), 0);
    ck_assert_uint_eq(request_parser_skip("", 0), 0);
}
END_TEST

/* The end of the request is not reported before the parser is resumed and fed once more, with no
 * bytes. */
START_TEST(test_held_at_the_last_byte)
{
    begin();
    holds = true;
    ck_assert_uint_gt(
        request_parser_feed(parser, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", 50),
        0);
    ck_assert_int_eq(request_parser_state(parser), REQUEST_HELD);
    ck_assert_str_eq(words(), "POST / 1.1 Host=h Content-Length=1|x");
    request_parser_resume(parser);
    ck_assert_int_eq(request_parser_state(parser), REQUEST_BODY);
    ck_assert_uint_eq(request_parser_feed(parser, "", 0), 0);
    ck_assert_str_eq(words(), "POST / 1.1 Host=h Content-Length=1|x|.");
    request_parser_resume(parser); /* there is no hold any more */
    ck_assert_int_eq(request_parser_state(parser), REQUEST_COMPLETE);
    finish();
}
END_TEST

/* ------------------------------------------------------------------ refusals */

static const struct {
    const char *input;
    int status;
    bool known; /* its head was complete */
} bad[] = {
    {"BREW / HTTP/1.1\r\n\r\n", 501, false},
    {"SETUP / HTTP/1.1\r\n\r\n", 501, false},
    {"G\x01T / HTTP/1.1\r\n\r\n", 400, false},
    {"GET / HTTP/2.0\r\n\r\n", 505, false},
    {"GET / RTSP/1.0\r\n\r\n", 505, false},
    {"GET /\r\n\r\n", 505, false},
    {"GET / HTTP/1.1 x\r\n\r\n", 400, false},
    {"GET / HTTP/1.1\nHost: h\n\n", 400, false},
    {"GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400, false},
    {"GET / HTTP/1.1\r\n\r\n", 400, true},
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, true},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501, true},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, true},
};

START_TEST(test_refusals)
{
    const char *input = bad[_i].input;
    size_t len = strlen(input);
    for (size_t step = 1; step <= len; step++) {
        begin();
        (void)feed(input, len, step);
        ck_assert_int_eq(request_parser_state(parser), REQUEST_REFUSED);
        ck_assert_uint_eq(refusals, 1);
        ck_assert_int_eq(verdict_status(&reason), bad[_i].status);
        ck_assert_int_eq(reason.error, FAILURE_HTTP_REQUEST_ERROR);
        ck_assert_int_eq(reason.sent, SENT_NO);
        ck_assert_int_eq(request_parser_request(parser)->method.len > 0, bad[_i].known);
        finish();
    }
}
END_TEST

/* The status (0: none) with which a request is refused that has this many filler bytes between the
 * two given parts. */
static int status_of_long(const char *before, size_t filling, const char *behind, size_t step)
{
    struct text text = {0};
    text_add_str(&text, before);
    memset(text_reserve(&text, filling), 'a', filling);
    text_added(&text, filling);
    text_add_str(&text, behind);
    begin();
    (void)feed(text.at, text.len, step);
    int status = refusals ? verdict_status(&reason) : 0;
    finish();
    text_free(&text);
    return status;
}

START_TEST(test_limits)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: h\r\nX: ", end[] = "\r\n\r\n",
                      version[] = " HTTP/1.1\r\nHost: h\r\n\r\n",
                      post[] = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "0\r\nX: ";
    for (size_t step = 1; step < 1000; step = step * 3 + 1) {
        ck_assert_int_eq(status_of_long("GET /", 99, version, step), 0);
        ck_assert_int_eq(status_of_long("GET /", 100, version, step), 414);
        ck_assert_int_eq(status_of_long(get, 400, end, step), 0);
        ck_assert_int_eq(status_of_long(get, 600, end, step), 431);
        ck_assert_int_eq(status_of_long(post, 400, end, step), 0);
        ck_assert_int_eq(status_of_long(post, 600, end, step), 431);
    }
}
END_TEST

START_TEST(test_refused_by_the_owner)
{
    begin();
    refuses = true;
    ck_assert_uint_eq(feed_all(good[2].input), strlen(good[2].input)); /* all bytes are used up */
    ck_assert_uint_eq(refusals, 1);
    ck_assert_str_eq(reason.detail, "not now");
    ck_assert_int_eq(reason.error, FAILURE_CONNECTION_LIMIT_REACHED);
    ck_assert_str_eq(words(), "POST / 1.1 Host=h Content-Length=5|");
    finish();
}
END_TEST

/* No event follows, not even a refusal. */
START_TEST(test_stopped)
{
    begin(); /* before the first byte */
    request_parser_stop(parser);
    request_parser_stop(parser);
    ck_assert_int_eq(request_parser_state(parser), REQUEST_REFUSED);
    finish();
    begin(); /* in its head */
    (void)feed_all("GET / HT");
    request_parser_stop(parser);
    ck_assert_str_eq(words(), "");
    finish();
    begin(); /* from inside the events */
    stops_at_head = true;
    (void)feed_all(good[2].input);
    ck_assert_str_eq(words(), "POST / 1.1 Host=h Content-Length=5|");
    finish();
    begin();
    stops_at_body = true;
    (void)feed_all(good[2].input);
    ck_assert_str_eq(words(), "POST / 1.1 Host=h Content-Length=5|hello");
    finish();
    begin(); /* held */
    holds = true;
    (void)request_parser_feed(parser, good[2].input, strlen(good[2].input));
    request_parser_stop(parser);
    ck_assert_int_eq(request_parser_state(parser), REQUEST_REFUSED);
    finish();
    begin(); /* complete */
    (void)feed_all(good[0].input);
    request_parser_stop(parser);
    ck_assert_int_eq(request_parser_state(parser), REQUEST_REFUSED);
    ck_assert_uint_eq(refusals, 0);
    finish();
}
END_TEST

START_TEST(test_fed_when_complete)
{
    begin();
    (void)feed_all(good[0].input);
    (void)request_parser_feed(parser, "x", 1);
}
END_TEST

/* ----------------------------------------------------------------- the memory */

START_TEST(test_ids)
{
    static const struct request_parser_events events = {on_head, on_body, on_end, on_refused};
    struct request_ids ids;
    request_ids_init(&ids, 1, 2);
    begin();
    ck_assert_str_eq(request_id_text(&request_parser_request(parser)->id), "-");
    request_parser_free(parser);
    parser = request_parser_new("test", &limits, &ids, &events, &told);
    ck_assert_ptr_nonnull(strstr(request_id_text(&request_parser_request(parser)->id), "-1"));
    finish();
}
END_TEST

/* The arena, which contains the request's bytes, outlives the parser. */
START_TEST(test_disowned)
{
    begin();
    (void)feed_all(good[0].input);
    struct request copy = *request_parser_request(parser);
    request_parser_disown(parser);
    finish();
    ck_assert(span_is(copy.target, SPAN("/a?b")));
    arena_free(copy.arena);
}
END_TEST

SUITE()
{
    LOOP(test_requests, 0, COUNT_OF(good));
    TEST(test_empty_lines_are_skipped);
    TEST(test_held_at_the_last_byte);
    LOOP(test_refusals, 0, COUNT_OF(bad));
    TEST(test_limits);
    TEST(test_refused_by_the_owner);
    TEST(test_stopped);
    ABORTS(test_fed_when_complete);
    TEST(test_ids);
    TEST(test_disowned);
}
