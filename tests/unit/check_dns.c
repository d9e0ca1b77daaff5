/* net/dns.h: answers, failures, sharing, cancelling. */
#include <stdio.h>
#include <string.h>

#include "dns_fixture.h"
#include "stopwatch.h"
#include "suite.h"

/* ------------------------------------------------------------------ answers */

START_TEST(literals_are_answered_at_once)
{
    struct query_recorder a = {0};
    ck_assert(ask(&a, "192.0.2.7", LONG_MS));
    ck_assert_str_eq(a.addresses, "192.0.2.7:0");
    ck_assert(ask(&a, "2001:db8::1", LONG_MS));
    ck_assert_str_eq(a.addresses, "[2001:db8::1]:0");
    ck_assert(ask(&a, "[2001:db8::2]", LONG_MS));
    ck_assert_str_eq(a.addresses, "[2001:db8::2]:0");
    dns_cancel(&a.query);
}
END_TEST

START_TEST(bad_literals_are_no_literals)
{
    ck_assert_uint_eq(resolve("[192.0.2.7]").failed, 1);
    ck_assert_uint_eq(resolve("[::1").failed, 1);
    ck_assert_uint_eq(resolve("192.0.2.777").failed, 1);
}
END_TEST

START_TEST(localhost_is_loopback)
{
    static const char *const names[] = {"localhost", "LocalHost.", "binance.localhost"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct query_recorder a = {0};
        ck_assert(ask(&a, names[i], LONG_MS));
        ck_assert_str_eq(a.addresses, "[::1]:0 127.0.0.1:0");
    }
    ck_assert_uint_eq(resolve("notlocalhost").failed, 1);
}
END_TEST

START_TEST(families_take_turns)
{
    fake_dns_set(server, "both.test", "192.0.2.2,192.0.2.1,2001:db8::2,2001:db8::1,192.0.2.3", 60);
    struct query_recorder a = resolve("both.test");
    ck_assert_uint_eq(a.found, 1);
    ck_assert_str_eq(a.addresses, "[2001:db8::2]:0 192.0.2.2:0 [2001:db8::1]:0 192.0.2.1:0 "
                                  "192.0.2.3:0");
}
END_TEST

START_TEST(one_family_is_enough)
{
    fake_dns_set(server, "four.test", "192.0.2.1", 60);
    fake_dns_set(server, "six.test", "2001:db8::1", 60);
    ck_assert_str_eq(resolve("four.test").addresses, "192.0.2.1:0");
    ck_assert_str_eq(resolve("six.test").addresses, "[2001:db8::1]:0");
}
END_TEST

/* RFC 8305 3: a name server that never answers for one family does not delay the query for long. */
START_TEST(one_family_is_not_waited_for)
{
    fake_dns_set(server, "mute6.test", "192.0.2.1,2001:db8::1", 60);
    fake_dns_reply(server, "mute6.test", FAKE_ONLY_A);
    fake_dns_set(server, "mute4.test", "192.0.2.1,2001:db8::1", 60);
    fake_dns_reply(server, "mute4.test", FAKE_ONLY_AAAA);
    uint64_t began = clock_us();
    ck_assert_str_eq(resolve("mute6.test").addresses, "192.0.2.1:0");
    ck_assert_str_eq(resolve("mute4.test").addresses, "[2001:db8::1]:0");
    ck_assert_uint_lt(clock_us() - began, 9000000); /* c-ares waits 4.9 s for each question */
    ck_assert_uint_eq(fake_dns_asked(server, "mute6.test"), 1);
}
END_TEST

/* If one family has no address, the other family's answer is awaited. */
START_TEST(a_late_answer_is_waited_for)
{
    struct query_recorder a = {0};
    fake_dns_set(server, "late.test", "192.0.2.1", 60);
    fake_dns_reply(server, "late.test", FAKE_ONLY_AAAA);
    ck_assert(!ask(&a, "late.test", LONG_MS));
    turn_for(loop, 150);
    ck_assert_uint_eq(a.found + a.failed, 0);
    fake_dns_reply(server, "late.test", FAKE_ANSWER);
    UNTIL(a.found);
    ck_assert_str_eq(a.addresses, "192.0.2.1:0");
}
END_TEST

START_TEST(case_and_trailing_dot_make_no_difference)
{
    fake_dns_set(server, "api.test", "192.0.2.1", 60);
    struct query_recorder a = {0};
    ck_assert_uint_eq(resolve("API.Test.").found, 1);
    ck_assert(ask(&a, "api.test", LONG_MS));
    ck_assert(ask(&a, "api.TEST", LONG_MS));
    ck_assert_uint_eq(fake_dns_asked(server, "api.test"), 1);
}
END_TEST

