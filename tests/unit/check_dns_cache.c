/* net/dns.h: expiry, renewing, addresses that are gone, eviction. */
#include <stdio.h>
#include <string.h>

#include "dns_fixture.h"
#include "suite.h"

/* --------------------------------------------------------- expiry, renewing */

START_TEST(answers_are_kept_for_their_ttl)
{
    struct query_recorder a = {0};
    fake_dns_set(server, "api.test", "192.0.2.1", 10);
    ck_assert_uint_eq(resolve("api.test").found, 1);
    loop_skip(loop, 7000);
    ck_assert(!strcmp(resolve("api.test").addresses, "192.0.2.1:0"));
    ck_assert_uint_eq(fake_dns_asked(server, "api.test"), 1);
    loop_skip(loop, 60000);
    turn_for(loop, 20);
    loop_skip(loop, 60000); /* even if the entry was renewed in the meantime */
    fake_dns_set(server, "api.test", "192.0.2.9", 10);
    ck_assert(!ask(&a, "api.test", LONG_MS));
    UNTIL(a.found);
    ck_assert_str_eq(a.addresses, "192.0.2.9:0");
}
END_TEST

START_TEST(ttl_is_bounded)
{
    struct query_recorder a = {0};
    fake_dns_set(server, "short.test", "192.0.2.1", 0);
    fake_dns_set(server, "long.test", "192.0.2.1", 86400);
    resolve("short.test");
    resolve("long.test");
    loop_skip(loop, 500);
    ck_assert(ask(&a, "short.test", LONG_MS));
    loop_skip(loop, 61000);
    ck_assert(!ask(&a, "long.test", LONG_MS));
    dns_cancel(&a.query);
}
END_TEST

START_TEST(what_nobody_asks_for_is_not_renewed)
{
    fake_dns_set(server, "api.test", "192.0.2.1", 10);
    resolve("api.test");
    loop_skip(loop, 9000);
    turn_for(loop, 20);
    ck_assert_uint_eq(fake_dns_asked(server, "api.test"), 1);
    ck_assert_uint_eq(resolve("api.test").found, 0); /* expired, but still used … */
    UNTIL(fake_dns_asked(server, "api.test") == 2);  /* … and renewed in the background */
}
END_TEST

START_TEST(what_is_asked_for_is_renewed_before_it_expires)
{
    struct query_recorder a = {0};
    fake_dns_set(server, "api.test", "192.0.2.1", 10);
    resolve("api.test");
    ck_assert(ask(&a, "api.test", LONG_MS));
    fake_dns_set(server, "api.test", "192.0.2.2", 10);
    loop_skip(loop, 8100);
    ck_assert(ask(&a, "api.test", LONG_MS)); /* the query does not wait for the renewal */
    ck_assert_str_eq(a.addresses, "192.0.2.1:0");
    UNTIL(fake_dns_asked(server, "api.test") == 2);
    turn_for(loop, 20);
    ck_assert(ask(&a, "api.test", LONG_MS));
    ck_assert_str_eq(a.addresses, "192.0.2.2:0");
    loop_skip(loop, 7000);
    ck_assert(ask(&a, "api.test", LONG_MS));
}
END_TEST

START_TEST(watched_names_stay_fresh)
{
    struct watcher w = {0};
    struct query_recorder a = {0};
    fake_dns_set(server, "api.test", "192.0.2.1", 10);
    watch(&w, "api.test");
    UNTIL(w.answers == 1);
    for (unsigned i = 2; i < 6; i++) {
        loop_skip(loop, 8100);
        ck_assert(ask(&a, "api.test", LONG_MS));
        UNTIL(w.answers == i);
    }
    dns_unwatch(&w.watch);
    loop_skip(loop, 8100);
    turn_for(loop, 20);
    loop_skip(loop, 8100);
    turn_for(loop, 20);
    ck_assert_uint_eq(w.answers, 5);
    ck_assert_uint_le(fake_dns_asked(server, "api.test"), 6);
}
END_TEST

START_TEST(watchers_may_leave_when_told)
{
    struct watcher one = {.leaves = true}, two = {.leaves = true}, three = {0};
    fake_dns_set(server, "api.test", "192.0.2.1", 10);
    watch(&one, "api.test");
    watch(&two, "api.test");
    watch(&three, "api.test");
    UNTIL(three.answers == 1);
    ck_assert_uint_eq(one.answers + two.answers, 2);
    loop_skip(loop, 8100);
    UNTIL(three.answers == 2);
    ck_assert_uint_eq(one.answers + two.answers, 2);
    dns_unwatch(&three.watch);
}
END_TEST

START_TEST(failed_renewal_keeps_the_answer_until_it_expires)
{
    struct watcher w = {0};
    struct query_recorder a = {0};
    fake_dns_set(server, "api.test", "192.0.2.1", 10);
    watch(&w, "api.test");
    UNTIL(w.answers == 1);
    fake_dns_reply(server, "api.test", FAKE_NXDOMAIN);
    loop_skip(loop, 8100);
    UNTIL(fake_dns_asked(server, "api.test") == 2);
    turn_for(loop, 20);
    ck_assert(ask(&a, "api.test", LONG_MS));
    UNTIL(fake_dns_asked(server, "api.test") >= 3); /* tried again */
    loop_skip(loop, 10000);
    ck_assert(!ask(&a, "api.test", LONG_MS));
    UNTIL(a.failed);
    fake_dns_reply(server, "api.test", FAKE_ANSWER);
    loop_skip(loop, 31000); /* retries for a watched name never stop */
    UNTIL(w.answers == 2);
    dns_unwatch(&w.watch);
}
END_TEST

/* --------------------------------------------------------------------- gone */

