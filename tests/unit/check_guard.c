/* Which clients may connect, and which addresses may be dialled. */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/un.h>

#include "proxy/guard.h"
#include "proxy_fixture.h"
#include "suite.h"

#define SELF "127.0.0.1:8642"

static struct arena *arena;
static struct config *config;
static struct ingress ingress;

static void setup(void)
{
    arena = arena_new();
    config = fixture_config(arena);
    ingress = fixture_ingress();
    snprintf(ingress.address, sizeof ingress.address, "192.0.2.1");
    static const char *hosts[] = {"trunkline", "192.0.2.9", "0.0.0.0", "::", "::ffff:192.0.2.9"};
    config->allow_hosts = (struct config_names){.at = hosts, .count = COUNT_OF(hosts)};
}

static void teardown(void)
{
    arena_free(arena);
}

/* Returns the status with which the request is refused, or 0. */
static int guarded(const char *target, const char *host, const char *name, const char *value)
{
    struct route r;
    struct verdict why = {0};
    struct request *q = fixture_request(arena, "GET", target, host);
    if (name)
        fields_add(&q->fields, arena, span_of(name), span_of(value));
    route_request(config, &ingress, q, &r);
    if (guard_request(config, &ingress, q, &r, &why))
        return 0;
    ck_assert_int_eq(why.sent, SENT_NO);
    ck_assert(why.detail[0]);
    return verdict_status(&why);
}

static void expect(const char *host, const char *name, const char *value, int status)
{
    int got = guarded("/ex/a", host, name, value);
    ck_assert_msg(got == status, "Host %s, %s: %s: got %d, expected %d", host ? host : "(none)",
                  name ? name : "-", name ? value : "-", got, status);
}

START_TEST(only_known_hosts)
{
    static const char *const fine[] = {
        SELF,
        "localhost",
        "LOCALHOST.:8642",
        "a.b.localhost",
        "trunkline:99",
        "Trunkline.",
        "exchange.test",
        "plain.test:8642",
        "[::1]:8642",
        "[0::0:1]",
        "127.0.0.9",
        "192.0.2.1", /* the local address on which it arrived */
        "192.0.2.1:8642",
        "192.0.2.9", /* of allow_hosts */
        "",
        NULL,
    };
    for (size_t i = 0; i < COUNT_OF(fine); i++)
        expect(fine[i], NULL, NULL, 0);
    static const char *const denied[] = {
        "evil.test",  "evil.test:8642",       "localhost.evil.test",
        "xlocalhost", ".localhost.evil.test", "sub.exchange.test"};
    for (size_t i = 0; i < COUNT_OF(denied); i++)
        ck_assert_int_ge(guarded("/stats", denied[i], NULL, NULL), 400);
    static const char *const literals[] = {
        "0.0.0.0",  "0.0.0.0:8642", "[::]",         "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
        "10.9.8.7", "192.0.2.2",    "[::c000:201]", "[::ffff:192.0.2.9]", "[2001:db8::1]",
        "[fe80::1]"};
    static const char *const paths[] = {
        "/", "/stats", "/ex/a", "/https://exchange.test/a", "/nosuch", "/upstreams/ex/pause"};
    for (size_t i = 0; i < COUNT_OF(literals); i++)
        for (size_t k = 0; k < COUNT_OF(paths); k++)
            ck_assert_msg(guarded(paths[k], literals[i], NULL, NULL) == 403, "Host %s, %s",
                          literals[i], paths[k]);
    expect("evil.test", NULL, NULL, 403);
    expect("a@b", NULL, NULL, 400);
    ck_assert_int_eq(guarded("http://exchange.test/", "evil.test", NULL, NULL), 0);
    ingress.upstream = "ex";
    expect("evil.test", NULL, NULL, 403);
    expect("10.9.8.7", NULL, NULL, 403);
    ingress = (struct ingress){.is_unix = true, .is_loopback = true};
    expect("evil.test", NULL, NULL, 0);
    expect("0.0.0.0", NULL, NULL, 0);
}
END_TEST

