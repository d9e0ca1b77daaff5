/* Error responses as shown in contract 4, and a response of trunkline's own as an exchange: events
 * in order, paused, and cancelled at every event. */
#include "http/reply.h"

#include "suite.h"

static struct arena *arena;

static void setup(void)
{
    arena = arena_new();
}

static void teardown(void)
{
    arena_free(arena);
}

/* ------------------------------------------------------------ error responses */

static void has_field(const struct response *r, const char *name, const char *value)
{
    const struct field *f = fields_find(&r->fields, span_of(name));
    if (value == NULL) {
        ck_assert_ptr_null(f);
        return;
    }
    ck_assert_ptr_nonnull(f);
    ck_assert_msg(span_is(f->value, span_of(value)), "%s: %.*s", name, SPAN_ARG(f->value));
}

static void is_text(struct span s, const char *expected)
{
    ck_assert_msg(span_is(s, span_of(expected)), "%.*s", SPAN_ARG(s));
}

static struct request *request_accepting(const char *accept)
{
    struct request *r = arena_alloc(arena, sizeof *r);
    fields_add(&r->fields, arena, SPAN("Host"), SPAN("a"));
    if (accept)
        fields_add(&r->fields, arena, SPAN("Accept"), span_of(accept));
    return r;
}

START_TEST(text_is_the_rule)
{
    struct verdict v =
        verdict_make(FAILURE_HTTP_RESPONSE_TIMEOUT, SENT_YES, "no response head within 9s");
    struct span body;
    struct response *r =
        reply_error(arena, request_accepting(NULL), &v, "kraken", "api.kraken.com:443", &body);
    ck_assert_uint_eq(r->status, 504);
    is_text(r->reason, "Gateway Timeout");
    has_field(r, "Content-Type", "text/plain; charset=utf-8");
    has_field(r, "Proxy-Status",
              "trunkline; error=http_response_timeout; "
              "next-hop=\"api.kraken.com:443\"; details=\"sent=yes\"");
    has_field(r, "Trunkline-Sent", "yes");
    has_field(r, "Cache-Control", "no-store");
    has_field(r, "X-Content-Type-Options", "nosniff");
    has_field(r, "Retry-After", NULL);
    has_field(r, "Content-Length", NULL);
    is_text(body, "trunkline: http_response_timeout; upstream=kraken; sent=yes\n"
                  "no response head within 9s\n");
    ck_assert_int_eq(r->framing, FRAMING_LENGTH);
    ck_assert(r->has_length);
    ck_assert_uint_eq(r->length, body.len);
}
END_TEST

START_TEST(json_for_who_names_it)
{
    struct verdict v = verdict_make(FAILURE_CONNECTION_TERMINATED, SENT_PARTIAL, "he said \"no\"");
    struct span body;
    struct response *r =
        reply_error(arena, request_accepting("application/json"), &v, "okx", NULL, &body);
    ck_assert_uint_eq(r->status, 502);
    has_field(r, "Content-Type", "application/json");
    has_field(r, "Proxy-Status",
              "trunkline; error=connection_terminated; details=\"sent=partial\"");
    is_text(body, "{\"error\":\"connection_terminated\",\"detail\":\"he said \\\"no\\\"\","
                  "\"upstream\":\"okx\",\"sent\":\"partial\"}\n");
}
END_TEST

START_TEST(accept_decides)
{
    static const struct {
        const char *accept;
        bool json;
    } cases[] = {
        {"*/*", false},
        {"application/*", false},
        {"text/html, application/json", true},
        {"Application/JSON;charset=utf-8", true},
        {"application/json; q=0.1", true},
        {"application/json;q=0", false},
        {"application/json ; x=y ; Q=0.000", false},
        {"application/json;q=0.001", true},
        {"application/jsonp", false},
        {"application/json+x, application/vnd.api+json", false},
        {"application/json;q=0, application/json", true},
        {"", false},
    };
    struct verdict v = verdict_make(FAILURE_DNS_ERROR, SENT_NO, "no such host");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct span body;
        (void)reply_error(arena, request_accepting(cases[i].accept), &v, NULL, NULL, &body);
        ck_assert_msg((body.at[0] == '{') == cases[i].json, "%s", cases[i].accept);
    }
}
END_TEST