START_TEST(replaced_addresses_are_gone_at_once)
{
    struct watcher w = {0};
    fake_dns_set(server, "api.test", "192.0.2.1,192.0.2.2", 10);
    watch(&w, "api.test");
    ck_assert(!is_gone(&w, "192.0.2.1"));
    UNTIL(w.answers == 1);
    ck_assert(!is_gone(&w, "192.0.2.1"));
    ck_assert(!is_gone(&w, "192.0.2.99")); /* nothing is known about it yet */
    fake_dns_set(server, "api.test", "192.0.2.3", 10);
    loop_skip(loop, 8100);
    UNTIL(w.answers == 2);
    ck_assert(is_gone(&w, "192.0.2.1"));
    ck_assert(is_gone(&w, "192.0.2.2"));
    ck_assert(!is_gone(&w, "192.0.2.3"));
    fake_dns_set(server, "api.test", "192.0.2.3,192.0.2.1", 10);
    loop_skip(loop, 8100);
    UNTIL(w.answers == 3);
    ck_assert(!is_gone(&w, "192.0.2.1")); /* an address came back, so the name rotates … */
    ck_assert(!is_gone(&w, "192.0.2.2")); /* … and this address may come back, too */
    dns_unwatch(&w.watch);
    ck_assert(!is_gone(&w, "192.0.2.2"));
}
END_TEST

/* An answer that lacks a family because that question got no answer replaces no addresses of that
 * family. */
START_TEST(unanswered_addresses_are_not_gone)
{
    struct watcher w = {0};
    fake_dns_set(server, "api.test", "192.0.2.1,2001:db8::1", 10);
    fake_dns_reply(server, "api.test", FAKE_ONLY_A);
    watch(&w, "api.test");
    UNTIL(w.answers == 1);
    fake_dns_reply(server, "api.test", FAKE_ONLY_AAAA);
    loop_skip(loop, 8500);
    UNTIL(w.answers == 2);
    ck_assert(!is_gone(&w, "192.0.2.1"));
    fake_dns_reply(server, "api.test", FAKE_ANSWER);
    loop_skip(loop, 8500);
    UNTIL(w.answers == 3);
    ck_assert(!is_gone(&w, "192.0.2.1"));
    ck_assert(!is_gone(&w, "2001:db8::1"));
    dns_unwatch(&w.watch);
}
END_TEST

START_TEST(addresses_left_out_are_gone_after_ten_minutes)
{
    struct watcher w = {0};
    fake_dns_set(server, "api.test", "192.0.2.1,192.0.2.2", 60);
    watch(&w, "api.test");
    UNTIL(w.answers == 1);
    fake_dns_set(server, "api.test", "192.0.2.2", 60);
    for (unsigned i = 2; i < 12; i++) {
        loop_skip(loop, MINUTES(1));
        UNTIL(w.answers == i);
        ck_assert(i > 10 || !is_gone(&w, "192.0.2.1"));
    }
    ck_assert(is_gone(&w, "192.0.2.1"));
    ck_assert(is_gone(&w, "192.0.2.99"));
    ck_assert(!is_gone(&w, "192.0.2.2"));
    fake_dns_reply(server, "api.test", FAKE_NXDOMAIN);
    loop_skip(loop, MINUTES(30)); /* no address expires during an outage */
    turn_for(loop, 50);
    ck_assert(!is_gone(&w, "192.0.2.2"));
    dns_unwatch(&w.watch);
}
END_TEST

START_TEST(literals_are_never_gone)
{
    struct watcher w = {0};
    watch(&w, "192.0.2.1");
    turn_for(loop, 5);
    ck_assert(!is_gone(&w, "192.0.2.1"));
    ck_assert(!is_gone(&w, "192.0.2.2"));
    dns_unwatch(&w.watch);
}
END_TEST

/* ----------------------------------------------------------------- eviction */

START_TEST(the_cache_is_bounded)
{
    struct watcher w = {0};
    char name[32];
    fake_dns_set(server, "watched.test", "192.0.2.1", 60);
    fake_dns_set(server, "first.test", "192.0.2.2", 60);
    watch(&w, "watched.test");
    UNTIL(w.answers == 1);
    resolve("first.test");
    for (int i = 0; i < 1100; i++) {
        snprintf(name, sizeof name, "n%d.test", i);
        fake_dns_set(server, name, "192.0.2.3", 60);
        struct query_recorder a = {0};
        ck_assert(!ask(&a, name, LONG_MS));
        UNTIL(a.found);
    }
    ck_assert_uint_eq(resolve("first.test").found, 1);   /* looked up again */
    ck_assert_uint_eq(resolve("watched.test").found, 0); /* kept */
    ck_assert_uint_eq(resolve("n1099.test").found, 0);
    dns_unwatch(&w.watch);
    loop_skip(loop, MINUTES(12)); /* and an entry that is no longer used is dropped */
    turn_for(loop, 20);
    loop_skip(loop, MINUTES(12));
    ck_assert_uint_eq(resolve("n1099.test").found, 1);
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(answers_are_kept_for_their_ttl);
    TEST(ttl_is_bounded);
    TEST(what_nobody_asks_for_is_not_renewed);
    TEST(what_is_asked_for_is_renewed_before_it_expires);
    TEST(watched_names_stay_fresh);
    TEST(watchers_may_leave_when_told);
    TEST(failed_renewal_keeps_the_answer_until_it_expires);
    TEST(replaced_addresses_are_gone_at_once);
    TEST(unanswered_addresses_are_not_gone);
    TEST(addresses_left_out_are_gone_after_ten_minutes);
    TEST(literals_are_never_gone);
    TEST(the_cache_is_bounded);
}
