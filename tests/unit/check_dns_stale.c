/* net/dns.h: name servers that fail, names that rotate, names that do not exist. */
#include <string.h>

#include "dns_fixture.h"
#include "stopwatch.h"
#include "suite.h"

/* ---------------------------------------------------- name servers that fail */

static const enum fake_reply failures[] = {FAKE_SERVFAIL, FAKE_SILENCE};

/* Queries, waits for the answer if it does not come at once, and returns it. */
static const char *answer_for(const char *host)
{
    static struct query_recorder a;
    a = (struct query_recorder){0};
    if (!ask(&a, host, LONG_MS))
        UNTIL(a.found + a.failed);
    return a.failed ? a.detail : a.addresses;
}

START_TEST(last_addresses_serve_on)
{
    fake_dns_set(server, "api.test", "192.0.2.1", 10);
    resolve("api.test");
    fake_dns_reply(server, "api.test", failures[_i]);
    loop_skip(loop, 11000);
    uint64_t began = clock_us();
    ck_assert_str_eq(answer_for("api.test"), "192.0.2.1:0");
    ck_assert_uint_lt(clock_us() - began, 3000000); /* c-ares waits 4.9 s */
    struct query_recorder a = {0};
    ck_assert(ask(&a, "api.test", LONG_MS)); /* the next query does not wait */
    loop_skip(loop, MINUTES(50));
    ck_assert_str_eq(answer_for("api.test"), "192.0.2.1:0");
    fake_dns_set(server, "api.test", "192.0.2.2", 10);
    loop_skip(loop, MINUTES(1)); /* a scheduled retry */
    UNTIL(!strcmp(answer_for("api.test"), "192.0.2.2:0"));
}
END_TEST

START_TEST(not_for_ever)
{
    fake_dns_set(server, "api.test", "192.0.2.1", 10);
    resolve("api.test");
    fake_dns_reply(server, "api.test", FAKE_SERVFAIL);
    loop_skip(loop, MINUTES(60) + 9000);
    ck_assert_str_eq(answer_for("api.test"), "192.0.2.1:0");
    loop_skip(loop, 2000);
    ck_assert_ptr_nonnull(strstr(answer_for("api.test"), "SERVFAIL"));
}
END_TEST

START_TEST(not_at_all_if_so_configured)
{
    dns_set_limits(dns, &(struct dns_limits){1000, 60000, 0});
    fake_dns_set(server, "api.test", "192.0.2.1", 10);
    resolve("api.test");
    fake_dns_reply(server, "api.test", FAKE_SERVFAIL);
    loop_skip(loop, 11000);
    ck_assert_ptr_nonnull(strstr(answer_for("api.test"), "SERVFAIL"));
}
END_TEST

/* A watched name is renewed before its TTL ends, so that a failure is known by then. */
START_TEST(nobody_waits_for_what_is_known_to_fail)
{
    struct watcher w = {0};
    struct query_recorder a = {0};
    fake_dns_set(server, "api.test", "192.0.2.1", 10);
    watch(&w, "api.test");
    UNTIL(w.answers == 1);
    fake_dns_reply(server, "api.test", FAKE_SERVFAIL);
    loop_skip(loop, 8100);
    UNTIL(fake_dns_asked(server, "api.test") >= 2);
    turn_for(loop, 50);
    loop_skip(loop, 10000);
    ck_assert(ask(&a, "api.test", LONG_MS));
    ck_assert_str_eq(a.addresses, "192.0.2.1:0");
    dns_unwatch(&w.watch);
}
END_TEST

/* When the name servers deny a name, its addresses are dropped, and a later failure does not bring
 * them back. */
START_TEST(denied_addresses_do_not_serve_on)
{
    fake_dns_set(server, "api.test", "192.0.2.1", 10);
    resolve("api.test");
    if (_i)
        fake_dns_set(server, "api.test", "", 10); /* the name exists, but has no address */
    else
        fake_dns_reply(server, "api.test", FAKE_NXDOMAIN);
    loop_skip(loop, 11000);
    ck_assert_ptr_nonnull(strstr(answer_for("api.test"), _i ? "no address" : "no such host"));
    fake_dns_reply(server, "api.test", FAKE_SERVFAIL);
    ck_assert_ptr_nonnull(strstr(answer_for("api.test"), "SERVFAIL"));
}
END_TEST

