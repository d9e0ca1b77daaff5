/* TLS inside CONNECT that is terminated by trunkline, over a fake stream, with an mbedTLS client in
 * memory: a complete exchange; and a client that disconnects, is late or is freed in every
 * state. */
#include <mbedtls/psa_util.h>
#include <mbedtls/ssl.h>

#include "client_fixture.h"
#include "stopwatch.h"
#include "suite.h"
#include "until.h"

#define CONNECT "CONNECT h.test:443 HTTP/1.1\r\nHost: h.test:443\r\n\r\n"
#define INSIDE "GET /in HTTP/1.1\r\nHost: h.test\r\n\r\n"
#define RUBBISH "\x16\x03\x01\xff\xff\x01"          /* longer than a record may be */
#define HALF "\x16\x03\x01\x00\x04\x02\x02\x02\x02" /* of a message; the rest never comes */

static struct worker *worker;
static struct leaves *leaves;

/* ---------------------------------------------------------- the client's TLS */

static mbedtls_ssl_context ssl;
static mbedtls_ssl_config config;
static size_t seen; /* of what was written to the client */

static int on_send(void *context, const unsigned char *data, size_t len)
{
    (void)context;
    return fake_stream_feed(&stream, (const char *)data, len) ? (int)len
                                                              : MBEDTLS_ERR_SSL_WANT_WRITE;
}

static int on_receive(void *context, unsigned char *to, size_t size)
{
    size_t left = stream.written.len - seen, len = left < size ? left : size;
    (void)context;
    if (len == 0)
        return MBEDTLS_ERR_SSL_WANT_READ;
    memcpy(to, stream.written.at + seen, len);
    seen += len;
    return (int)len;
}

