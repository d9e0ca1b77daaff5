/* Which requests are refused, and how the body of an accepted one is framed, including the
 * well-known cases of request smuggling. Heads are written as "Name: value\n" lines. */
#include "base/text.h"
#include "http/framing.h"

#include "suite.h"

static struct fields fields_of(struct arena *arena, const char *lines)
{
    struct fields f = {0};
    struct span rest = span_of(lines);
    while (rest.len) {
        struct span line = span_first(rest, span_find(rest, '\n'));
        size_t colon = span_find(line, ':');
        fields_add(&f, arena, span_first(line, colon), span_trim(span_from(line, colon + 1)));
        rest = span_from(rest, line.len + 1);
    }
    return f;
}

/* ----------------------------------------------------------------- requests */

#define HOST "Host: a\n"

static const struct request_case {
    const char *method, *fields;
    unsigned minor;
    int status; /* status of the refusal; 0: the request is accepted and framed as follows */
    enum framing framing;
    uint64_t length;
} requests[] = {
    {"GET", HOST, 1, 0, FRAMING_NONE, 0},
    {"GET", "", 0, 0, FRAMING_NONE, 0},
    {"GET", HOST, 0, 0, FRAMING_NONE, 0},
    {"GET", "Host:\n", 1, 0, FRAMING_NONE, 0},
    {"POST", HOST "content-LENGTH: 12\n", 1, 0, FRAMING_LENGTH, 12},
    {"POST", "Content-Length: 3\n", 0, 0, FRAMING_LENGTH, 3},
    {"POST", HOST "Content-Length: 0\n", 1, 0, FRAMING_LENGTH, 0},
    {"POST", HOST "Content-Length: 007\n", 1, 0, FRAMING_LENGTH, 7},
    {"POST", HOST "Content-Length: 9223372036854775807\n", 1, 0, FRAMING_LENGTH, INT64_MAX},
    {"POST", HOST "Transfer-Encoding: chunked\n", 1, 0, FRAMING_CHUNKED, 0},
    {"POST", HOST "transfer-encoding: Chunked \n", 1, 0, FRAMING_CHUNKED, 0},
    {"GET", HOST "X: tab\there, \x80 obs-text\n", 1, 0, FRAMING_NONE, 0},
    {"CONNECT", "", 0, 0, FRAMING_NONE, 0},
    {"CONNECT", HOST "Content-Length: 0\n", 1, 0, FRAMING_NONE, 0},
    /* versions and Host */
    {"GET", HOST, 2, 505, 0, 0},
    {"GET", HOST, 9, 505, 0, 0},
    {"GET", "Accept: x\n", 1, 400, 0, 0},
    {"GET", HOST HOST, 1, 400, 0, 0},
    {"GET", HOST "hOST: b\n", 1, 400, 0, 0},
    {"GET", HOST HOST, 0, 400, 0, 0},
    {"CONNECT", "", 1, 400, 0, 0},
    /* Content-Length */
    {"POST", HOST "Content-Length: 5\nContent-Length: 5\n", 1, 400, 0, 0},
    {"POST", HOST "Content-Length: 5\nContent-Length: 6\n", 1, 400, 0, 0},
    {"POST", HOST "Content-Length: 5, 5\n", 1, 400, 0, 0},
    {"POST", HOST "Content-Length:\n", 1, 400, 0, 0},
    {"POST", HOST "Content-Length: +5\n", 1, 400, 0, 0},
    {"POST", HOST "Content-Length: -1\n", 1, 400, 0, 0},
    {"POST", HOST "Content-Length: 0x5\n", 1, 400, 0, 0},
    {"POST", HOST "Content-Length: 5 5\n", 1, 400, 0, 0},
    {"POST", HOST "Content-Length: 5a\n", 1, 400, 0, 0},
    {"POST", HOST "Content-Length: \"5\"\n", 1, 400, 0, 0},
    {"POST", HOST "Content-Length: 9223372036854775808\n", 1, 400, 0, 0},
    {"POST", HOST "Content-Length: 18446744073709551621\n", 1, 400, 0, 0},
    {"POST", HOST "Content-Length: 99999999999999999999999999\n", 1, 400, 0, 0},
    /* Transfer-Encoding */
    {"POST", HOST "Transfer-Encoding: chunked\n", 0, 400, 0, 0},
    {"POST", HOST "Transfer-Encoding: chunked\nContent-Length: 5\n", 1, 400, 0, 0},
    {"POST", HOST "Content-Length: 5\nTransfer-Encoding: chunked\n", 1, 400, 0, 0},
    {"POST", HOST "Content-Length: 5\nTransfer-Encoding:\n", 1, 400, 0, 0},
    {"POST", HOST "Content-Length: 0\nTransfer-Encoding: identity\n", 1, 400, 0, 0},
    {"POST", HOST "Transfer-Encoding:\n", 1, 400, 0, 0},
    {"POST", HOST "Transfer-Encoding: ,\n", 1, 400, 0, 0},
    {"POST", HOST "Transfer-Encoding: chunked, chunked\n", 1, 400, 0, 0},
    {"POST", HOST "Transfer-Encoding: chunked,\n", 1, 400, 0, 0},
    {"POST", HOST "Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n", 1, 400, 0, 0},
    {"POST", HOST "Transfer-Encoding: chunked\nTransfer-Encoding:\n", 1, 400, 0, 0},
    {"POST", HOST "Transfer-Encoding: chunked\nTransfer-Encoding: identity\n", 1, 501, 0, 0},
    {"POST", HOST "Transfer-Encoding: gzip, chunked\n", 1, 501, 0, 0},
    {"POST", HOST "Transfer-Encoding: chunked, gzip\n", 1, 501, 0, 0},
    {"POST", HOST "Transfer-Encoding: xchunked\n", 1, 501, 0, 0},
    {"POST", HOST "Transfer-Encoding: \"chunked\"\n", 1, 501, 0, 0},
    {"POST", HOST "Transfer-Encoding: chunked;x=y\n", 1, 501, 0, 0},
    {"POST", HOST "Transfer-Encoding: identity\n", 1, 501, 0, 0},
    {"POST", HOST "Transfer-Encoding: \vchunked\n", 1, 400, 0, 0},
    /* a body where none is allowed */
    {"CONNECT", HOST "Content-Length: 5\n", 1, 400, 0, 0},
    {"CONNECT", HOST "Transfer-Encoding: chunked\n", 1, 400, 0, 0},
    /* control characters, at every position of an eight-byte word */
    {"GET", HOST "X: a\rContent-Length: 5\n", 1, 400, 0, 0},
    {"GET", HOST "X: 1234567\r\n", 1, 400, 0, 0},
    {"GET", HOST "X: \x7f\n", 1, 400, 0, 0},
    {"GET", HOST "X: 12345678\x1f\n", 1, 400, 0, 0},
    {"GET", HOST "X: tab\tand\x01\n", 1, 400, 0, 0},
    {"GET",
     HOST "X: \x7f"
          "12345678901234567\n",
     1, 400, 0, 0},
};

