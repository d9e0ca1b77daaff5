/* A client on a fake stream whose requests go directly to an HTTP/2 line: everything that arrives
 * in one turn is sent to the client in one write, and anything that the client waits for is sent in
 * the turn in which it arrived. */
#include "front/clients.h"
#include "h2_fixture.h"
#include "suite.h"

#define GET "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

static struct fake_stream front;
static struct lingering *linger;
static struct clients *clients;

static struct exchange *open_on_line(void *self, const struct request *from,
                                     const struct ingress *by, const struct exchange_events *events,
                                     void *owner)
{
    (void)self, (void)by;
    static struct conn_request r;
    r = request("GET", from->framing, from->length);
    r.method = from->method;
    r.id = &from->id;
    return conn_open(conn, &r, events, owner);
}

static bool intercepts(void *self, const struct request *r, const struct ingress *by)
{
    (void)self, (void)r, (void)by;
    return false;
}

static void begin_client(void)
{
    static const struct client_limits limits = {.max_clients = 2,
                                                .header_timeout_ms = 10000,
                                                .idle_timeout_ms = 600000,
                                                .body_timeout_ms = 30000,
                                                .max_header_size = 4096,
                                                .max_uri_size = 1024};
    static const struct handler handler = {.intercepts = intercepts, .open = open_on_line};
    static const struct ingress ingress = {
        .is_loopback = true, .port = 8642, .client = "127.0.0.1:9"};
    meet();
    linger = linger_new(loop);
    clients = clients_new(loop, linger, &handler, &limits);
    fake_stream_init(&front);
    clients_accept(clients, &front.base, &ingress);
}

static void finish_client(void)
{
    clients_free(clients);
    linger_free(linger);
    finish();
    fake_stream_free(&front);
}

static void client_says(const char *text)
{
    front.writes = 0;
    text_clear(&front.written);
    ck_assert(fake_stream_feed(&front, text, strlen(text)));
    pump();
}

static bool has(const char *part)
{
    return front.written.len && strstr(front.written.at, part);
}

/* Everything arrives in one turn. */
static void answer_whole(int32_t id, const char *length, const char *body)
{
    static char copy[100];
    snprintf(copy, sizeof copy, "%s", body);
    nghttp2_nv nv[] = {{(uint8_t *)":status", (uint8_t *)"200", 7, 3, 0},
                       {(uint8_t *)"content-length", (uint8_t *)length, 14, strlen(length), 0}};
    size_t count = *length ? 2 : 1;
    ck_assert_int_eq(nghttp2_submit_headers(origin, NGHTTP2_FLAG_NONE, id, NULL, nv, count, NULL),
                     0);
    say(id, copy, true);
}

/* With a length, and without: then it is sent in chunks, and the last chunk is the end. */
START_TEST(test_whole_answers)
{
    begin_client();
    for (int i = 0; i < 4; i++) {
        client_says(GET);
        ck_assert_uint_eq(front.writes, 0);
        answer_whole(2 * i + 1, i % 2 ? "" : "5", "hello");
        ck_assert_uint_eq(front.writes, 1);
        ck_assert(has("HTTP/1.1 200 "));
        ck_assert(has(i % 2 ? "\r\n\r\n5\r\nhello\r\n0\r\n\r\n" : "\r\n\r\nhello"));
    }
    finish_client();
}
END_TEST

/* A head is sent without waiting for its body. */
START_TEST(test_head_alone)
{
    begin_client();
    client_says(GET);
    say_head(1, "200", false);
    ck_assert_uint_eq(front.writes, 1);
    ck_assert(has("HTTP/1.1 200 "));
    say(1, "late", true);
    ck_assert_uint_eq(front.writes, 2);
    ck_assert(has("4\r\nlate\r\n0\r\n\r\n"));
    finish_client();
}
END_TEST

/* A client that waits for a 100 (Continue) gets it before anything else happens. */
START_TEST(test_continue)
{
    begin_client();
    client_says("POST /o HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    ck_assert_uint_eq(front.writes, 0);
    say_head(1, "100", false);
    ck_assert_uint_eq(front.writes, 1);
    ck_assert_str_eq(front.written.at, "HTTP/1.1 100 Continue\r\n\r\n");
    client_says("ok");
    answer_whole(1, "4", "done");
    ck_assert_uint_eq(front.writes, 1);
    ck_assert(has("\r\n\r\ndone"));
    finish_client();
}
END_TEST

/* A long body is forwarded as it arrives, so the amount held back is bounded. */
START_TEST(test_long_body)
{
    static char body[60 * 1024];
    memset(body, 'b', sizeof body);
    begin_client();
    client_says(GET);
    nghttp2_nv nv[] = {{(uint8_t *)":status", (uint8_t *)"200", 7, 3, 0}};
    ck_assert_int_eq(nghttp2_submit_headers(origin, NGHTTP2_FLAG_NONE, 1, NULL, nv, 1, NULL), 0);
    say_bytes(1, body, sizeof body, false);
    ck_assert_uint_gt(front.writes, 1);
    ck_assert_uint_gt(front.written.len, sizeof body); /* nothing waits for its end */
    say(1, "end", true);
    ck_assert(has("3\r\nend\r\n0\r\n\r\n"));
    finish_client();
}
END_TEST

SUITE()
{
    TEST(test_whole_answers);
    TEST(test_head_alone);
    TEST(test_continue);
    TEST(test_long_body);
}
