/* The store of budgets as its members see it: who is asked when, what of it is late, wrong or lost,
 * and when it counts as up again. The store is the test's own (store_peer.h). */
#include "budget/budget_store.h"

#include "config_fixture.h"
#include "store_fixture.h"
#include "suite.h"

#define SETTINGS "budget_timeout = 100ms"

struct asker {
    struct store_member m;
    const char *name;
    bool takes; /* the answers are right ones */
    unsigned written, answered, late, lost, modes, reconnected;
    struct text heard;
};
static struct asker one, two;

static void write_command(void *owner, bool is_whole, struct text *to)
{
    struct asker *a = owner;
    a->written++;
    text_printf(to, "*2\r\n$%d\r\n%s\r\n$3\r\n%s\r\n", is_whole ? 4 : 7,
                is_whole ? "EVAL" : "EVALSHA", a->name);
}

static bool on_answer(void *owner, const struct store_reply *r, bool is_late)
{
    struct asker *a = owner;
    a->answered++;
    a->late += is_late;
    text_printf(&a->heard, "%.*s;", SPAN_ARG(r->text));
    return a->takes;
}

static void on_lost(void *owner)
{
    ((struct asker *)owner)->lost++;
}

static void on_mode(void *owner)
{
    ((struct asker *)owner)->modes++;
}

static void on_reconnected(void *owner)
{
    ((struct asker *)owner)->reconnected++;
}

static void join(struct asker *a, const char *name)
{
    *a = (struct asker){.name = name, .takes = true};
    a->m = (struct store_member){.owner = a,
                                 .write = write_command,
                                 .on_answer = on_answer,
                                 .on_lost = on_lost,
                                 .on_mode = on_mode,
                                 .on_reconnected = on_reconnected};
    text_add_str(&a->heard, "");
    budget_store_join(store, &a->m);
}

static void begin(void)
{
    begin_store();
    join(&one, "one");
    join(&two, "two");
}

/* Up, with two members that have heard of it. */
static void begin_up(void)
{
    begin();
    configure_store("", SETTINGS);
    UNTIL(is("up"));
    one.modes = two.modes = 0;
}

static void finish(void)
{
    if (one.m.link.on)
        budget_store_leave(&one.m);
    if (two.m.link.on)
        budget_store_leave(&two.m);
    end_store();
    text_free(&one.heard);
    text_free(&two.heard);
}

/* It is up as soon as it has answered the login; a question need not have been asked. */
START_TEST(from_off_to_up_and_back)
{
    begin();
    ck_assert(is("off") && look().name == NULL && budget_store_mode(store) == BUDGET_STORE_OFF);
    peer.login = NULL;
    configure_store(":secret@", SETTINGS);
    ck_assert(is("starting") && budget_store_mode(store) == BUDGET_STORE_AWAY);
    ck_assert_uint_eq(one.modes, 1);
    ck_assert_ptr_null(strstr(look().name, "secret"));
    UNTIL(strstr(peer.logins.at, " PING;"));
    store_peer_say(&peer, "+OK\r\n+OK\r\n");
    UNTIL(is("up"));
    ck_assert(budget_store_mode(store) == BUDGET_STORE_UP && one.modes == 2 && two.modes == 2);
    ck_assert_uint_eq(budget_store_timeout_ms(store), 100);
    struct config *without = parse_good("");
    budget_store_configure(store, without, NULL);
    config_unref(without);
    ck_assert(is("off") && one.modes == 3 && look().name == NULL);
    UNTIL(peer.stream == NULL); /* the connection is closed, and stays so */
    turn_for(loop, 5);
    ck_assert_uint_eq(peer.accepted, 1);
    ck_assert_uint_eq(look().outages, 0);
    finish();
}
END_TEST

/* Questions of one turn go together, and each gets its own answer. */
START_TEST(each_gets_its_own_answer)
{
    begin_up();
    budget_store_ask(&one.m);
    budget_store_ask(&two.m);
    ck_assert(one.m.is_asking && two.m.is_asking && peer.asked == 0);
    UNTIL(peer.asked == 2);
    ck_assert_str_eq(peer.last.at, " EVALSHA two");
    loop_skip(loop, 30);
    store_peer_say(&peer, "$1\r\na\r\n$1\r\nb\r\n");
    UNTIL(two.answered);
    ck_assert_str_eq(one.heard.at, "a;");
    ck_assert_str_eq(two.heard.at, "b;");
    ck_assert(!one.m.is_asking && one.late + two.late == 0);
    struct budget_store_view v = look();
    ck_assert(v.asked == 2 && v.answered == 2 && v.late == 0 && v.round_trip_us == 30000);
    loop_skip(loop, 10000); /* nothing is owed any more */
    turn_for(loop, 5);
    ck_assert(is("up") && peer.accepted == 1);
    finish();
}
END_TEST

