/* CONNECT as its client speaks it: what is asked, every kind of answer, every cut of one. */
#include "net/proxy_connect.h"

#include <stdio.h>
#include <string.h>

#include "net/address.h"
#include "suite.h"

static struct proxy_connect p;

static void start(const char *user, const char *password, const char *host)
{
    const struct hello_target target = {NULL, host, 443};
    proxy_connect_init(&p, user, password, &target);
}

static void says(const char *text)
{
    ck_assert_uint_eq(p.hello.out_len, strlen(text));
    ck_assert_mem_eq(p.hello.out, text, strlen(text));
}

static enum hello_step hear(const char *text, size_t *left)
{
    size_t used;
    enum hello_step step = proxy_connect_feed(&p, span_of(text), &used);
    *left = strlen(text) - used;
    return step;
}

START_TEST(what_is_asked)
{
    struct sockaddr_storage at;
    start(NULL, NULL, "a.example");
    says("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
    start("us", "pass:word", "::1");
    says("CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n"
         "Proxy-Authorization: Basic dXM6cGFzczp3b3Jk\r\n\r\n");
    start("u", "", "h");
    says("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nProxy-Authorization: Basic dTo=\r\n\r\n");
    start("us", "", "h");
    says("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nProxy-Authorization: Basic dXM6\r\n\r\n");
    start("use", "", "h");
    says("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nProxy-Authorization: Basic dXNlOg==\r\n\r\n");
    ck_assert(address_parse("127.0.0.1", &at));
    address_set_port(&at, 8080);
    const struct hello_target target = {&at, "a.example", 443};
    proxy_connect_init(&p, NULL, NULL, &target);
    says("CONNECT 127.0.0.1:8080 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");
}
END_TEST

/* The longest there can be. */
START_TEST(long_names)
{
    char host[256], secret[256];
    memset(host, 'h', sizeof host);
    memset(secret, 's', sizeof secret);
    host[255] = secret[255] = '\0';
    start(secret, secret, host);
    ck_assert_uint_gt(p.hello.out_len, 1000);
}
END_TEST

START_TEST(answers_that_open)
{
    static const char *const good[] = {
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.0 200 OK\nServer: x\n\n",
        "HTTP/1.1 299 \r\nContent-Length: 5\r\nX: y\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 P\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200\r\n\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        char text[300];
        size_t left;
        snprintf(text, sizeof text, "%s\x16\x03\x01 glued", good[i]);
        start(NULL, NULL, "h");
        ck_assert_msg(hear(text, &left) == HELLO_OPEN, "%s", good[i]);
        ck_assert_str_eq(text + strlen(text) - left, "\x16\x03\x01 glued");
        start(NULL, NULL, "h"); /* a byte at a time */
        size_t used;
        enum hello_step step = HELLO_MORE;
        for (const char *at = text; step == HELLO_MORE; at++)
            step = proxy_connect_feed(&p, (struct span){at, 1}, &used);
        ck_assert_int_eq(step, HELLO_OPEN);
    }
}
END_TEST

START_TEST(answers_that_refuse)
{
    static const struct {
        const char *text;
        enum failure why;
    } bad[] = {
        {"HTTP/1.1 407 Login\r\n\r\n", FAILURE_PROXY_CONFIGURATION_ERROR},
        {"HTTP/1.1 403 No\r\n\r\n", FAILURE_CONNECTION_REFUSED},
        {"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", FAILURE_CONNECTION_REFUSED},
        {"HTTP/1.1 502 Bad\r\n\r\n", FAILURE_CONNECTION_REFUSED},
        {"HTTP/1.1 504 Late\r\n\r\n", FAILURE_CONNECTION_TIMEOUT},
        {"HTTP/1.1 101 Switching\r\n\r\n", FAILURE_HTTP_PROTOCOL_ERROR},
        {"HTTP/1.1 999 x\r\n\r\n", FAILURE_HTTP_PROTOCOL_ERROR},
        {"HTTP/1.1 000 x\r\n\r\n", FAILURE_HTTP_PROTOCOL_ERROR},
        {"HTTP/2 200\r\n", FAILURE_HTTP_PROTOCOL_ERROR},
        {"HTTP/1.1 20\r\n", FAILURE_HTTP_PROTOCOL_ERROR},
        {"HTTP/1.1 2000 OK\r\n", FAILURE_HTTP_PROTOCOL_ERROR},
        {"\r\n", FAILURE_HTTP_PROTOCOL_ERROR},
        {"\x05", FAILURE_HTTP_PROTOCOL_ERROR},
        {"<html>", FAILURE_HTTP_PROTOCOL_ERROR},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        size_t left;
        start(NULL, NULL, "h");
        ck_assert_msg(hear(bad[i].text, &left) == HELLO_REFUSED, "%s", bad[i].text);
        ck_assert_msg(p.hello.why == bad[i].why, "%s: %s", bad[i].text, p.hello.detail);
    }
}
END_TEST

START_TEST(heads_are_bounded)
{
    size_t left, lines = 0;
    enum hello_step step;
    start(NULL, NULL, "h");
    ck_assert_int_eq(hear("HTTP/1.1 200 OK\r\n", &left), HELLO_MORE);
    do
        step = hear("X: 789\r\n", &left);
    while (step == HELLO_MORE && ++lines < 10000);
    ck_assert_int_eq(step, HELLO_REFUSED);
    ck_assert_uint_le(lines * 8, PROXY_CONNECT_HEAD_MAX);
    start(NULL, NULL, "h");
    for (lines = 0; (step = hear("HTTP/1.1 100 C\r\n\r\n", &left)) == HELLO_MORE;)
        ck_assert_uint_lt(++lines, 10000);
    ck_assert_int_eq(step, HELLO_REFUSED);
}
END_TEST

SUITE()
{
    TEST(what_is_asked);
    TEST(long_names);
    TEST(answers_that_open);
    TEST(answers_that_refuse);
    TEST(heads_are_bounded);
}
