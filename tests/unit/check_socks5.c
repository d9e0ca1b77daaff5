/* SOCKS5 as its client speaks it: every message, every reply code, every cut of the answers. */
#include "net/socks5.h"

#include <string.h>

#include "net/address.h"
#include "suite.h"

static struct socks5 s;

static void start(const char *user, const char *password, const char *host)
{
    const struct hello_target target = {NULL, host, 443};
    socks5_init(&s, user, password, &target);
}

static void says(const char *bytes, size_t len)
{
    ck_assert_uint_eq(s.hello.out_len, len);
    ck_assert_mem_eq(s.hello.out, bytes, len);
}
#define SAYS(bytes) says(bytes, sizeof(bytes) - 1)

/* All at once, and the number of bytes that are left. */
static enum hello_step hear(const char *bytes, size_t len, size_t *left)
{
    size_t used;
    enum hello_step step = socks5_feed(&s, (struct span){bytes, len}, &used);
    *left = len - used;
    return step;
}
#define HEAR(bytes, left) hear(bytes, sizeof(bytes) - 1, left)

START_TEST(without_a_login)
{
    size_t left;
    start(NULL, NULL, "a.example");
    SAYS("\5\1\0");
    ck_assert_int_eq(HEAR("\5\0", &left), HELLO_WRITE);
    SAYS("\5\1\0\3\11a.example\1\xbb");
    ck_assert_int_eq(HEAR("\5\0\0\1\1\2\3\4\5\6rest", &left), HELLO_OPEN);
    ck_assert_uint_eq(left, 4);
}
END_TEST

START_TEST(with_a_login)
{
    size_t left;
    start("us", "pass", "a.example");
    SAYS("\5\2\0\2");
    ck_assert_int_eq(HEAR("\5\2", &left), HELLO_WRITE);
    SAYS("\1\2us\4pass");
    ck_assert_int_eq(HEAR("\1\0", &left), HELLO_WRITE);
    ck_assert_int_eq(HEAR("\5\0\0\3\3abc\5\6", &left), HELLO_OPEN);
    ck_assert_uint_eq(left, 0);
}
END_TEST

START_TEST(a_login_that_is_not_wanted)
{
    size_t left;
    start("us", "pass", "a.example");
    ck_assert_int_eq(HEAR("\5\0", &left), HELLO_WRITE);
    SAYS("\5\1\0\3\11a.example\1\xbb");
}
END_TEST

START_TEST(addresses)
{
    size_t left;
    struct sockaddr_storage at;
    start(NULL, NULL, "192.0.2.1");
    ck_assert_int_eq(HEAR("\5\0", &left), HELLO_WRITE);
    SAYS("\5\1\0\1\xc0\0\2\1\1\xbb");
    start(NULL, NULL, "2001:db8::1");
    ck_assert_int_eq(HEAR("\5\0", &left), HELLO_WRITE);
    SAYS("\5\1\0\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\xbb");
    ck_assert(address_parse("127.0.0.1", &at));
    address_set_port(&at, 8080);
    const struct hello_target target = {&at, "a.example", 443};
    socks5_init(&s, NULL, NULL, &target);
    ck_assert_int_eq(HEAR("\5\0", &left), HELLO_WRITE);
    SAYS("\5\1\0\1\x7f\0\0\1\x1f\x90");
}
END_TEST

static void refused(const char *bytes, size_t len, enum failure why)
{
    size_t left;
    ck_assert_int_eq(hear(bytes, len, &left), HELLO_REFUSED);
    ck_assert_int_eq(s.hello.why, why);
    ck_assert(s.hello.detail[0] != '\0');
}

START_TEST(refusals)
{
    size_t left;
    start(NULL, NULL, "h");
    refused("\5\xff", 2, FAILURE_PROXY_CONFIGURATION_ERROR);
    start(NULL, NULL, "h");
    refused("\5\2", 2, FAILURE_PROXY_CONFIGURATION_ERROR);
    start("u", "p", "h");
    refused("\5\xff", 2, FAILURE_PROXY_CONFIGURATION_ERROR);
    start("u", "p", "h");
    refused("\5\1", 2, FAILURE_HTTP_PROTOCOL_ERROR);
    start("u", "p", "h");
    ck_assert_int_eq(HEAR("\5\2", &left), HELLO_WRITE);
    refused("\1\1", 2, FAILURE_PROXY_CONFIGURATION_ERROR);
    start(NULL, NULL, "h");
    refused("H", 1, FAILURE_HTTP_PROTOCOL_ERROR);
    for (int code = 1; code < 256; code++) {
        char reply[2] = {5, (char)code};
        start(NULL, NULL, "h");
        ck_assert_int_eq(HEAR("\5\0", &left), HELLO_WRITE);
        refused(reply, 2, code == 6 ? FAILURE_CONNECTION_TIMEOUT : FAILURE_CONNECTION_REFUSED);
    }
    start(NULL, NULL, "h");
    ck_assert_int_eq(HEAR("\5\0", &left), HELLO_WRITE);
    refused("\5\0\1", 3, FAILURE_HTTP_PROTOCOL_ERROR);
    start(NULL, NULL, "h");
    ck_assert_int_eq(HEAR("\5\0", &left), HELLO_WRITE);
    refused("\5\0\0\2", 4, FAILURE_HTTP_PROTOCOL_ERROR);
}
END_TEST

/* A byte at a time, and two messages in one piece. */
START_TEST(every_cut)
{
    static const char answers[] = "\5\2\1\0\5\0\0\4"
                                  "0123456789abcdef\1\1TLS";
    size_t at = 0, steps = 0;
    enum hello_step step = HELLO_MORE;
    start("u", "p", "h");
    while (step != HELLO_OPEN) {
        size_t used;
        ck_assert_uint_lt(at, sizeof answers);
        step = socks5_feed(&s, (struct span){answers + at, 1}, &used);
        ck_assert_uint_eq(used, 1);
        at++;
        steps += step == HELLO_WRITE;
    }
    ck_assert_uint_eq(steps, 2);
    ck_assert_str_eq(answers + at, "TLS");
    start("u", "p", "h");
    size_t left = sizeof answers - 1, used;
    for (at = 0, step = HELLO_WRITE; step == HELLO_WRITE; at += used, left -= used)
        step = socks5_feed(&s, (struct span){answers + at, left}, &used);
    ck_assert_int_eq(step, HELLO_OPEN);
    ck_assert_uint_eq(left, 3);
}
END_TEST

SUITE()
{
    TEST(without_a_login);
    TEST(with_a_login);
    TEST(a_login_that_is_not_wanted);
    TEST(addresses);
    TEST(refusals);
    TEST(every_cut);
}
