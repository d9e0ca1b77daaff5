/* A connection to the store of budgets: the login by every way, what refuses it, and how it ends. */
#include "budget/store_conn.h"

#include "base/log.h"
#include "config_fixture.h"
#include "store_peer.h"
#include "suite.h"
#include "until.h"

static struct loop *loop;
static struct store_peer peer;
static struct store_env env;
static struct config *config;
static struct store_conn *conn;
static unsigned ready, ended;
static char why_ended[STORE_WHY_SIZE];
static struct text replies;

static void on_ready(void *owner)
{
    ck_assert_ptr_eq(owner, &ready);
    ready++;
}

static void on_reply(void *owner, const struct store_reply *r)
{
    ck_assert_ptr_eq(owner, &ready);
    ck_assert_uint_eq(ready, 1);
    text_printf(&replies, "%.*s;", SPAN_ARG(r->text));
}

static void on_end(void *owner, const char *why)
{
    ck_assert_ptr_eq(owner, &ready);
    snprintf(why_ended, sizeof why_ended, "%s", why);
    ended++;
}

static void begin(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    ready = ended = 0;
    text_clear(&replies);
    text_add_str(&replies, "");
    loop = loop_new();
    loop_hold(loop);
    store_peer_start(&peer, loop);
    env = (struct store_env){loop, dns_new(loop, &(struct dns_limits){1000, 60000, 0}), NULL};
    ck_assert_ptr_nonnull(env.dns);
    config = NULL;
    conn = NULL;
}

static void finish(void)
{
    if (conn)
        store_conn_close(conn);
    store_peer_end(&peer);
    loop_turn(loop, false);
    dns_free(env.dns);
    if (config)
        config_unref(config);
    loop_run(loop);
    loop_free(loop);
    text_free(&replies);
    forget();
}

static void connect_as(const char *login, const char *path)
{
    static const struct store_conn_events events = {on_ready, on_reply, on_end};
    if (config == NULL)
        config = store_peer_config(&peer, login, path, "");
    conn = store_conn_open(&env, config, NULL, &events, &ready);
}

static const struct {
    const char *login, *path, *said;
    unsigned commands;
} logins[] = {
    {"", "", " PING;", 1},
    {":secret@", "", " AUTH secret; PING;", 2},
    {"me:secret@", "", " AUTH me secret; PING;", 2},
    {"me:secret@", "/7", " AUTH me secret; SELECT 7; PING;", 3},
    {"", "/7", " SELECT 7; PING;", 2},
};

/* It is ready when all of the login is answered, and not before. */
START_TEST(it_logs_in)
{
    peer.login = NULL;
    connect_as(logins[_i].login, logins[_i].path);
    UNTIL(peer.logins.len >= strlen(logins[_i].said));
    ck_assert_str_eq(peer.logins.at, logins[_i].said);
    for (unsigned i = 0; i < logins[_i].commands; i++) {
        turn_for(loop, 5);
        ck_assert_uint_eq(ready, 0);
        store_peer_say(&peer, "+OK\r\n");
    }
    UNTIL(ready);
    ck_assert_uint_eq(ended, 0);
    loop_skip(loop, 6000); /* the time for the login is over, and no matter any more */
    ck_assert_uint_eq(ended, 0);
}
END_TEST

START_TEST(it_is_refused)
{
    peer.login = "-WRONGPASS invalid username-password pair\r\n";
    connect_as("me:secret@", "/7");
    UNTIL(ended);
    ck_assert_str_eq(why_ended, "the store refuses the user or password (WRONGPASS)");
    turn_for(loop, 5); /* the other replies are not told */
    ck_assert(ready == 0 && ended == 1 && replies.len == 0);
}
END_TEST

START_TEST(replies_come_in_their_order)
{
    connect_as("", "");
    UNTIL(ready);
    peer.answer = "$1\r\na\r\n$1\r\nb\r\n"; /* two in one piece, and one in two */
    store_conn_send(conn, SPAN("*1\r\n$3\r\nONE\r\n*2\r\n$3\r\nTWO\r\n$1\r\nx\r\n"));
    UNTIL(replies.len == 8);
    ck_assert_str_eq(replies.at, "a;b;a;b;");
    ck_assert_str_eq(peer.last.at, " TWO x");
    ck_assert_uint_eq(peer.asked, 2);
    store_peer_say(&peer, "$5\r\nab");
    turn_for(loop, 5);
    ck_assert_uint_eq(replies.len, 8);
    store_peer_say(&peer, "cde\r\n");
    UNTIL(replies.len > 8);
    ck_assert_str_eq(replies.at, "a;b;a;b;abcde;");
}
END_TEST

static const struct {
    const char *says, *why;
    bool resets;
} ends[] = {
    {NULL, "the store closed the connection", false},
    {NULL, "the connection broke: ", true},
    {"HTTP/1.1 400 Bad Request\r\n\r\n", "", false},
};

START_TEST(it_ends)
{
    connect_as("", "");
    UNTIL(ready);
    if (ends[_i].says)
        store_peer_say(&peer, ends[_i].says);
    else
        store_peer_close(&peer, ends[_i].resets);
    UNTIL(ended);
    ck_assert_msg(span_starts(span_of(why_ended), span_of(ends[_i].why)), "%s", why_ended);
    ck_assert(why_ended[0] != '\0');
    turn_for(loop, 5);
    ck_assert_uint_eq(ended, 1);
}
END_TEST

START_TEST(nothing_listens)
{
    store_peer_refuse(&peer);
    connect_as("", "");
    UNTIL(ended);
    ck_assert(ready == 0 && peer.accepted == 0);
}
END_TEST

/* Each of its steps has its time. */
START_TEST(a_login_without_an_answer)
{
    peer.login = NULL;
    connect_as("", "");
    UNTIL(peer.logins.len);
    loop_skip(loop, 4900);
    ck_assert_uint_eq(ended, 0);
    loop_skip(loop, 200);
    ck_assert_uint_eq(ended, 1);
    ck_assert_str_eq(why_ended, "the login is not answered");
}
END_TEST

/* At any moment; nothing is told afterwards. */
START_TEST(it_is_closed)
{
    peer.login = _i ? "+OK\r\n" : NULL;
    connect_as("", "");
    if (_i == 1)
        UNTIL(peer.logins.len);
    if (_i == 2)
        UNTIL(ready);
    unsigned was_ready = ready;
    store_conn_close(conn);
    conn = NULL;
    turn_for(loop, 5);
    ck_assert(ready == was_ready && ended == 0);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    LOOP(it_logs_in, 0, COUNT_OF(logins));
    TEST(it_is_refused);
    TEST(replies_come_in_their_order);
    LOOP(it_ends, 0, COUNT_OF(ends));
    TEST(nothing_listens);
    TEST(a_login_without_an_answer);
    LOOP(it_is_closed, 0, 3);
}