START_TEST(without_a_request)
{
    struct verdict v = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO, "too long");
    struct span body;
    v.status = 431;
    v.retry_after = 7;
    struct response *r = reply_error(arena, NULL, &v, NULL, NULL, &body);
    ck_assert_uint_eq(r->status, 431);
    is_text(r->reason, "Request Header Fields Too Large");
    has_field(r, "Retry-After", "7");
    is_text(body, "trunkline: http_request_error; upstream=-; sent=no\ntoo long\n");
}
END_TEST

START_TEST(head_is_told_the_length_alone)
{
    struct verdict v = verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "paused");
    struct request *request = request_accepting(NULL);
    struct span body;
    request->is_head = true;
    struct response *r = reply_error(arena, request, &v, "okx", NULL, &body);
    ck_assert_uint_eq(body.len, 0);
    ck_assert_int_eq(r->framing, FRAMING_NONE);
    ck_assert(r->has_length);
    const char *words = "trunkline: destination_unavailable; upstream=okx; sent=no\npaused\n";
    ck_assert_uint_eq(r->length, strlen(words));
}
END_TEST

START_TEST(hostile_words_are_tamed)
{
    struct verdict v = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO, "a\r\nX: y\x80\xff \"q\"");
    struct span body;
    struct response *r = reply_error(arena, NULL, &v, "b\nc", "h\"\\\r\n\xc3\xa9:443", &body);
    is_text(body, "trunkline: http_request_error; upstream=b?c; sent=no\na??X: y?? \"q\"\n");
    has_field(r, "Proxy-Status",
              "trunkline; error=http_request_error; "
              "next-hop=\"h\\\"\\\\????:443\"; details=\"sent=no\"");
    (void)reply_error(arena, request_accepting("application/json"), &v, NULL, NULL, &body);
    is_text(body, "{\"error\":\"http_request_error\",\"detail\":\"a??X: y?? \\\"q\\\"\","
                  "\"upstream\":\"\",\"sent\":\"no\"}\n");
}
END_TEST

START_TEST(reasons)
{
    is_text(reply_reason(429), "Too Many Requests");
    is_text(reply_reason(505), "HTTP Version Not Supported");
    is_text(reply_reason(299), "");
}
END_TEST

/* ---------------------------------------------------------------- exchanges */

struct reply_owner {
    struct exchange *exchange;
    char heard[16];
    char cancel_at, pause_at, bounce_at; /* one of "hbe": the event in which to act */
    struct span body;
    const struct response *response;
};

static void hear(struct reply_owner *a, char event)
{
    size_t len = strlen(a->heard);
    ck_assert_uint_lt(len, sizeof a->heard - 1);
    a->heard[len] = event;
    if (a->pause_at == event || a->bounce_at == event)
        exchange_pause(a->exchange);
    if (a->bounce_at == event)
        exchange_resume(a->exchange);
    if (a->cancel_at == event)
        exchange_cancel(a->exchange);
}

static void on_head(void *owner, const struct response *r)
{
    struct reply_owner *a = owner;
    ck_assert_ptr_eq(r, a->response);
    hear(a, 'h');
}

static void on_body(void *owner, const char *data, size_t len)
{
    struct reply_owner *a = owner;
    ck_assert(span_is((struct span){data, len}, a->body));
    hear(a, 'b');
}

static void on_end(void *owner, const struct fields *trailers)
{
    ck_assert_uint_eq(trailers->count, 0);
    hear(owner, 'e');
}

static void on_failed(void *owner, const struct verdict *why)
{
    ck_assert_str_eq(why->detail, "the end");
    hear(owner, 'f');
}

static const struct exchange_events events = {
    .on_head = on_head, .on_body = on_body, .on_end = on_end, .on_failed = on_failed};
static const struct response answer = {.status = 200};

static void ask(struct loop *loop, struct reply_owner *a, struct span body)
{
    a->body = body;
    a->response = &answer;
    a->exchange = reply_open(loop, &answer, body, &events, a);
    ck_assert_str_eq(a->heard, "");
}

START_TEST(events_in_order)
{
    struct loop *loop = loop_new();
    struct reply_owner a = {0}, empty = {0};
    ask(loop, &a, SPAN("body"));
    ask(loop, &empty, SPAN(""));
    ck_assert(exchange_body(a.exchange, "upload", 6)); /* swallowed */
    exchange_finish(a.exchange, &(struct fields){0});
    loop_turn(loop, false);
    ck_assert_str_eq(a.heard, "hbe");
    ck_assert_str_eq(empty.heard, "he");
    loop_free(loop);
}
END_TEST