START_TEST(one_name_of_several)
{
    fake_dns_set(server, "sick.test", "192.0.2.1", 10);
    fake_dns_set(server, "well.test", "192.0.2.2", 10);
    resolve("sick.test");
    resolve("well.test");
    fake_dns_reply(server, "sick.test", FAKE_SERVFAIL);
    fake_dns_set(server, "well.test", "192.0.2.3", 10);
    fake_dns_set(server, "new.test", "", 10);
    fake_dns_reply(server, "new.test", FAKE_SERVFAIL);
    loop_skip(loop, 11000);
    ck_assert_str_eq(answer_for("sick.test"), "192.0.2.1:0");
    ck_assert_str_eq(answer_for("well.test"), "192.0.2.3:0");
    ck_assert_ptr_nonnull(strstr(answer_for("new.test"), "SERVFAIL"));
}
END_TEST

/* An answer for one family alone leaves the other family's addresses in place, unless the name was
 * denied. */
START_TEST(one_family_of_two)
{
    fake_dns_set(server, "api.test", "192.0.2.1,2001:db8::1", 10);
    resolve("api.test");
    fake_dns_set(server, "api.test", "192.0.2.2,2001:db8::2", 10);
    fake_dns_reply(server, "api.test", FAKE_AAAA_SERVFAIL);
    loop_skip(loop, 11000);
    ck_assert_str_eq(answer_for("api.test"), "[2001:db8::1]:0 192.0.2.2:0");
    fake_dns_reply(server, "api.test", FAKE_ONLY_AAAA);
    loop_skip(loop, 11000);
    ck_assert_str_eq(answer_for("api.test"), "[2001:db8::2]:0 192.0.2.2:0");
    fake_dns_set(server, "api.test", "192.0.2.2", 10);
    loop_skip(loop, 11000);
    ck_assert_str_eq(answer_for("api.test"), "192.0.2.2:0");
}
END_TEST

/* ------------------------------------------------------------ no such name */

/* NXDOMAIN applies to the name: the other question need not be answered. */
START_TEST(nxdomain_is_of_the_name)
{
    static const enum fake_reply replies[] = {FAKE_ONLY_A_NXDOMAIN, FAKE_ONLY_AAAA_NXDOMAIN,
                                              FAKE_A_NXDOMAIN_AAAA_SERVFAIL};
    fake_dns_set(server, "none.test", "", 60);
    fake_dns_reply(server, "none.test", replies[_i]);
    uint64_t began = clock_us();
    struct query_recorder a = resolve("none.test");
    ck_assert_uint_lt(clock_us() - began, 3000000); /* c-ares waits 4.9 s */
    ck_assert_int_eq(a.why, FAILURE_DNS_ERROR);
    ck_assert_str_eq(a.detail, "none.test: no such host");
}
END_TEST

/* But NXDOMAIN from a server that answers so for a family that the name lacks is not believed (RFC
 * 4074 4.2), and the fact that one family has no address says nothing about the whole name. */
START_TEST(one_address_says_that_it_exists)
{
    fake_dns_set(server, "odd.test", "192.0.2.1", 60);
    fake_dns_reply(server, "odd.test", FAKE_AAAA_NXDOMAIN);
    ck_assert_str_eq(resolve("odd.test").addresses, "192.0.2.1:0");
    fake_dns_set(server, "four.test", "192.0.2.1", 60);
    ck_assert_str_eq(resolve("four.test").addresses, "192.0.2.1:0");
}
END_TEST

/* ------------------------------------------------------- names that rotate */

static void next_answer(struct watcher *w, const char *addresses)
{
    unsigned answers = w->answers;
    fake_dns_set(server, "api.test", addresses, 10);
    loop_skip(loop, 8100);
    UNTIL(w->answers == answers + 1);
}