START_TEST(other_sites_may_not_call)
{
    expect(SELF, "Sec-Fetch-Site", "none", 0);
    expect(SELF, "sec-fetch-site", "same-origin", 0);
    expect(SELF, "Sec-Fetch-Site", "same-site", 403);
    expect(SELF, "Sec-Fetch-Site", "cross-site", 403);
    expect(SELF, "Sec-Fetch-Site", "", 403);
    expect(SELF, "Sec-Fetch-Mode", "cors", 0);
    ck_assert_int_eq(guarded("/stats", SELF, "Sec-Fetch-Site", "cross-site"), 403);
    ck_assert_int_eq(guarded("/nosuch", SELF, "Sec-Fetch-Site", "cross-site"), 403);
    ck_assert_int_eq(guarded("http://exchange.test/", "x", "Sec-Fetch-Site", "cross-site"), 0);
}
END_TEST

static void listen_on(struct config_addresses *to, uint16_t port)
{
    to->at = arena_alloc(arena, sizeof *to->at);
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)&to->at->at;
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    to->count = 1;
}

START_TEST(origins_that_pass)
{
    listen_on(&config->upstreams[0]->listen, 9001);
    expect(SELF, "Origin", "*", 0);
    expect(SELF, "Origin", "http://127.0.0.1:8642", 0);
    expect(SELF, "Origin", "http://localhost:8642", 0);
    expect(SELF, "Origin", "http://localhost:9001", 0);
    expect("ex.localhost:8642", "Origin", "http://ex.localhost:8642", 0);
    expect("192.0.2.1:77", "Origin", "http://192.0.2.1:77", 0);
    expect("trunkline", "Origin", "http://trunkline", 0);
    expect(SELF, "Origin", "https://exchange.test", 0);
    expect(SELF, "Origin", "https://exchange.test:443", 0);
    expect("exchange.test", "Origin", "http://exchange.test", 0);
    expect(SELF, "Origin", "chrome-extension://abcdef", 0);
    ck_assert_int_eq(guarded("http://exchange.test/", "x", "Origin", "https://evil.test"), 0);
}
END_TEST

START_TEST(origins_that_do_not)
{
    static const char *const denied[] = {
        "null",
        "NULL",
        "https://evil.test",
        "http://evil.test:8642",
        "HTTPS://evil.test",
        "https://exchange.test:8443",
        "http://exchange.test",
        "https://exchange.test.evil.test",
        "https://exchange.test/a",
        "https://127.0.0.1:8642",
        "http://127.0.0.1:8643",
        "http://localhost",
        "http://192.0.2.1:8642",
        "http://u@127.0.0.1:8642",
        "http://127.0.0.1:8642 https://evil.test",
        "http:evil",
    };
    for (size_t i = 0; i < COUNT_OF(denied); i++)
        expect(SELF, "Origin", denied[i], 403);
    ck_assert_int_eq(guarded("/stats", SELF, "Origin", "https://exchange.test"), 403);
    ingress = (struct ingress){.is_unix = true, .is_loopback = true};
    expect("evil.test", "Origin", "http://evil.test", 403);
}
END_TEST

/* A page of another listener of ours, whatever its family. */
START_TEST(sites_of_other_listeners)
{
    struct config_address listen[2] = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&listen[0].at;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&listen[1].at;
    *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(9100)};
    *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(9200)};
    config->listen = (struct config_addresses){.at = listen, .count = 2};
    expect(SELF, "Origin", "http://127.0.0.1:9100", 0);
    expect(SELF, "Origin", "http://127.0.0.1:9200", 0);
    expect(SELF, "Origin", "http://127.0.0.1:9101", 403);
    expect(SELF, "Origin", "http://127.0.0.1:9201", 403);
}
END_TEST

static bool drops(const char *value)
{
    struct field f = {SPAN("Origin"), span_of(value)};
    return guard_drops_origin(config, &ingress, &f);
}

START_TEST(own_origins_are_not_forwarded)
{
    ck_assert(drops("*"));
    ck_assert(drops("http://127.0.0.1:8642"));
    ck_assert(drops("http://localhost:1"));
    ck_assert(drops("http://ex.localhost:8642"));
    ck_assert(drops("http://trunkline:8642"));
    ck_assert(!drops("http://localhost:9000")); /* an upstream's own address */
    ck_assert(!drops("https://exchange.test"));
    ck_assert(!drops("http://exchange.test"));
    ck_assert(!drops("https://127.0.0.1:8642"));
    ck_assert(!drops("chrome-extension://abcdef"));
    ck_assert(!drops(""));
}
END_TEST

