/* Requests that wait for a connection through an exit which a reload removes: they move to another,
 * and nothing of the old one is used any more. */
#include "config_fixture.h"
#include "suite.h"
#include "transaction_fixture.h"

#define REQUESTS 4

static struct test_client clients[REQUESTS];
static struct config *first_config;
static struct tls_set *first_tls;

static void reload(const char *directives)
{
    struct text text = {0};
    text_printf(&text,
                "defaults { tls_verify = no }\nupstream a {\nurl = \"http://a.example\"\n"
                "connect_to = \"127.0.0.1:%u\"\n%s\n}\n",
                origin.port, directives);
    first_config = config;
    first_tls = tls;
    config = parse_good(text.at);
    text_free(&text);
    tls = tls_set_new(config, complain, &complaints);
    pools_apply(pools, config, tls);
    proxy_configure(proxy, config);
}

static void end(size_t count)
{
    for (size_t i = 0; i < count; i++)
        clear(&clients[i]);
    finish();
    config_unref(first_config);
    tls_set_free(first_tls);
}

static void ask_all(size_t count)
{
    for (size_t i = 0; i < count; i++)
        ask_whole(&clients[i], "GET", "");
}

/* The last one waits at the gate of the new exit when the old one is freed. */
START_TEST(the_old_exit_is_freed)
{
    begin("exits = {\"127.0.0.2\"}\nmax_connections = 1");
    ask_all(3);
    UNTIL(origin.requests == 1);
    reload("exits = {\"127.0.0.3\"}\nmax_connections = 1\nrate = \"1/8s\"\nburst = 1");
    UNTIL(origin.requests == 2);
    plain_origin_say(&origin, 0, OK);
    UNTIL(clients[0].recorder.ended);
    ck_assert_uint_eq(clients[0].recorder.status, 200);
    for (int i = 0; i < 5; i++)
        loop_turn(loop, false);
    ck_assert_uint_eq(look().waiting, 0);
    ck_assert(!clients[2].recorder.ended);
    recorder_cancel(&clients[2].recorder);
    plain_origin_say(&origin, 1, OK);
    UNTIL(clients[1].recorder.ended);
    ck_assert_uint_eq(clients[1].recorder.status, 200);
    end(3);
}
END_TEST

/* Those that queue had tried the first exit, whose address is not ours. What takes its place in the
 * list is another one, and is tried. */
START_TEST(a_new_exit_is_tried)
{
    begin("exits = {\"192.0.2.5\", \"127.0.0.3\"}\nmax_connections = 1\nbreaker_failures = 99");
    ask_all(REQUESTS);
    UNTIL(origin.requests == 1 && look().waiting == REQUESTS - 1);
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = OK;
    reload("exits = {\"127.0.0.4\"}\nmax_connections = 1");
    UNTIL(look().stats->succeeded == REQUESTS - 1);
    ck_assert_uint_eq(origin.accepted, 2);
    plain_origin_say(&origin, 0, OK);
    UNTIL(look().stats->succeeded == REQUESTS);
    end(REQUESTS);
}
END_TEST

SUITE()
{
    TEST(the_old_exit_is_freed);
    TEST(a_new_exit_is_tried);
}
