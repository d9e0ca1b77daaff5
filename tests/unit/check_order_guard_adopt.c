/* Orders under way when a reload sets `dedupe`: their copies hear what becomes of them, however far
 * their answer has come. */
#include "config_fixture.h"
#include "suite.h"
#include "transaction_fixture.h"

#define KEY "API-Key: k\r\n"

static struct test_client a, b;

static void reload(void)
{
    struct text text = {0};
    text_printf(&text,
                "defaults { tls_verify = no }\nupstream a {\nurl = \"http://a.example\"\n"
                "connect_to = \"127.0.0.1:%u\"\ndedupe = 10s\n}\n",
                origin.port);
    struct config *later = parse_good(text.at);
    struct tls_set *later_tls = tls_set_new(later, complain, &complaints);
    ck_assert_ptr_nonnull(later_tls);
    pools_apply(pools, later, later_tls);
    proxy_configure(proxy, later);
    config_unref(config);
    tls_set_free(tls);
    config = later;
    tls = later_tls;
    text_free(&text);
}

/* A part of a long answer has come, and its head has gone to the client. */
static void begin_answered(void)
{
    static char body[70001];
    memset(body, 'x', sizeof body - 1);
    begin("");
    ask_whole(&a, "POST", KEY);
    UNTIL(origin.requests == 1);
    plain_origin_say(&origin, 0, "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n");
    plain_origin_say(&origin, 0, body);
    UNTIL(a.recorder.body == sizeof body - 1);
    reload();
}

static void ask_copy(void)
{
    ask_whole(&b, "POST", KEY);
    UNTIL(b.recorder.exchange == NULL);
    ck_assert_uint_eq(b.recorder.status, 409);
    ck_assert(heard_part(&b, "Trunkline-Duplicate=yes") && heard_part(&b, "sent=yes"));
    ck_assert_uint_eq(origin.requests, 1);
}

static void end(void)
{
    clear(&a);
    clear(&b);
    finish();
}

START_TEST(its_answer_is_cut_off)
{
    begin_answered();
    plain_origin_close(&origin, 0, true);
    UNTIL(a.recorder.exchange == NULL);
    ask_copy();
    ck_assert_msg(heard_part(&b, ": answered 200, but the answer was cut off") &&
                      heard_part(&b, "http_response_incomplete"),
                  "%s", b.heard.at);
    end();
}
END_TEST

/* Nobody reads it to its end, but it has been answered. */
START_TEST(its_client_leaves)
{
    static char more[1200001];
    memset(more, 'x', sizeof more - 1);
    begin_answered();
    ck_assert(depart(&a));
    plain_origin_say(&origin, 0, more);
    UNTIL(records == 1);
    ask_copy();
    ck_assert_msg(heard_part(&b, ": answered 200") && !heard_part(&b, "cut off") &&
                      heard_part(&b, "http_request_denied"),
                  "%s", b.heard.at);
    end();
}
END_TEST

SUITE()
{
    TEST(its_answer_is_cut_off);
    TEST(its_client_leaves);
}