/* The script is not known to the store: the same question with the whole of it, once. */
START_TEST(a_script_is_told_once)
{
    begin_up();
    budget_store_ask(&one.m);
    UNTIL(peer.asked == 1);
    store_peer_say(&peer, "-NOSCRIPT No matching script.\r\n");
    UNTIL(peer.asked == 2);
    ck_assert_str_eq(peer.last.at, " EVAL one");
    ck_assert(one.m.is_asking && one.answered == 0 && is("up"));
    store_peer_say(&peer, "-NOSCRIPT No matching script.\r\n"); /* that makes no sense */
    UNTIL(one.lost);
    ck_assert(is("outage") && one.answered == 0);
    finish();
}
END_TEST

/* A late answer is an outage, which three in time end; meanwhile they ask in turn. */
START_TEST(late_and_back)
{
    begin_up();
    budget_store_ask(&one.m);
    UNTIL(peer.asked == 1);
    loop_skip(loop, 90);
    turn_for(loop, 2);
    ck_assert(is("up"));
    loop_skip(loop, 20);
    UNTIL(is("outage"));
    ck_assert_str_eq(look().why, "no answer within 100ms");
    ck_assert(look().late == 1 && look().outages == 1 && one.modes == 1);
    ck_assert(budget_store_mode(store) == BUDGET_STORE_AWAY);
    budget_store_ask(&two.m); /* nothing is asked now */
    ck_assert(!two.m.is_asking);
    store_peer_say(&peer, "$1\r\na\r\n");
    UNTIL(one.late);
    ck_assert(is("outage") && peer.asked == 1);
    peer.answer = "$1\r\nb\r\n";
    for (unsigned i = 1; i <= 3; i++) {
        ck_assert_msg(is("outage"), "after %u", i - 1);
        loop_skip(loop, 100);
        UNTIL(one.answered + two.answered == 1 + i);
    }
    ck_assert(is("up") && one.modes == 2 && look().why == NULL);
    ck_assert(one.written >= 2 && two.written >= 1);
    ck_assert(one.late == 1 && two.late == 0);
    finish();
}
END_TEST

static const struct {
    const char *says, *why;
    bool takes;
} wrong[] = {
    {"$1\r\na\r\n", "the store answers with something else", false},
    {"-NOPERM no permission\r\n", "the user may not run scripts, or not on these keys (NOPERM)",
     true},
};

START_TEST(a_wrong_answer_is_an_outage)
{
    begin_up();
    one.takes = wrong[_i].takes;
    budget_store_ask(&one.m);
    UNTIL(peer.asked == 1);
    store_peer_say(&peer, wrong[_i].says);
    UNTIL(is("outage"));
    ck_assert_str_eq(look().why, wrong[_i].why);
    ck_assert_uint_eq(one.lost, wrong[_i].takes);
    ck_assert(!one.m.is_asking && peer.accepted == 1);
    finish();
}
END_TEST

/* A connection that nobody waits for may end: another one is made, and the store may be a new one. */
START_TEST(it_reconnects_without_an_outage)
{
    begin_up();
    peer.login = NULL;
    store_peer_close(&peer, false);
    turn_for(loop, 5);
    ck_assert(is("up") && peer.accepted == 1);
    budget_store_ask(&one.m); /* waits for the connection */
    ck_assert(!one.m.is_asking && one.m.waiting.on);
    loop_skip(loop, 90);
    ck_assert(is("up"));
    loop_skip(loop, 9);
    turn_for(loop, 5);
    ck_assert(is("up"));
    budget_store_ask(&one.m); /* it waits already */
    loop_skip(loop, 5);
    UNTIL(is("outage"));
    ck_assert_str_eq(look().why, "no connection within 100ms");
    ck_assert(!one.m.waiting.on && one.modes == 1);
    loop_skip(loop, 30);
    UNTIL(peer.accepted == 2 && peer.logins.len > strlen(" PING;"));
    store_peer_say(&peer, "+PONG\r\n");
    UNTIL(peer.asked == 1); /* whether it can be relied upon */
    ck_assert(is("outage"));
    finish();
}
END_TEST