START_TEST(paused_until_resumed)
{
    struct loop *loop = loop_new();
    struct reply_owner early = {0}, late = {.pause_at = 'h'}, bounced = {.bounce_at = 'h'};
    ask(loop, &early, SPAN("body"));
    exchange_pause(early.exchange);
    ask(loop, &late, SPAN("body"));
    ask(loop, &bounced, SPAN("body"));
    loop_turn(loop, false);
    loop_turn(loop, false);
    ck_assert_str_eq(early.heard, "h");
    ck_assert_str_eq(late.heard, "h");
    ck_assert_str_eq(bounced.heard, "hbe");
    exchange_resume(early.exchange);
    exchange_resume(late.exchange);
    exchange_resume(late.exchange);
    ck_assert_str_eq(late.heard, "h");
    loop_turn(loop, false);
    ck_assert_str_eq(early.heard, "hbe");
    ck_assert_str_eq(late.heard, "hbe");
    loop_free(loop);
}
END_TEST

static void on_gone(void *context)
{
    ++*(unsigned *)context;
}

START_TEST(cancelled_in_every_state)
{
    struct loop *loop = loop_new();
    struct reply_owner before = {0}, head = {.cancel_at = 'h'}, body = {.cancel_at = 'b'};
    struct reply_owner paused = {.pause_at = 'h'}, unheard = {0};
    ask(loop, &before, SPAN("body"));
    exchange_cancel(before.exchange);
    ask(loop, &head, SPAN("body"));
    ask(loop, &body, SPAN("body"));
    ask(loop, &paused, SPAN("body"));
    loop_turn(loop, false);
    exchange_cancel(paused.exchange);
    ask(loop, &unheard, SPAN("body"));
    exchange_cancel(unheard.exchange);
    loop_free(loop); /* a cancelled exchange is freed, or ASan would report a leak */
    ck_assert_str_eq(before.heard, "");
    ck_assert_str_eq(head.heard, "h");
    ck_assert_str_eq(body.heard, "hb");
    ck_assert_str_eq(paused.heard, "h");
    ck_assert_str_eq(unheard.heard, "");
}
END_TEST

/* A response that comes later, or whose owner cancels first. */
START_TEST(answered_later)
{
    struct loop *loop = loop_new();
    struct reply_owner a = {.body = SPAN("body"), .response = &answer}, paused = a, left = a,
                       refused = a;
    struct verdict why = verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "the end");
    unsigned gone = 0;
    a.exchange = reply_open_later(loop, on_gone, &gone, &events, &a);
    paused.exchange = reply_open_later(loop, on_gone, &gone, &events, &paused);
    left.exchange = reply_open_later(loop, on_gone, &gone, &events, &left);
    exchange_pause(a.exchange);
    exchange_resume(a.exchange);
    exchange_pause(paused.exchange);
    exchange_cancel(left.exchange);
    refused.exchange = reply_open_later(loop, on_gone, &gone, &events, &refused);
    exchange_refuse(refused.exchange, &why);
    ck_assert_uint_eq(gone, 2);
    ck_assert_str_eq(refused.heard, "");
    loop_turn(loop, false);
    ck_assert_str_eq(a.heard, "");
    ck_assert_str_eq(refused.heard, "f");
    reply_answer(a.exchange, &answer, SPAN("body"));
    reply_answer(paused.exchange, &answer, SPAN("body"));
    ck_assert_str_eq(a.heard, ""); /* no event from inside the call */
    loop_turn(loop, false);
    ck_assert_str_eq(a.heard, "hbe");
    ck_assert_str_eq(paused.heard, "h");
    exchange_cancel(paused.exchange);
    loop_free(loop);
    ck_assert_uint_eq(gone, 2);
    ck_assert_str_eq(left.heard, "");
}
END_TEST

SUITE()
{
    TEST(events_in_order);
    TEST(paused_until_resumed);
    TEST(cancelled_in_every_state);
    TEST(answered_later);
    FIXTURE(setup, teardown);
    TEST(text_is_the_rule);
    TEST(json_for_who_names_it);
    TEST(accept_decides);
    TEST(without_a_request);
    TEST(head_is_told_the_length_alone);
    TEST(hostile_words_are_tamed);
    TEST(reasons);
}
