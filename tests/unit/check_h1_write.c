/* Heads and chunks, byte for byte. */
#include "http/h1_write.h"

#include <signal.h>

#include "suite.h"

static struct field two_fields[] = {{{"Accept", 6}, {"*/*", 3}}, {{"X-Empty", 7}, {"", 0}}};
static const struct fields two = {.at = two_fields, .count = 2};
static const struct fields none;
static const struct h1_connection nothing, closes = {.option = {"close", 5}};

static void is_written(struct text *t, const char *expected)
{
    ck_assert_str_eq(t->at, expected);
    ck_assert_uint_eq(t->len, strlen(expected));
    text_clear(t);
}

START_TEST(requests)
{
    struct text t = {0};
    h1_write_request(&t, SPAN("GET"), SPAN("/a?b=%2B"), SPAN("h:8443"), &two, FRAMING_NONE, 9);
    is_written(&t, "GET /a?b=%2B HTTP/1.1\r\nHost: h:8443\r\nAccept: */*\r\nX-Empty: \r\n\r\n");
    h1_write_request(&t, SPAN("POST"), SPAN("/"), SPAN("h"), &none, FRAMING_LENGTH, UINT64_MAX);
    is_written(&t, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551615\r\n\r\n");
    h1_write_request(&t, SPAN("POST"), SPAN("/"), SPAN("h"), &none, FRAMING_LENGTH, 0);
    is_written(&t, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    h1_write_request(&t, SPAN("PUT"), SPAN("*"), SPAN(""), &none, FRAMING_CHUNKED, 0);
    is_written(&t, "PUT * HTTP/1.1\r\nHost: \r\nTransfer-Encoding: chunked\r\n\r\n");
    text_free(&t);
}
END_TEST

START_TEST(request_with_a_line_break_aborts)
{
    struct text t = {0};
    h1_write_request(&t, SPAN("GET"), SPAN("/\r\nX: y"), SPAN("h"), &none, FRAMING_NONE, 0);
}
END_TEST

START_TEST(responses)
{
    struct text t = {0};
    struct response r = {.status = 200, .reason = SPAN("OK"), .fields = two, .length = 5};
    h1_write_response(&t, &r, FRAMING_LENGTH, (struct h1_connection){.option = SPAN("keep-alive")});
    is_written(&t, "HTTP/1.1 200 OK\r\nAccept: */*\r\nX-Empty: \r\nContent-Length: 5\r\n"
                   "Connection: keep-alive\r\n\r\n");
    r = (struct response){.status = 599};
    h1_write_response(&t, &r, FRAMING_CHUNKED, nothing);
    is_written(&t, "HTTP/1.1 599 \r\nTransfer-Encoding: chunked\r\n\r\n");
    h1_write_response(&t, &r, FRAMING_CLOSE, closes);
    is_written(&t, "HTTP/1.1 599 \r\nConnection: close\r\n\r\n");
    h1_write_response(&t, &r, FRAMING_CLOSE, (struct h1_connection){SPAN("keep-alive"), 600, NULL});
    is_written(&t, "HTTP/1.1 599 \r\nConnection: keep-alive\r\nKeep-Alive: timeout=600\r\n\r\n");
    text_free(&t);
}
END_TEST

START_TEST(responses_bear_the_id_of_their_request)
{
    struct text t = {0};
    struct request_id id = {"06f3k9d2q4ab-17"}, unknown = {0};
    struct response r = {.status = 599};
    h1_write_response(&t, &r, FRAMING_CLOSE, (struct h1_connection){.request = &id});
    is_written(&t, "HTTP/1.1 599 \r\nTrunkline-Request: 06f3k9d2q4ab-17\r\n\r\n");
    h1_write_response(&t, &r, FRAMING_CLOSE, (struct h1_connection){.request = &unknown});
    is_written(&t, "HTTP/1.1 599 \r\n\r\n");
    r.status = 103;
    h1_write_response(&t, &r, FRAMING_NONE, (struct h1_connection){.request = &id});
    is_written(&t, "HTTP/1.1 103 \r\n\r\n");
    text_free(&t);
}
END_TEST

START_TEST(responses_without_body)
{
    struct text t = {0};
    struct response r = {
        .status = 304, .reason = SPAN("Not Modified"), .has_length = true, .length = 77};
    h1_write_response(&t, &r, FRAMING_NONE, nothing);
    is_written(&t, "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n");
    r = (struct response){.status = 204, .reason = SPAN("No Content")};
    h1_write_response(&t, &r, FRAMING_NONE, nothing);
    is_written(&t, "HTTP/1.1 204 No Content\r\n\r\n");
    r = (struct response){.status = 103, .reason = SPAN("Early Hints")};
    h1_write_response(&t, &r, FRAMING_CLOSE, closes);
    is_written(&t, "HTTP/1.1 103 Early Hints\r\n\r\n");
    r = (struct response){.status = 101, .reason = SPAN("Switching Protocols")};
    h1_write_response(&t, &r, FRAMING_NONE, (struct h1_connection){.option = SPAN("upgrade")});
    is_written(&t, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n");
    text_free(&t);
}
END_TEST

START_TEST(chunks)
{
    struct text t = {0};
    h1_write_chunk_start(&t, 0x1f4);
    text_add_str(&t, "data");
    h1_write_chunk_end(&t);
    h1_write_chunk_start(&t, 1);
    h1_write_chunk_start(&t, 16);
    h1_write_chunk_start(&t, SIZE_MAX);
    is_written(&t, "1f4\r\ndata\r\n1\r\n10\r\nffffffffffffffff\r\n");
    h1_write_last_chunk(&t, &none);
    is_written(&t, "0\r\n\r\n");
    h1_write_last_chunk(&t, &two);
    is_written(&t, "0\r\nAccept: */*\r\nX-Empty: \r\n\r\n");
    text_free(&t);
}
END_TEST

START_TEST(an_empty_chunk_aborts)
{
    struct text t = {0};
    h1_write_chunk_start(&t, 0);
}
END_TEST

START_TEST(large_heads_are_appended)
{
    struct text t = {0};
    char big[30000];
    memset(big, 'v', sizeof big);
    struct field f = {SPAN("Big"), {big, sizeof big}};
    struct fields fields = {.at = &f, .count = 1};
    text_add_str(&t, "before");
    h1_write_request(&t, SPAN("GET"), SPAN("/"), SPAN("h"), &fields, FRAMING_NONE, 0);
    ck_assert(span_starts(text_span(&t), SPAN("beforeGET / HTTP/1.1\r\nHost: h\r\nBig: vvv")));
    ck_assert_uint_eq(t.len,
                      strlen("beforeGET / HTTP/1.1\r\nHost: h\r\nBig: \r\n\r\n") + sizeof big);
    text_free(&t);
}
END_TEST

SUITE()
{
    TEST(requests);
    ABORTS(request_with_a_line_break_aborts);
    TEST(responses);
    TEST(responses_bear_the_id_of_their_request);
    TEST(responses_without_body);
    TEST(chunks);
    ABORTS(an_empty_chunk_aborts);
    TEST(large_heads_are_appended);
}
