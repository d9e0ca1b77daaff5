#include <stdio.h>

#include "config_fixture.h"
#include "proxy/rewrite.h"
#include "suite.h"

static struct arena *arena;
static struct config *config;
static struct ingress ingress = {.is_loopback = true, .port = 8642, .client = "unix"};
static struct route route;
static struct request request;

static void begin(void)
{
    arena = arena_new();
    config = parse_good("upstream ex {\nurl = \"https://exchange.test\"\n}\n"
                        "upstream bare {\nurl = \"https://bare.test\"\nvia = no\n"
                        "server_timing = yes\n}\n");
    route = (struct route){.kind = ROUTE_UPSTREAM,
                           .form = FORM_ABSOLUTE_HTTP,
                           .listed = find(config, "ex"),
                           .origin = {true, false, SPAN("exchange.test"), 443},
                           .path = SPAN("/x")};
    request = (struct request){
        .arena = arena, .method = SPAN("GET"), .target = SPAN("/x?signature=s"), .minor = 1};
}

static void finish(void)
{
    config_unref(config);
    arena_free(arena);
    forget();
}

/* One "Name: value" per line. */
static struct fields fields_of(const char *text)
{
    struct fields f = {0};
    struct span rest = span_of(text);
    while (rest.len) {
        struct span line = span_first(rest, span_find(rest, '\n'));
        size_t colon = span_find(line, ':');
        fields_add(&f, arena, span_first(line, colon), span_trim(span_from(line, colon + 1)));
        rest = span_from(rest, line.len + 1);
    }
    return f;
}

static const char *text_of(const struct fields *f)
{
    struct text t = {0};
    text_add_str(&t, "");
    for (size_t i = 0; i < f->count; i++)
        text_printf(&t, "%s%.*s: %.*s", i ? "\n" : "", SPAN_ARG(f->at[i].name),
                    SPAN_ARG(f->at[i].value));
    const char *out = arena_span(arena, text_span(&t)).at;
    text_free(&t);
    return out ? out : "";
}

static const struct cache_status nothing_stored;

static struct rewrite relay_of(void)
{
    return (struct rewrite){config, route.listed, &ingress, &request, &route, false};
}

static void goes_out(const char *fields, const char *expected)
{
    request.fields = fields_of(fields);
    struct rewrite v = relay_of();
    struct fields to = rewrite_request(&v);
    ck_assert_str_eq(text_of(&to), expected);
}

static void comes_back(const char *fields, const char *expected)
{
    struct timing timing = {
        .queue_us = 1000, .dns_us = 2000, .connect_us = 3000, .tls_us = 4000, .ttfb_us = 5500};
    struct response from = {.status = 200,
                            .reason = SPAN("OK"),
                            .minor = 1,
                            .fields = fields_of(fields),
                            .framing = FRAMING_LENGTH,
                            .length = 7};
    struct rewrite v = relay_of();
    struct response to = rewrite_response(&v, &from, &timing, &nothing_stored);
    ck_assert_str_eq(text_of(&to.fields), expected);
    ck_assert(to.status == 200 && to.length == 7 && to.framing == FRAMING_LENGTH);
}

START_TEST(test_request_fields)
{
    goes_out("Host: h\nAccept: */*\nX-Own: a, b\nAccept: text/html",
             "Accept: */*\nX-Own: a, b\nAccept: text/html\nVia: 1.1 trunkline");
    goes_out("Connection: keep-alive, X-Hop\nX-Hop: 1\nx-hop: 2\nKeep-Alive: 5\n"
             "Proxy-Connection: close\nProxy-Authorization: secret\nHTTP2-Settings: A\n"
             "Upgrade: h2c\nTransfer-Encoding: chunked\nContent-Length: 5\nX: y",
             "X: y\nVia: 1.1 trunkline");
    goes_out("Trunkline-Timeout: 1s\ntrunkline-client: bot\nTrunklineX: y",
             "TrunklineX: y\nVia: 1.1 trunkline");
    goes_out("Via: 1.0 other", "Via: 1.0 other\nVia: 1.1 trunkline");
    request.minor = 0;
    goes_out("X: y", "X: y\nVia: 1.0 trunkline");
    route.listed = find(config, "bare");
    goes_out("X: y", "X: y");
}
END_TEST

