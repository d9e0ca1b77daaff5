/* Ways out: how they are read, what is shown of them, and which are the same. */
#include "config/exits.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "config_fixture.h"
#include "suite.h"

static struct arena *arena;

static void begin(void)
{
    arena = arena_new();
}

static void finish(void)
{
    arena_free(arena);
    forget();
}

static struct config_exit good(const char *text)
{
    struct config_exit e;
    const char *why = "";
    ck_assert_msg(exits_read(arena, text, &e, &why), "%s: %s", text, why);
    ck_assert_str_eq(e.text, text);
    return e;
}

START_TEST(source_addresses)
{
    struct config_exit four = good("192.0.2.5"), six = good("2001:DB8::0:1"),
                       mapped = good("::ffff:192.0.2.5");
    ck_assert_int_eq(four.kind, EXIT_SOURCE);
    ck_assert_int_eq(four.source.ss_family, AF_INET);
    ck_assert_str_eq(four.name, "192.0.2.5");
    ck_assert_str_eq(six.name, "2001:db8::1");
    ck_assert(exits_same(&four, &mapped));
    ck_assert_str_eq(mapped.name, "192.0.2.5");
    ck_assert(!exits_same(&four, &six));
}
END_TEST

START_TEST(proxies)
{
    struct config_exit e = good("socks5://User%40x:p%3a%25w@Proxy.Example.:1080");
    ck_assert_int_eq(e.kind, EXIT_SOCKS5);
    ck_assert_str_eq(e.host, "proxy.example");
    ck_assert_uint_eq(e.port, 1080);
    ck_assert_str_eq(e.user, "User@x");
    ck_assert_str_eq(e.password, "p:%w");
    ck_assert_str_eq(e.name, "socks5://***@proxy.example:1080");
    e = good("socks5h://[::1]:1081");
    ck_assert_int_eq(e.kind, EXIT_SOCKS5);
    ck_assert_str_eq(e.name, "socks5://[::1]:1081");
    ck_assert_ptr_null(e.user);
    e = good("http://user@127.0.0.1:3128/");
    ck_assert_int_eq(e.kind, EXIT_HTTP);
    ck_assert_str_eq(e.user, "user");
    ck_assert_str_eq(e.password, "");
    ck_assert_str_eq(e.name, "http://***@127.0.0.1:3128");
}
END_TEST

/* Decoded once: what decodes to %41 is %41. */
START_TEST(decoded_once)
{
    struct config_exit e = good("http://a%2541:b%2F@h:1");
    ck_assert_str_eq(e.user, "a%41");
    ck_assert_str_eq(e.password, "b/");
}
END_TEST

/* An @ that should have been encoded belongs to the password; it is not shown as a host. */
START_TEST(last_at_ends_the_userinfo)
{
    struct config_exit e = good("socks5://u:p@ss@h:1");
    ck_assert_str_eq(e.host, "h");
    ck_assert_str_eq(e.password, "p@ss");
}
END_TEST

START_TEST(bad_ones)
{
    static const char *const bad[] = {
        "",
        "proxy.example",
        "192.0.2.5:80",
        "[::1]",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
        "fe80::1%eth0",
        "192.0.2.0/24",
        "https://127.0.0.1:3128",
        "HTTPS://u:secret@127.0.0.1:3128",
        "socks4://127.0.0.1:1080",
        "socks5://127.0.0.1",
        "socks5://127.0.0.1:",
        "socks5://127.0.0.1:0",
        "socks5://127.0.0.1:65536",
        "socks5://:1080",
        "socks5://u:secret@",
        "socks5://@127.0.0.1:1080",
        "socks5://:secret@127.0.0.1:1080",
        "socks5://u:se%2cret%@127.0.0.1:1080",
        "socks5://u:secret%0a@127.0.0.1:1080",
        "socks5://u:secret%00@127.0.0.1:1080",
        "http://u%3Ax:secret@127.0.0.1:3128",
        "http://u:secret@127.0.0.1:3128/path",
        "http://u:secret@[::1:3128",
        "http://u:secret@::1:3128",
        "http://127.0.0.1:3128?x",
        "unix:/run/proxy",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct config_exit e;
        const char *why = NULL;
        ck_assert_msg(!exits_read(arena, bad[i], &e, &why), "%s", bad[i]);
        ck_assert_ptr_nonnull(why);
        ck_assert_msg(!strstr(why, "secret"), "%s", why);
    }
}
END_TEST

START_TEST(secrets_of_255_bytes)
{
    char text[600], user[257];
    struct config_exit e;
    const char *why;
    memset(user, 'u', 256);
    user[255] = '\0';
    snprintf(text, sizeof text, "socks5://%s:p@h:1", user);
    ck_assert(exits_read(arena, text, &e, &why));
    user[255] = 'u';
    user[256] = '\0';
    snprintf(text, sizeof text, "socks5://%s:p@h:1", user);
    ck_assert(!exits_read(arena, text, &e, &why));
}
END_TEST

START_TEST(same_in_other_spellings)
{
    static const struct {
        const char *a, *b;
        bool same;
    } pairs[] = {
        {"socks5://h:1", "socks5h://H.:1", true},
        {"http://h:1", "HTTP://h:1/", true},
        {"http://h:1", "socks5://h:1", false},
        {"http://h:1", "http://h:2", false},
        {"http://u:p@h:1", "http://u:q@h:1", true},
        {"http://u:p@h:1", "http://v:p@h:1", false},
        {"http://u@h:1", "http://h:1", false},
        {"http://[::1]:1", "http://[0::1]:1", true},
        {"::1", "0:0::1", true},
        {"127.0.0.1", "127.0.0.2", false},
        {"http://%75@h:1", "http://u@h:1", true},
    };
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct config_exit a = good(pairs[i].a), b = good(pairs[i].b);
        ck_assert_msg(exits_same(&a, &b) == pairs[i].same, "%s %s", pairs[i].a, pairs[i].b);
        ck_assert_int_eq(exits_hash(&a) == exits_hash(&b), pairs[i].same);
    }
}
END_TEST

/* Written down, since credentials must keep their exit over restarts and versions. */
START_TEST(hashes_stay)
{
    struct config_exit a = good("127.0.0.1"), b = good("socks5://u:p@h:1080");
    ck_assert_uint_eq(exits_hash(&a), UINT64_C(0x1061c6322d3c9020));
    ck_assert_uint_eq(exits_hash(&b), UINT64_C(0x708f05bf0e9f1229));
}
END_TEST

/* ------------------------------------------------------------------ in a configuration */

#define WITH(exits) "upstream a {\nurl = \"https://h\"\nexits = {" exits "}\n}\n"

/* Names are unique, whatever is not shown of them. */
START_TEST(names_are_unique)
{
    struct config *c =
        parse_good(WITH("\"http://u:p@h:1\", \"http://v:p@h:1\", \"http://w:p@h:1\", \"::1\""));
    const struct config_exits *exits = &find(c, "a")->exits;
    ck_assert_uint_eq(exits->count, 4);
    ck_assert_str_eq(exits->at[0].name, "http://***@h:1");
    ck_assert_str_eq(exits->at[1].name, "http://***@h:1#2");
    ck_assert_str_eq(exits->at[2].name, "http://***@h:1#3");
    config_unref(c);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(source_addresses);
    TEST(proxies);
    TEST(decoded_once);
    TEST(last_at_ends_the_userinfo);
    TEST(bad_ones);
    TEST(secrets_of_255_bytes);
    TEST(same_in_other_spellings);
    TEST(hashes_stay);
    TEST(names_are_unique);
}
