/* Addresses and networks: how they are read, which addresses are local, and which collide. */
#include "config/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "suite.h"

static struct arena *arena;

static void begin(void)
{
    arena = arena_new();
}

static void finish(void)
{
    arena_free(arena);
}

static struct config_address address(const char *text)
{
    struct config_address a;
    const char *why;
    ck_assert_msg(endpoint_read(arena, text, &a, &why), "%s: %s", text, why);
    ck_assert_str_eq(a.text, text);
    return a;
}

START_TEST(addresses_are_literals_with_a_port)
{
    static const char *const bad[] = {
        "",           "8642",   "localhost:80", "10.0.0.1",  "10.0.0.1:0",
        "10.0.0.1:x", "::1:80", "[::1]80",      "[::1]:",    "[127.0.0.1]:80",
        "[::1",       "unix:",  "unix:run",     "10.0.0:80", "10.0.0.1:65536"};
    const char *why;
    struct config_address a = address("127.0.0.1:8642"), six = address("[2001:db8::1]:443");
    ck_assert_uint_eq(ntohs(((struct sockaddr_in *)(void *)&a.at)->sin_port), 8642);
    ck_assert(six.len == sizeof(struct sockaddr_in6));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(!endpoint_read(arena, bad[i], &a, &why), "%s", bad[i]);
}
END_TEST

START_TEST(loopback_and_unix_sockets_are_local)
{
    static const char *const local[] = {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1",
                                        "[::ffff:127.0.0.1]:1", "unix:/run/t"};
    static const char *const far[] = {"0.0.0.0:1", "10.0.0.1:1", "[::]:1", "[::ffff:10.0.0.1]:1",
                                      "128.0.0.1:1"};
    for (size_t i = 0; i < COUNT_OF(local); i++) {
        struct config_address a = address(local[i]);
        ck_assert_msg(endpoint_is_local(&a), "%s", local[i]);
    }
    for (size_t i = 0; i < COUNT_OF(far); i++) {
        struct config_address a = address(far[i]);
        ck_assert_msg(!endpoint_is_local(&a), "%s", far[i]);
    }
}
END_TEST

START_TEST(an_unspecified_address_collides_with_its_family)
{
    static const struct {
        const char *one, *other;
        bool collide;
    } all[] = {{"0.0.0.0:1", "127.0.0.1:1", true},  {"127.0.0.1:1", "0.0.0.0:1", true},
               {"0.0.0.0:1", "127.0.0.1:2", false}, {"[::]:1", "[::1]:1", true},
               {"[::]:1", "0.0.0.0:1", false},      {"127.0.0.1:1", "127.0.0.2:1", false},
               {"unix:/a", "unix:/a", true},        {"unix:/a", "unix:/b", false},
               {"[::1]:9", "[::0001]:9", true}};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct config_address one = address(all[i].one), other = address(all[i].other);
        ck_assert_msg(endpoint_collides(&one, &other) == all[i].collide, "%s %s", all[i].one,
                      all[i].other);
    }
}
END_TEST

START_TEST(networks_lose_the_bits_beyond_their_prefix)
{
    static const struct {
        const char *text, *shown; /* NULL: refused */
    } all[] = {{"10.1.2.3/8", "10.0.0.0/8"},
               {"192.0.2.7", "192.0.2.7/32"},
               {"0.0.0.0/0", "0.0.0.0/0"},
               {"fd00::1/8", "fd00::/8"},
               {"::1", "::1/128"},
               {"10.129.0.0/9", "10.128.0.0/9"},
               {"10.0.0.0/33", NULL},
               {"10.0.0.0/", NULL},
               {"::/129", NULL},
               {"lan", NULL},
               {"10.0.0.0/0008", NULL},
               {"10.0.0.0/-1", NULL}};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct config_cidr cidr;
        struct text shown = {0};
        const char *why;
        bool good = cidr_read(all[i].text, &cidr, &why);
        ck_assert_msg(good == (all[i].shown != NULL), "%s", all[i].text);
        if (!good)
            continue;
        cidr_print(&cidr, &shown);
        ck_assert_str_eq(shown.at, all[i].shown);
        text_free(&shown);
    }
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(addresses_are_literals_with_a_port);
    TEST(loopback_and_unix_sockets_are_local);
    TEST(an_unspecified_address_collides_with_its_family);
    TEST(networks_lose_the_bits_beyond_their_prefix);
}