START_TEST(test_te)
{
    route.listed = find(config, "bare");
    goes_out("TE: gzip, trailers\nConnection: TE", "TE: trailers\nConnection: TE");
    goes_out("TE: gzip\nConnection: TE", "");
}
END_TEST

START_TEST(test_expect)
{
    route.listed = find(config, "bare");
    goes_out("Expect: 100-continue", "");
    request.expects_continue = true; /* the expectation is met by trunkline */
    goes_out("Expect: 100-continue", "");
}
END_TEST

START_TEST(test_origin)
{
    route.listed = find(config, "bare");
    goes_out("Origin: *", "");
    goes_out("Origin: http://localhost:8642", "");
    goes_out("Origin: https://bare.test", "Origin: https://bare.test");
}
END_TEST

START_TEST(test_max_forwards)
{
    route.listed = find(config, "bare");
    goes_out("Max-Forwards: 3", "Max-Forwards: 3"); /* has no meaning with GET */
    ck_assert(!rewrite_ends_here(&request));
    request.method = SPAN("OPTIONS");
    goes_out("Max-Forwards: 3", "Max-Forwards: 2");
    goes_out("Max-Forwards: x", "Max-Forwards: x");
    goes_out("Max-Forwards: 4294967297", "Max-Forwards: 4294967297");
    goes_out("Max-Forwards: ", "Max-Forwards: ");
    ck_assert(!rewrite_ends_here(&request));
    request.method = SPAN("TRACE");
    request.fields = fields_of("Max-Forwards: 0");
    ck_assert(rewrite_ends_here(&request));
    request.method = SPAN("GET");
    ck_assert(!rewrite_ends_here(&request));
}
END_TEST

START_TEST(test_response_fields)
{
    comes_back("Server: x\nConnection: close, X-Hop\nX-Hop: 1\nKeep-Alive: 5\n"
               "Transfer-Encoding: chunked\nProxy-Authenticate: Basic\nSet-Cookie: a\n"
               "Set-Cookie: b\nProxy-Status: other\nContent-Length: 7\nTrailer: T",
               "Server: x\nSet-Cookie: a\nSet-Cookie: b\nProxy-Status: other\nTrailer: T\n"
               "Via: 1.1 trunkline");
}
END_TEST

/* Fields in trunkline's name that come from a client or an origin are removed, wherever they
 * are. */
START_TEST(test_nobody_speaks_in_our_name)
{
    const char *said = "Proxy-Status: trunkline; error=dns_error, edge; details=\"a, b\"\n"
                       "Trunkline-Sent: no\ntrunkline-request: 7\nTrunkline-Duplicate: yes\n"
                       "proxy-status: \"trunkline\"; details=\"sent=no\"\n"
                       "Cache-Status: edge; hit,Trunkline; fwd=stale\nTrunklineX: y";
    const char *heard = "Proxy-Status: edge; details=\"a, b\"\nCache-Status: edge; hit\n"
                        "TrunklineX: y";
    route.listed = find(config, "ex");
    comes_back(said, arena_printf(arena, "%s\nVia: 1.1 trunkline", heard));
    struct fields fields = fields_of(said), trailers = rewrite_trailers(arena, &fields);
    ck_assert_str_eq(text_of(&trailers), heard);
    struct response from = {.status = 101, .minor = 1};
    from.fields =
        fields_of("Connection: Upgrade\nTrunkline-Sent: no\nProxy-Status: trunkline; error=x");
    struct response to = rewrite_switch(arena, &from);
    ck_assert_str_eq(text_of(&to.fields), "Connection: Upgrade");
}
END_TEST

START_TEST(test_server_timing)
{
    route.listed = find(config, "bare");
    comes_back("X: y", "X: y\nServer-Timing: hold;dur=0.000, queue;dur=1.000, dns;dur=2.000, "
                       "connect;dur=3.000, tls;dur=4.000, ttfb;dur=5.500");
}
END_TEST

/* Only requests that a web page cannot make may get responses that a web page could read. */
START_TEST(test_cors)
{
    static const enum route_form hidden[] = {FORM_PREFIX, FORM_NAMED_PATH, FORM_NAMED_HOST,
                                             FORM_OWN_PORT};
    const char *fields = "Access-Control-Allow-Origin: *\nVary: Origin\n"
                         "access-control-allow-credentials: true";
    for (size_t i = 0; i < COUNT_OF(hidden); i++) {
        route.form = hidden[i];
        comes_back(fields, "Vary: Origin\nVia: 1.1 trunkline\nContent-Security-Policy: sandbox");
    }
    route.form = FORM_ABSOLUTE_HTTPS;
    comes_back(fields, "Access-Control-Allow-Origin: *\nVary: Origin\n"
                       "access-control-allow-credentials: true\nVia: 1.1 trunkline");
}
END_TEST