START_TEST(request_is_framed)
{
    const struct request_case *c = &requests[_i];
    struct arena *arena = arena_new();
    struct request r = {.arena = arena, .method = span_of(c->method), .minor = c->minor};
    struct verdict why = {0};
    r.fields = fields_of(arena, c->fields);
    bool taken = framing_of_request(&r, &why);
    ck_assert_msg(taken == (c->status == 0), "%s %s", c->method, c->fields);
    if (taken) {
        ck_assert_int_eq(r.framing, c->framing);
        ck_assert_uint_eq(r.length, c->length);
    } else {
        ck_assert_msg(why.status == c->status, "%d for %s", why.status, c->fields);
        ck_assert_int_eq(why.error, FAILURE_HTTP_REQUEST_ERROR);
        ck_assert_int_eq(why.sent, SENT_NO);
        ck_assert_uint_gt(strlen(why.detail), 0);
    }
    arena_free(arena);
}
END_TEST

START_TEST(nul_and_newline_are_refused)
{
    for (size_t at = 0; at < 20; at++) {
        char value[20];
        memset(value, 'v', sizeof value);
        value[at] = at % 2 ? '\0' : '\n';
        struct field both[] = {{SPAN("Host"), SPAN("a")}, {SPAN("X"), {value, sizeof value}}};
        struct request r = {.method = SPAN("GET"), .minor = 1, .fields = {.at = both, .count = 2}};
        struct verdict why;
        ck_assert(!framing_of_request(&r, &why));
        ck_assert_int_eq(why.status, 400);
    }
}
END_TEST