START_TEST(hosts_file_is_respected)
{
    char line[512], ip[64] = "", name[64] = "";
    FILE *f = fopen("/etc/hosts", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "%63[0-9.] %63s", ip, name) == 2 && !strstr(name, "localhost"))
            break;
        else
            name[0] = '\0';
    if (f)
        fclose(f);
    if (name[0] == '\0')
        return; /* the hosts file of this machine has no such entry */
    loop_hold(loop);
    struct query_recorder a = resolve(name);
    ck_assert_uint_eq(a.found, 1);
    ck_assert_ptr_nonnull(strstr(a.addresses, ip));
    ck_assert(ask(&a, name, LONG_MS)); /* TTL 0, but the minimum holds */
}
END_TEST

/* ----------------------------------------------------------------- failures */

START_TEST(unknown_host_fails_and_is_not_remembered)
{
    fake_dns_set(server, "none.test", "", 60);
    fake_dns_reply(server, "none.test", FAKE_NXDOMAIN);
    struct query_recorder a = resolve("none.test");
    ck_assert_int_eq(a.why, FAILURE_DNS_ERROR);
    ck_assert_str_eq(a.detail, "none.test: no such host");
    fake_dns_set(server, "none.test", "192.0.2.1", 60);
    ck_assert_uint_eq(resolve("none.test").found, 1);
    ck_assert_uint_eq(fake_dns_asked(server, "none.test"), 2);
}
END_TEST

START_TEST(server_failure_and_no_data_have_words)
{
    fake_dns_set(server, "sick.test", "", 60);
    fake_dns_reply(server, "sick.test", FAKE_SERVFAIL);
    struct query_recorder a = resolve("sick.test");
    ck_assert_int_eq(a.why, FAILURE_DNS_ERROR);
    ck_assert_ptr_nonnull(strstr(a.detail, "SERVFAIL"));
    fake_dns_set(server, "empty.test", "", 60);
    a = resolve("empty.test");
    ck_assert_int_eq(a.why, FAILURE_DNS_ERROR);
    ck_assert_ptr_nonnull(strstr(a.detail, "no address"));
}
END_TEST

START_TEST(impossible_names_fail)
{
    char name[400];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (size_t i = 60; i < sizeof name - 1; i += 61)
        name[i] = '.';
    ck_assert_int_eq(resolve(name).why, FAILURE_DNS_ERROR);
    ck_assert_int_eq(resolve("a..b").why, FAILURE_DNS_ERROR);
    ck_assert_int_eq(resolve("").why, FAILURE_DNS_ERROR);
}
END_TEST

START_TEST(each_query_has_a_timeout_of_its_own)
{
    struct query_recorder hasty = {0}, patient = {0};
    fake_dns_set(server, "slow.test", "192.0.2.1", 60);
    fake_dns_reply(server, "slow.test", FAKE_SILENCE);
    ck_assert(!ask(&patient, "slow.test", LONG_MS));
    ck_assert(!ask(&hasty, "slow.test", 50));
    UNTIL(hasty.failed);
    ck_assert_int_eq(hasty.why, FAILURE_DNS_TIMEOUT);
    ck_assert_uint_eq(patient.failed, 0);
    fake_dns_reply(server, "slow.test", FAKE_ANSWER);
    UNTIL(patient.found); /* c-ares tried once more */
}
END_TEST

START_TEST(silence_ends_by_itself)
{
    struct query_recorder a = {0};
    fake_dns_set(server, "slow.test", "192.0.2.1", 60);
    fake_dns_reply(server, "slow.test", FAKE_SILENCE);
    ck_assert(!ask(&a, "slow.test", MINUTES(5)));
    UNTIL(a.failed);
    ck_assert_int_eq(a.why, FAILURE_DNS_TIMEOUT);
}
END_TEST

START_TEST(unreachable_server_fails)
{
    ck_assert(dns_set_servers(dns, "127.0.0.1:1"));
    struct query_recorder a = resolve("api.test");
    ck_assert_uint_eq(a.failed, 1);
}
END_TEST

START_TEST(bad_servers_change_nothing)
{
    fake_dns_set(server, "api.test", "192.0.2.1", 60);
    ck_assert(!dns_set_servers(dns, "not an address"));
    ck_assert_uint_eq(resolve("api.test").found, 1);
}
END_TEST

/* ------------------------------------------------------ sharing, cancelling */