/* This holds whatever the request says about itself: a web page need not send any field that
 * identifies it as one. */
START_TEST(test_sandbox)
{
    static const enum route_form origin_form[] = {FORM_PREFIX, FORM_NAMED_PATH, FORM_NAMED_HOST,
                                                  FORM_OWN_PORT};
    static const enum route_form others[] = {FORM_ABSOLUTE_HTTP, FORM_ABSOLUTE_HTTPS, FORM_CONNECT};
    const char *policy = "Content-Security-Policy: default-src 'self'";
    for (size_t i = 0; i < COUNT_OF(origin_form); i++) {
        route.form = origin_form[i];
        comes_back(policy, "Content-Security-Policy: default-src 'self'\nVia: 1.1 trunkline\n"
                           "Content-Security-Policy: sandbox");
    }
    request.fields = fields_of("Sec-Fetch-Dest: document");
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        route.form = others[i];
        comes_back(policy, "Content-Security-Policy: default-src 'self'\nVia: 1.1 trunkline");
    }
}
END_TEST

START_TEST(test_interim)
{
    struct timing timing = {0};
    struct response from = {.status = 103, .minor = 1};
    from.fields = fields_of("Link: x\nUpgrade: y\nConnection: close, Hop\nHop: 1\nTE: gzip\n"
                            "Keep-Alive: timeout=1\nContent-Length: 5\nTrailer: T\n"
                            "Transfer-Encoding: chunked\nProxy-Authenticate: Basic");
    request.fields = fields_of("Sec-Fetch-Dest: document");
    route.listed = find(config, "bare");
    struct rewrite v = relay_of();
    struct response to = rewrite_response(&v, &from, &timing, &nothing_stored);
    ck_assert_str_eq(text_of(&to.fields), "Link: x");
}
END_TEST

START_TEST(test_location)
{
    route.form = FORM_ABSOLUTE_HTTP;
    comes_back("Location: https://exchange.test/y",
               "Location: http://exchange.test/y\nVia: 1.1 trunkline");
    comes_back("Location: /y\nA: b\nLocation: https://other.test/",
               "Location: /y\nA: b\nVia: 1.1 trunkline");
    comes_back("Content-Location: https://exchange.test/y",
               "Content-Location: https://exchange.test/y\nVia: 1.1 trunkline");
}
END_TEST

START_TEST(test_trailers)
{
    struct fields from = fields_of("Checksum: x\nAuthorization: k\nSet-Cookie: a\n"
                                   "Content-Length: 1\nTransfer-Encoding: chunked\nHost: h\n"
                                   "Trunkline-Sent: no\nLocation: /\nConnection: Hop\nHop: y");
    struct fields to = rewrite_trailers(arena, &from);
    ck_assert_str_eq(text_of(&to), "Checksum: x");
    to = rewrite_trailers(arena, NULL);
    ck_assert_uint_eq(to.count, 0);
}
END_TEST

/* Describes what was received, without any secret. */
START_TEST(test_trace)
{
    request.method = SPAN("TRACE");
    request.fields =
        fields_of("Host: h\nAuthorization: geheim\nCookie: geheim\nX-My-Token: geheim\n"
                  "Proxy-Authorization: geheim\nX: y");
    struct rewrite v = relay_of();
    struct span body = rewrite_trace(&v);
    ck_assert_ptr_null(memmem(body.at, body.len, "geheim", 6));
    ck_assert(span_is(body, SPAN("TRACE /x?signature=*** HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n")));
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(test_request_fields);
    TEST(test_te);
    TEST(test_expect);
    TEST(test_origin);
    TEST(test_max_forwards);
    TEST(test_response_fields);
    TEST(test_nobody_speaks_in_our_name);
    TEST(test_server_timing);
    TEST(test_cors);
    TEST(test_sandbox);
    TEST(test_interim);
    TEST(test_location);
    TEST(test_trailers);
    TEST(test_trace);
}