START_TEST(all_hear_of_another_connection)
{
    begin_up();
    store_peer_close(&peer, true);
    turn_for(loop, 5);
    peer.login = NULL;
    loop_skip(loop, 130); /* 100 ms and a quarter at most */
    UNTIL(peer.accepted == 2 && peer.logins.len > 10);
    budget_store_ask(&two.m);
    ck_assert(is("up") && one.reconnected == 0 && peer.asked == 0);
    store_peer_say(&peer, "+PONG\r\n");
    UNTIL(peer.asked == 1);
    ck_assert(one.reconnected == 1 && two.reconnected == 1 && two.m.is_asking);
    ck_assert(is("up") && one.modes == 0 && look().outages == 0);
    finish();
}
END_TEST

START_TEST(what_was_asked_is_lost_with_the_connection)
{
    begin_up();
    budget_store_ask(&one.m);
    UNTIL(peer.asked == 1);
    store_peer_close(&peer, false);
    UNTIL(one.lost);
    ck_assert(is("outage") && !one.m.is_asking && two.lost == 0);
    ck_assert_str_eq(look().why, "the store closed the connection");
    finish();
}
END_TEST

/* Where nothing was asked, what comes is not another's answer: the connection is closed. */
START_TEST(an_answer_to_nothing)
{
    begin_up();
    store_peer_say(&peer, "$1\r\na\r\n");
    UNTIL(is("outage"));
    ck_assert_str_eq(look().why, "the store answers what was not asked");
    UNTIL(peer.stream == NULL);
    ck_assert_uint_eq(one.answered + two.answered + one.lost, 0);
    finish();
}
END_TEST

/* A connection that owes an answer for five seconds is given up. */
START_TEST(a_silent_store)
{
    begin_up();
    budget_store_ask(&one.m);
    UNTIL(peer.asked == 1);
    loop_skip(loop, 110);
    UNTIL(is("outage"));
    loop_skip(loop, 4800);
    turn_for(loop, 5);
    ck_assert(one.lost == 0 && one.m.is_asking && peer.accepted == 1);
    loop_skip(loop, 200);
    UNTIL(one.lost);
    loop_skip(loop, 2000);
    UNTIL(peer.accepted == 2);
    finish();
}
END_TEST

/* One leaves while both ask: the other one's answer is its own all the same. */
START_TEST(one_leaves)
{
    begin_up();
    budget_store_ask(&one.m);
    budget_store_ask(&two.m);
    UNTIL(peer.asked == 2);
    budget_store_leave(&one.m);
    store_peer_say(&peer, "$1\r\na\r\n$1\r\nb\r\n");
    UNTIL(two.answered);
    ck_assert_str_eq(one.heard.at, "");
    ck_assert_str_eq(two.heard.at, "b;");
    ck_assert(!two.m.is_asking && is("up"));
    finish();
}
END_TEST

/* Without members that could ask, the login's answer must do to end an outage. */
START_TEST(without_members)
{
    begin();
    budget_store_leave(&one.m);
    budget_store_leave(&two.m);
    peer.login = "-LOADING data\r\n";
    configure_store("", SETTINGS);
    UNTIL(is("outage"));
    ck_assert_str_eq(look().why, "the store is loading its data (LOADING)");
    peer.login = "+PONG\r\n";
    loop_skip(loop, 1000);
    UNTIL(is("up"));
    finish();
}
END_TEST

/* A reload: what concerns the store makes another connection; anything else does not. */
START_TEST(another_configuration)
{
    begin_up();
    configure_store("", "budget_timeout = 200ms\nbudget_share = 50%");
    turn_for(loop, 5);
    ck_assert(is("up") && peer.accepted == 1);
    ck_assert_uint_eq(budget_store_timeout_ms(store), 200);
    ck_assert_uint_eq(budget_store_percent(store), 50);
    budget_store_ask(&one.m);
    UNTIL(peer.asked == 1);
    configure_store(":secret@", SETTINGS);
    ck_assert(is("starting") && one.lost == 1);
    UNTIL(is("up") && peer.accepted == 2);
    ck_assert_ptr_nonnull(strstr(peer.logins.at, " AUTH secret;"));
    ck_assert_uint_eq(look().outages, 0);
    finish();
}
END_TEST

SUITE()
{
    TEST(from_off_to_up_and_back);
    TEST(each_gets_its_own_answer);
    TEST(a_script_is_told_once);
    TEST(late_and_back);
    LOOP(a_wrong_answer_is_an_outage, 0, COUNT_OF(wrong));
    TEST(it_reconnects_without_an_outage);
    TEST(all_hear_of_another_connection);
    TEST(what_was_asked_is_lost_with_the_connection);
    TEST(an_answer_to_nothing);
    TEST(a_silent_store);
    TEST(one_leaves);
    TEST(without_members);
    TEST(another_configuration);
}