START_TEST(loops)
{
    expect(SELF, "Via", "1.1 trunkline", 502);
    expect(SELF, "via", "1.0 fred, HTTP/1.1 Trunkline:8642 (x)", 502);
    expect(SELF, "Via", "1.1  trunkline", 502);
    expect(SELF, "Via", "1.1 other (trunkline), 1.1 trunkline2", 0);
    expect(SELF, "Via", "trunkline", 0);
    ck_assert_int_eq(guarded("http://exchange.test/", "x", "Via", "1.1 trunkline"), 502);
}
END_TEST

START_TEST(unlisted_hosts)
{
    ck_assert_int_eq(guarded("http://other.test/", "x", NULL, NULL), 0);
    config->unlisted = UNLISTED_DENY;
    ck_assert_int_eq(guarded("http://other.test/", "x", NULL, NULL), 403);
    ck_assert_int_eq(guarded("/https://other.test/", SELF, NULL, NULL), 403);
    ck_assert_int_eq(guarded("http://exchange.test:9/", "x", NULL, NULL), 403);
    ck_assert_int_eq(guarded("http://exchange.test/", "x", NULL, NULL), 0);
    ck_assert_int_eq(guarded("/stats", SELF, NULL, NULL), 0);
}
END_TEST

static bool may_dial(const char *text)
{
    struct sockaddr_storage at = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&at;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&at;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        at.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        at.ss_family = AF_INET6;
    ck_assert(at.ss_family);
    return guard_address((struct sockaddr *)(void *)&at);
}

START_TEST(addresses)
{
    static const char *const open[] = {
        "1.1.1.1",         "9.255.255.255",   "11.0.0.0",        "100.63.255.255",
        "100.128.0.0",     "126.255.255.255", "128.0.0.0",       "169.253.0.1",
        "169.255.0.1",     "172.15.255.255",  "172.32.0.0",      "192.0.1.0",
        "192.167.255.255", "192.169.0.0",     "198.17.255.255",  "198.20.0.0",
        "223.255.255.255", "2606:4700::1",    "::ffff:1.1.1.1",  "64:ff9b::101:101",
        "2002:101:101::1", "2001:1::1",       "64:ff9c::7f00:1",
    };
    static const char *const closed[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.8",
        "192.168.0.1",
        "198.18.0.0",
        "198.19.255.255",
        "224.0.0.1",
        "239.1.2.3",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0:7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2002:a00:1::",
        "2002:c0a8:101::1",
        "2001::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "ffff::1",
    };
    for (size_t i = 0; i < COUNT_OF(open); i++)
        ck_assert_msg(may_dial(open[i]), "%s is public", open[i]);
    for (size_t i = 0; i < COUNT_OF(closed); i++)
        ck_assert_msg(!may_dial(closed[i]), "%s is not public", closed[i]);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    ck_assert(!guard_address((struct sockaddr *)(void *)&un));
}
END_TEST

/* The Host of a request inside a tunnel is for the tunnel to know (route.h), not one of ours. */
START_TEST(inside_a_tunnel_hosts_are_others)
{
    ingress.tunnel = "exchange.test";
    ingress.tunnel_port = 443;
    ck_assert_int_eq(guarded("/a", "exchange.test", NULL, NULL), 0);
    ck_assert_int_eq(guarded("/a", "exchange.test", "Origin", "https://elsewhere.test"), 0);
    config->unlisted = UNLISTED_ALLOW;
    ingress.tunnel = "other.test";
    ck_assert_int_eq(guarded("/a", "other.test", NULL, NULL), 0);
    ingress.tunnel = NULL;
    ck_assert_int_eq(guarded("/ex/a", "other.test", NULL, NULL), 403);
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(only_known_hosts);
    TEST(inside_a_tunnel_hosts_are_others);
    TEST(other_sites_may_not_call);
    TEST(origins_that_pass);
    TEST(origins_that_do_not);
    TEST(sites_of_other_listeners);
    TEST(own_origins_are_not_forwarded);
    TEST(loops);
    TEST(unlisted_hosts);
    TEST(addresses);
}