static void client_begin(void)
{
    mbedtls_ssl_init(&ssl);
    mbedtls_ssl_config_init(&config);
    ck_assert_int_eq(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT,
                                                 MBEDTLS_SSL_TRANSPORT_STREAM,
                                                 MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_rng(&config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    ck_assert_int_eq(mbedtls_ssl_setup(&ssl, &config), 0);
    ck_assert_int_eq(mbedtls_ssl_set_hostname(&ssl, "h.test"), 0);
    mbedtls_ssl_set_bio(&ssl, NULL, on_send, on_receive, NULL);
    seen = stream.written.len;
}

static void client_end(void)
{
    mbedtls_ssl_free(&ssl);
    mbedtls_ssl_config_free(&config);
}

static const char *hear(void)
{
    static char words[2000];
    static unsigned char piece[1000];
    int n;
    size_t len = 0;
    while ((n = mbedtls_ssl_read(&ssl, piece, sizeof piece)) > 0) {
        memcpy(words + len, piece, (size_t)n);
        len += (size_t)n;
    }
    words[len] = '\0';
    return words;
}

/* -------------------------------------------------------------------- fixture */

static void use_ca(void)
{
    static const char *const host = "h.test";
    struct ca_files made = {0};
    struct ca_error error;
    char why[160];
    ck_assert(ca_make(&host, 1, time(NULL), &made, why, sizeof why));
    struct ca *ca = ca_parse(text_span(&made.issuer), text_span(&made.key), &error);
    ck_assert_msg(ca != NULL, "%s", error.words);
    leaves_use(leaves, ca);
    ca_unref(ca);
    ca_files_free(&made);
}

/* CONNECT has been answered with 200; nothing has been dialled. */
static void begin_inside(void)
{
    struct switched to = {.looks = true, .intercepts = true, .host = SPAN("h.test"), .port = 443};
    tls_start();
    begin();
    worker = worker_new(loop);
    leaves = leaves_new(loop, worker);
    use_ca();
    clients_intercept(clients, worker, leaves);
    handler.intercepts = true;
    say(CONNECT);
    fake_switch(&handler, 200, &to);
    turn();
    ck_assert_str_eq(got(), "HTTP/1.1 200 Fine\r\n\r\n");
    client_begin();
}

static void finish_inside(void)
{
    clients_free(clients);
    leaves_free(leaves);
    linger_free(linger);
    worker_free(worker);
    turn();
    fake_handler_free(&handler);
    fake_stream_free(&stream);
    client_end();
    loop_free(loop);
}

/* The ClientHello has been sent, and its certificate is being made. */
static void say_hello(void)
{
    ck_assert_int_eq(mbedtls_ssl_handshake(&ssl), MBEDTLS_ERR_SSL_WANT_READ);
}

static void be_secured(void)
{
    UNTIL(mbedtls_ssl_handshake(&ssl) == 0);
}

static void ask_inside(void)
{
    int len = (int)strlen(INSIDE);
    UNTIL(mbedtls_ssl_write(&ssl, (const unsigned char *)INSIDE, (size_t)len) == len);
}

/* ---------------------------------------------------------------------- tests */

START_TEST(requests_inside_are_answered)
{
    begin_inside();
    handler.echo = true;
    be_secured();
    for (int i = 0; i < 3; i++) {
        ask_inside();
        unsigned wanted = (unsigned)i + 2; /* CONNECT was the first */
        UNTIL(handler.opened == wanted);
        turn();
        const char *answer = hear();
        ck_assert_msg(strstr(answer, "200") && strstr(answer, "GET /in"), "%s", answer);
    }
    ck_assert_str_eq(handler.tunnel, "h.test");
    ck_assert(is_open() && strstr(got(), "GET /in") == NULL);
    mbedtls_ssl_close_notify(&ssl);
    UNTIL(!is_open());
    finish_inside();
}
END_TEST

START_TEST(plain_http_inside_is_parsed_on)
{
    begin_inside();
    handler.echo = true;
    say(INSIDE);
    ck_assert_uint_eq(handler.opened, 2);
    ck_assert(has("GET /in"));
    finish_inside();
}
END_TEST

/* 0: waiting for the certificate, 1: the handshake is in progress, 2: it is complete. */
static void reach(int state)
{
    begin_inside();
    say_hello();
    size_t before = stream.written.len;
    if (state == 1)
        UNTIL(stream.written.len > before);
    if (state == 2)
        be_secured();
}

START_TEST(is_freed_in_every_state)
{
    reach(_i);
    finish_inside();
}
END_TEST

START_TEST(is_reset_in_every_state)
{
    reach(_i);
    fake_stream_end(&stream, STREAM_RESET);
    UNTIL(!is_open());
    ck_assert(stream.closed);
    finish_inside();
}
END_TEST

START_TEST(a_slow_handshake_ends)
{
    reach(_i);
    loop_skip(loop, limits.header_timeout_ms - 1000);
    turn();
    ck_assert(is_open());
    loop_skip(loop, 2000);
    turn();
    ck_assert(!is_open() && stream.closed);
    ck_assert_uint_eq(handler.tls_failed, _i < 2); /* the last one waits for a request */
    if (_i < 2)
        ck_assert_int_eq(handler.tls_failure, FAILURE_CONNECTION_TIMEOUT);
    finish_inside();
}
END_TEST

START_TEST(a_drain_waits_for_the_handshake_alone)
{
    reach(_i);
    clients_drain(clients);
    clients_dismiss(clients);
    if (_i < 2)
        UNTIL(mbedtls_ssl_handshake(&ssl) == 0);
    UNTIL(!is_open());
    finish_inside();
}
END_TEST

START_TEST(rubbish_is_closed)
{
    begin_inside();
    ck_assert(fake_stream_feed(&stream, RUBBISH, sizeof RUBBISH - 1));
    UNTIL(!is_open());
    ck_assert(stream.closed);
    ck_assert_uint_eq(handler.tls_failed, 1);
    ck_assert_int_eq(handler.tls_failure, FAILURE_TLS_PROTOCOL_ERROR);
    finish_inside();
}
END_TEST

START_TEST(half_a_message_ends_with_its_time)
{
    begin_inside();
    ck_assert(fake_stream_feed(&stream, HALF, sizeof HALF - 1));
    turn();
    loop_skip(loop, limits.header_timeout_ms + 1000);
    UNTIL(!is_open());
    ck_assert(stream.closed);
    finish_inside();
}
END_TEST

START_TEST(a_reload_may_take_the_ca_away)
{
    begin_inside();
    if (_i)
        say_hello();
    leaves_use(leaves, NULL);
    if (!_i)
        say_hello();
    UNTIL(!is_open());
    ck_assert(stream.closed);
    ck_assert_uint_eq(handler.tls_failed, 1);
    ck_assert_int_eq(handler.tls_failure, FAILURE_TLS_CERTIFICATE_ERROR);
    finish_inside();
}
END_TEST

SUITE()
{
    TEST(requests_inside_are_answered);
    TEST(plain_http_inside_is_parsed_on);
    LOOP(is_freed_in_every_state, 0, 3);
    LOOP(is_reset_in_every_state, 0, 3);
    LOOP(a_slow_handshake_ends, 0, 2);
    LOOP(a_drain_waits_for_the_handshake_alone, 0, 3);
    TEST(rubbish_is_closed);
    TEST(half_a_message_ends_with_its_time);
    LOOP(a_reload_may_take_the_ca_away, 0, 2);
}