START_TEST(equal_queries_are_one)
{
    struct query_recorder a = {0}, b = {0}, c = {0};
    fake_dns_set(server, "api.test", "192.0.2.1", 60);
    ck_assert(!ask(&a, "api.test", LONG_MS));
    ck_assert(!ask(&b, "API.test", LONG_MS));
    ck_assert(!ask(&c, "api.test", LONG_MS));
    dns_cancel(&b.query);
    UNTIL(a.found && c.found);
    turn_for(loop, 5);
    ck_assert_uint_eq(b.found + b.failed, 0);
    ck_assert_uint_eq(fake_dns_asked(server, "api.test"), 1);
}
END_TEST

START_TEST(queries_may_cancel_each_other)
{
    struct query_recorder a = {0}, b = {0};
    a.cancels = &b;
    fake_dns_set(server, "api.test", "192.0.2.1", 60);
    ck_assert(!ask(&a, "api.test", LONG_MS));
    ck_assert(!ask(&b, "api.test", LONG_MS));
    UNTIL(a.found);
    turn_for(loop, 5);
    ck_assert_uint_eq(b.found, 0);
}
END_TEST

START_TEST(who_failed_may_ask_again)
{
    struct query_recorder a = {0}, b = {0}, again = {0};
    a.again = &again;
    fake_dns_set(server, "again.test", "", 60);
    fake_dns_reply(server, "again.test", FAKE_NXDOMAIN);
    ck_assert(!ask(&a, "again.test", LONG_MS));
    ck_assert(!ask(&b, "again.test", LONG_MS));
    UNTIL(a.failed);
    ck_assert_uint_eq(b.failed, 1);
    ck_assert_uint_eq(again.failed, 0);
    UNTIL(again.failed);
    ck_assert_uint_eq(fake_dns_asked(server, "again.test"), 2);
}
END_TEST

/* Cancels after `turns` turns of the loop, to cover every state that the query can be in. */
START_TEST(cancelled_at_any_moment_is_silent)
{
    struct query_recorder a = {0};
    fake_dns_set(server, "api.test", "192.0.2.1", 60);
    ck_assert(!ask(&a, "api.test", LONG_MS));
    for (int turns = 0; turns < _i && !a.found; turns++)
        loop_turn(loop, true);
    unsigned told = a.found;
    dns_cancel(&a.query);
    dns_cancel(&a.query);
    turn_for(loop, 20);
    ck_assert_uint_eq(a.found + a.failed, told);
}
END_TEST

/* Freeing the resolver frees everything while the query is in progress. */
START_TEST(freed_at_any_moment)
{
    struct query_recorder a = {0};
    fake_dns_set(server, "api.test", "192.0.2.1", 60);
    ck_assert(!ask(&a, "api.test", LONG_MS));
    if (_i % 2)
        dns_reload(dns);
    for (int turns = 0; turns < _i / 2 && !a.found; turns++)
        loop_turn(loop, true);
    dns_cancel(&a.query);
}
END_TEST

START_TEST(reload_awaits_what_is_under_way)
{
    struct query_recorder a = {0};
    fake_dns_set(server, "api.test", "192.0.2.1", 60);
    fake_dns_set(server, "other.test", "192.0.2.2", 60);
    ck_assert(!ask(&a, "api.test", LONG_MS));
    dns_reload(dns);
    UNTIL(a.found);
    ck_assert_uint_eq(resolve("other.test").found, 1); /* servers set explicitly stay in use */
    dns_reload(dns);
    ck_assert_uint_eq(fake_dns_asked(server, "api.test"), 1);
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(literals_are_answered_at_once);
    TEST(bad_literals_are_no_literals);
    TEST(localhost_is_loopback);
    TEST(families_take_turns);
    TEST(one_family_is_enough);
    TEST(one_family_is_not_waited_for);
    TEST(a_late_answer_is_waited_for);
    TEST(case_and_trailing_dot_make_no_difference);
    TEST(hosts_file_is_respected);
    TEST(unknown_host_fails_and_is_not_remembered);
    TEST(server_failure_and_no_data_have_words);
    TEST(impossible_names_fail);
    TEST(each_query_has_a_timeout_of_its_own);
    TEST(silence_ends_by_itself);
    TEST(unreachable_server_fails);
    TEST(bad_servers_change_nothing);
    TEST(equal_queries_are_one);
    TEST(queries_may_cancel_each_other);
    TEST(who_failed_may_ask_again);
    LOOP(cancelled_at_any_moment_is_silent, 0, 8);
    LOOP(freed_at_any_moment, 0, 12);
    TEST(reload_awaits_what_is_under_way);
}