static struct request taken(struct arena *arena, const char *method, unsigned minor,
                            const char *lines)
{
    struct request r = {.arena = arena, .method = span_of(method), .minor = minor};
    struct verdict why;
    r.fields = fields_of(arena, lines);
    ck_assert_msg(framing_of_request(&r, &why), "%s", lines);
    return r;
}

START_TEST(methods_are_known)
{
    static const struct {
        const char *method;
        bool is_head, is_safe, is_order;
    } cases[] = {
        {"GET", false, true, false},     {"HEAD", true, true, false},
        {"OPTIONS", false, true, false}, {"TRACE", false, true, false},
        {"POST", false, false, true},    {"PUT", false, false, true},
        {"PATCH", false, false, true},   {"DELETE", false, false, true},
        {"get", false, false, false},    {"QUERY", false, false, false},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct request r = taken(arena, cases[i].method, 1, HOST);
        ck_assert_int_eq(r.is_head, cases[i].is_head);
        ck_assert_int_eq(r.is_safe, cases[i].is_safe);
        ck_assert_int_eq(r.is_order, cases[i].is_order);
    }
    arena_free(arena);
}
END_TEST

START_TEST(request_keeps_the_connection)
{
    static const struct {
        unsigned minor;
        const char *fields;
        bool keeps;
    } cases[] = {
        {1, HOST, true},
        {1, HOST "Connection: x, Close\n", false},
        {1, HOST "Connection: keep-alive, close\n", false},
        {1, HOST "Connection: closed\n", true},
        {0, "", false},
        {0, "Connection: Keep-Alive\n", true},
        {0, "Proxy-Connection: keep-alive\n", true},
        {0, "Connection: close\nProxy-Connection: keep-alive\n", false},
        {0, "Keep-Alive: timeout=5\n", false},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        ck_assert_msg(taken(arena, "GET", cases[i].minor, cases[i].fields).keeps_alive ==
                          cases[i].keeps,
                      "%s", cases[i].fields);
    arena_free(arena);
}
END_TEST

#define WEBSOCKET "Connection: keep-alive, Upgrade\nUpgrade: WebSocket\n"

START_TEST(upgrades)
{
    struct arena *arena = arena_new();
    ck_assert(taken(arena, "GET", 1, HOST WEBSOCKET).upgrades);
    ck_assert(!taken(arena, "GET", 0, HOST WEBSOCKET).upgrades);
    ck_assert(!taken(arena, "POST", 1, HOST WEBSOCKET).upgrades);
    ck_assert(!taken(arena, "GET", 1, HOST WEBSOCKET "Content-Length: 4\n").upgrades);
    ck_assert(!taken(arena, "GET", 1, HOST "Upgrade: websocket\n").upgrades);
    ck_assert(!taken(arena, "GET", 1, HOST "Connection: upgrade\nUpgrade: h2c\n").upgrades);
    arena_free(arena);
}
END_TEST

START_TEST(expectations)
{
    static const struct {
        unsigned minor;
        const char *fields;
        bool expects;
    } cases[] = {
        {1, HOST "Expect: 100-Continue\nContent-Length: 1\n", true},
        {1, HOST "Expect: 100-continue\nTransfer-Encoding: chunked\n", true},
        {0, "Expect: 100-continue\nContent-Length: 1\n", false},
        {1, HOST "Expect: 100-continue\nContent-Length: 0\n", false},
        {1, HOST "Expect: 100-continue\n", false},
        {1, HOST "Expect: 200-ok\nContent-Length: 1\n", false},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        ck_assert_msg(taken(arena, "PUT", cases[i].minor, cases[i].fields).expects_continue ==
                          cases[i].expects,
                      "%s", cases[i].fields);
    arena_free(arena);
}
END_TEST

/* ---------------------------------------------------------------- responses */

static const struct response_case {
    unsigned status, minor;
    bool to_head;
    const char *fields;
    bool taken;
    enum framing framing;
    bool has_length;
    uint64_t length;
    bool keeps_alive;
} responses[] = {
    {200, 1, false, "Content-Length: 5\n", true, FRAMING_LENGTH, true, 5, true},
    {200, 1, false, "Content-Length: 0\n", true, FRAMING_LENGTH, true, 0, true},
    {200, 1, false, "Transfer-Encoding: chunked\n", true, FRAMING_CHUNKED, false, 0, true},
    {200, 1, false, "Content-Length: 5\nConnection: close\n", true, FRAMING_LENGTH, true, 5, false},
    {200, 1, false, "", true, FRAMING_CLOSE, false, 0, false},
    {200, 1, false, "Connection: keep-alive\n", true, FRAMING_CLOSE, false, 0, false},
    {200, 0, false, "Content-Length: 5\n", true, FRAMING_LENGTH, true, 5, false},
    {200, 0, false, "Content-Length: 5\nConnection: keep-alive\n", true, FRAMING_LENGTH, true, 5,
     true},
    {599, 1, false, "Content-Length: 1\n", true, FRAMING_LENGTH, true, 1, true},
    /* no body, whatever the fields say */
    {200, 1, true, "Content-Length: 5\n", true, FRAMING_NONE, true, 5, true},
    {200, 1, true, "", true, FRAMING_NONE, false, 0, true},
    {200, 1, true, "Transfer-Encoding: chunked\n", true, FRAMING_NONE, false, 0, true},
    {200, 1, true, "Content-Length: x\n", true, FRAMING_NONE, false, 0, false},
    {304, 1, false, "Content-Length: 5\n", true, FRAMING_NONE, true, 5, true},
    {304, 1, false, "Content-Length: 5\nContent-Length: 6\n", true, FRAMING_NONE, false, 0, false},
    {204, 1, false, "", true, FRAMING_NONE, false, 0, true},
    {204, 1, false, "Content-Length: 0\n", true, FRAMING_NONE, false, 0, true},
    {204, 1, false, "Content-Length: 5\n", true, FRAMING_NONE, false, 0, false},
    {204, 1, false, "Transfer-Encoding: chunked\n", true, FRAMING_NONE, false, 0, false},
    {100, 1, false, "", true, FRAMING_NONE, false, 0, true},
    {103, 1, false, "Link: </a>\nContent-Length: 0\n", true, FRAMING_NONE, false, 0, true},
    {100, 1, false, "Content-Length: 5\n", true, FRAMING_NONE, false, 0, true},
    {102, 1, false, "Transfer-Encoding: chunked\n", true, FRAMING_NONE, false, 0, true},
    {103, 1, false, "Transfer-Encoding: gzip\nContent-Length: x\nConnection: close\n", true,
     FRAMING_NONE, false, 0, true},
    {103, 0, false, "", true, FRAMING_NONE, false, 0, true},
    /* refused */
    {103, 1, false, "Link: a\rSet-Cookie: b\n", false, 0, false, 0, false},
    {101, 1, false, "Connection: upgrade\nUpgrade: websocket\n", false, 0, false, 0, false},
    {99, 1, false, "", false, 0, false, 0, false},
    {600, 1, false, "", false, 0, false, 0, false},
    {0, 1, false, "", false, 0, false, 0, false},
    {200, 2, false, "Content-Length: 5\n", false, 0, false, 0, false},
    {200, 1, false, "Content-Length: 5\nContent-Length: 5\n", false, 0, false, 0, false},
    {200, 1, false, "Content-Length: 5\nContent-Length: 6\n", false, 0, false, 0, false},
    {200, 1, false, "Content-Length: 5, 5\n", false, 0, false, 0, false},
    {200, 1, false, "Content-Length: -5\n", false, 0, false, 0, false},
    {200, 1, false, "Content-Length:\n", false, 0, false, 0, false},
    {200, 1, false, "Content-Length: 5\nTransfer-Encoding: chunked\n", false, 0, false, 0, false},
    {200, 1, false, "Transfer-Encoding: gzip, chunked\n", false, 0, false, 0, false},
    {200, 1, false, "Transfer-Encoding: identity\n", false, 0, false, 0, false},
    {200, 1, false, "Transfer-Encoding:\n", false, 0, false, 0, false},
    {200, 1, false, "Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n", false, 0, false, 0,
     false},
    {200, 0, false, "Transfer-Encoding: chunked\n", false, 0, false, 0, false},
    {200, 1, false, "Content-Length: 5\nX: a\rSet-Cookie: b\n", false, 0, false, 0, false},
};

START_TEST(response_is_framed)
{
    const struct response_case *c = &responses[_i];
    struct arena *arena = arena_new();
    struct response r = {.status = c->status, .minor = c->minor};
    struct verdict why = {0};
    r.fields = fields_of(arena, c->fields);
    bool ok = framing_of_response(&r, c->to_head, &why);
    ck_assert_msg(ok == c->taken, "%u %s", c->status, c->fields);
    if (ok) {
        ck_assert_int_eq(r.framing, c->framing);
        ck_assert_int_eq(r.has_length, c->has_length);
        ck_assert_uint_eq(r.length, c->length);
        ck_assert_msg(r.keeps_alive == c->keeps_alive, "%u %s", c->status, c->fields);
    } else {
        ck_assert_int_eq(why.error, FAILURE_HTTP_PROTOCOL_ERROR);
        ck_assert_int_eq(why.sent, SENT_YES);
    }
    arena_free(arena);
}
END_TEST

/* Each comma counts: even a list of nothing but commas uses up the limit. */
START_TEST(options_are_counted)
{
    static const struct {
        const char *piece;
        size_t times;
        bool fine;
    } rows[] = {{"a,", 100, true},   {"a,", 101, false}, {",", 100, true},
                {",", 15000, false}, {", ", 101, false}, {"close,", 101, false}};
    struct arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct text list = {0};
        struct verdict why;
        text_add_str(&list, "");
        for (size_t n = 0; n < rows[i].times; n++)
            text_add_str(&list, rows[i].piece);
        struct request q = {.method = SPAN("GET"), .minor = 1};
        struct response r = {.status = 204, .minor = 1};
        fields_add(&q.fields, arena, SPAN("Host"), SPAN("h"));
        fields_add(&q.fields, arena, SPAN("Connection"), text_span(&list));
        fields_add(&r.fields, arena, SPAN("connection"), text_span(&list));
        ck_assert(framing_of_request(&q, &why) == rows[i].fine);
        ck_assert(rows[i].fine || verdict_status(&why) == 400);
        ck_assert(framing_of_response(&r, false, &why) == rows[i].fine);
        ck_assert(rows[i].fine || verdict_status(&why) == 502);
        text_free(&list);
    }
    arena_free(arena);
}
END_TEST

SUITE()
{
    LOOP(request_is_framed, 0, COUNT_OF(requests));
    LOOP(response_is_framed, 0, COUNT_OF(responses));
    TEST(nul_and_newline_are_refused);
    TEST(methods_are_known);
    TEST(request_keeps_the_connection);
    TEST(upgrades);
    TEST(expectations);
    TEST(options_are_counted);
}