START_TEST(rotating_addresses_are_not_gone)
{
    struct watcher w = {0};
    fake_dns_set(server, "api.test", "192.0.2.1", 10);
    watch(&w, "api.test");
    UNTIL(w.answers == 1);
    next_answer(&w, "192.0.2.2");
    ck_assert(is_gone(&w, "192.0.2.1")); /* the name may have moved */
    next_answer(&w, "192.0.2.1");
    for (int i = 0; i < 5; i++) {
        ck_assert(!is_gone(&w, "192.0.2.1") && !is_gone(&w, "192.0.2.2"));
        next_answer(&w, i % 2 ? "192.0.2.1" : "192.0.2.2,192.0.2.3");
    }
    next_answer(&w, "192.0.2.9"); /* now it has moved, but the answers do not show that */
    ck_assert(!is_gone(&w, "192.0.2.1") && !is_gone(&w, "192.0.2.2"));
    for (int minute = 0; minute < 11; minute++) {
        loop_skip(loop, MINUTES(1));
        turn_for(loop, 10);
        next_answer(&w, "192.0.2.9");
    }
    ck_assert(is_gone(&w, "192.0.2.1") && is_gone(&w, "192.0.2.2"));
    ck_assert(!is_gone(&w, "192.0.2.9"));
    dns_unwatch(&w.watch);
}
END_TEST

/* A round robin in which each answer contains only some of the addresses. */
START_TEST(overlapping_answers_show_a_rotation_too)
{
    struct watcher w = {0};
    fake_dns_set(server, "api.test", "192.0.2.1,192.0.2.2", 10);
    watch(&w, "api.test");
    UNTIL(w.answers == 1);
    next_answer(&w, "192.0.2.2,192.0.2.3");
    next_answer(&w, "192.0.2.3,192.0.2.1"); /* back */
    next_answer(&w, "192.0.2.4,192.0.2.5");
    ck_assert(!is_gone(&w, "192.0.2.3") && !is_gone(&w, "192.0.2.1"));
    dns_unwatch(&w.watch);
}
END_TEST

/* Addresses missing from an answer because their question failed do not count as absent. */
START_TEST(a_failed_family_is_no_rotation)
{
    struct watcher w = {0};
    fake_dns_set(server, "api.test", "192.0.2.1,2001:db8::1", 10);
    watch(&w, "api.test");
    UNTIL(w.answers == 1);
    unsigned before = w.answers;
    fake_dns_reply(server, "api.test", FAKE_AAAA_SERVFAIL);
    loop_skip(loop, 8100);
    UNTIL(w.answers > before);
    next_answer(&w, "192.0.2.1,2001:db8::1");
    next_answer(&w, "192.0.2.7");
    ck_assert(is_gone(&w, "192.0.2.1") && is_gone(&w, "2001:db8::1"));
    dns_unwatch(&w.watch);
}
END_TEST

/* An address that returns after more than ten minutes does not count as having come back. */
START_TEST(a_late_return_is_no_rotation)
{
    struct watcher w = {0};
    fake_dns_set(server, "api.test", "192.0.2.1", 10);
    watch(&w, "api.test");
    UNTIL(w.answers == 1);
    next_answer(&w, "192.0.2.2");
    for (int minute = 0; minute < 11; minute++) {
        loop_skip(loop, MINUTES(1));
        turn_for(loop, 10);
        next_answer(&w, "192.0.2.2");
    }
    next_answer(&w, "192.0.2.1");
    ck_assert(is_gone(&w, "192.0.2.2") && !is_gone(&w, "192.0.2.1"));
    dns_unwatch(&w.watch);
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    LOOP(last_addresses_serve_on, 0, COUNT_OF(failures));
    TEST(not_for_ever);
    TEST(not_at_all_if_so_configured);
    TEST(nobody_waits_for_what_is_known_to_fail);
    LOOP(denied_addresses_do_not_serve_on, 0, 2);
    TEST(one_name_of_several);
    TEST(one_family_of_two);
    LOOP(nxdomain_is_of_the_name, 0, 3);
    TEST(one_address_says_that_it_exists);
    TEST(rotating_addresses_are_not_gone);
    TEST(overlapping_answers_show_a_rotation_too);
    TEST(a_failed_family_is_no_rotation);
    TEST(a_late_return_is_no_rotation);
}
