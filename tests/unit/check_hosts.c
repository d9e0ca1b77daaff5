/* The hosts of an upstream: which list applies, what names the upstream, and what is wrong with a list. */
#include "config/hosts.h"

#include "config_fixture.h"
#include "suite.h"

static bool names(const struct config *c, const char *upstream, bool secure, const char *host,
                  uint16_t port)
{
    const struct upstream_config *u = config_find_origin(c, secure, host, strlen(host), port);
    return u && strcmp(u->name, upstream) == 0;
}

START_TEST(each_host_names_the_upstream)
{
    struct config *c =
        parse_good("upstream x {\nendpoints = {\"https://A.example\", \"https://b.example:444\",\n"
                   "\"https://[::1]\", \"https://a.example:8443\"}\n}\n"
                   "upstream y { url = \"https://y.example\" }");
    const struct upstream_config *x = find(c, "x");
    ck_assert_uint_eq(x->host_count, 4);
    ck_assert_str_eq(x->url, "https://A.example");
    ck_assert_str_eq(x->host, "a.example");
    ck_assert_uint_eq(x->port, 443);
    ck_assert(names(c, "x", true, "a.EXAMPLE", 443) && names(c, "x", true, "a.example", 8443));
    ck_assert(names(c, "x", true, "b.example", 444) && names(c, "x", true, "::1", 443));
    ck_assert(names(c, "y", true, "y.example", 443));
    ck_assert(!names(c, "x", true, "b.example", 443) && !names(c, "x", false, "a.example", 443));
    config_unref(c);
}
END_TEST

START_TEST(url_is_the_first_or_absent)
{
    struct config *c = parse_good("upstream x {\nurl = \"https://a.example:443/\"\n"
                                  "endpoints = {\"https://a.example\", \"https://b.example\"}\n}");
    ck_assert_uint_eq(find(c, "x")->host_count, 2);
    config_unref(c);
    refuse("upstream x {\nendpoints = {\"https://a.example\", \"https://b.example\"}\n"
           "url = \"https://b.example\"\n}",
           "t.conf:3: url must be the first of endpoints, https://a.example, or absent\n");
    refuse("upstream x {\nendpoints = {}\n}", "t.conf:1: upstream 'x' has no url\n");
}
END_TEST

START_TEST(a_list_is_checked)
{
    refuse("upstream x {\nendpoints = {\"https://a\",\n\"https://b\",\n\"https://A:443/\"}\n}",
           "t.conf:4: endpoints: https://A:443/ is there twice\n");
    refuse("upstream x {\nendpoints = {\"https://a\",\n\"http://a\"}\n}",
           "t.conf:3: endpoints: http://a has another scheme than the first, https://a\n");
    refuse_at("upstream x {\nendpoints = {\"https://a\",\n\"https://b/v3\"}\n}", 3, "no path");
    refuse_at("upstream x {\nendpoints = {\"b.example\"}\n}", 2, "must be https://");
    refuse(
        "upstream x {\nendpoints = {\"https://a\", \"https://b\"}\nconnect_to = 127.0.0.1:1\n}",
        "t.conf:3: connect_to is one address, and endpoints are several hosts: use one of both\n");
    refuse("upstream x {\nendpoints = {\"https://a\", \"https://b\"}\n}\n"
           "upstream y {\nurl = \"https://b\"\n}",
           "t.conf:4: upstream 'y' has the same origin as 'x' on line 1\n");
    refuse("defaults {\nendpoints = {\"https://a\"}\n}",
           "t.conf:2: endpoints can be set only in an upstream block\n");
}
END_TEST

START_TEST(pairs_are_bounded)
{
    struct text many = {0};
    text_add_str(&many, "upstream x {\nendpoints = {\"https://h\"");
    for (int i = 1; i < 22; i++)
        text_printf(&many, ", \"https://h%d\"", i);
    text_add_str(&many, "}\nexits = {127.0.0.1, 127.0.0.2");
    size_t len = many.len;
    text_add_str(&many, "}\n}");
    config_unref(parse_good(many.at));
    many.len = len;
    text_add_str(&many, ", 127.0.0.3}\n}");
    refuse(many.at, "t.conf:2: endpoints and exits: there are 22 and 3, at most 64 pairs are "
                    "possible\n");
    text_free(&many);
}
END_TEST

static size_t hosts_of(const char *directives)
{
    struct text text = {0};
    text_printf(&text, "upstream x {\npreset = bybit\n%s\n}", directives);
    struct config *c = parse_good(text.at);
    size_t count = find(c, "x")->host_count;
    ck_assert_uint_eq(hosts_count(find(c, "x")), count);
    config_unref(c);
    text_free(&text);
    return count;
}

START_TEST(a_presets_list_yields)
{
    ck_assert_uint_eq(hosts_of(""), 2);
    ck_assert_uint_eq(hosts_of("url = \"https://api.bybit.com\""), 2);
    ck_assert_uint_eq(hosts_of("url = \"https://api-testnet.bybit.com\""), 1);
    ck_assert_uint_eq(hosts_of("url = \"https://api.bytick.com\""), 1);
    ck_assert_uint_eq(hosts_of("connect_to = \"127.0.0.1:1\""), 1);
    ck_assert_uint_eq(hosts_of("endpoints = {}"), 1);
    ck_assert_uint_eq(hosts_of("endpoints = {\"https://a\", \"https://b\", \"https://c\"}"), 3);
    struct config *c = parse_good("upstream x { preset = bybit }\n"
                                  "upstream y { url = \"https://api.bytick.com\" }");
    ck_assert_uint_eq(find(c, "x")->host_count, 1);
    ck_assert_uint_eq(find(c, "x")->endpoints.count, 1);
    ck_assert(names(c, "y", true, "api.bytick.com", 443));
    config_unref(c);
    refuse("upstream x { preset = bybit }\nupstream y { url = \"https://api.bybit.com\" }",
           "t.conf:2: upstream 'y' has the same origin as 'x' on line 1\n");
}
END_TEST

/* Of an unlisted host: what its settings say. */
START_TEST(settings_without_a_list)
{
    struct upstream_config u = {.secure = true, .host = "h", .port = 444};
    ck_assert_uint_eq(hosts_count(&u), 1);
    ck_assert_str_eq(hosts_at(&u, 0).host, "h");
    ck_assert_uint_eq(hosts_at(&u, 0).port, 444);
    ck_assert(hosts_has(&u, true, SPAN("H"), 444));
    u.host = NULL;
    ck_assert_uint_eq(hosts_count(&u), 0);
    ck_assert(!hosts_has(&u, true, SPAN("h"), 444));
}
END_TEST

SUITE()
{
    TEST(each_host_names_the_upstream);
    TEST(url_is_the_first_or_absent);
    TEST(a_list_is_checked);
    TEST(pairs_are_bounded);
    TEST(a_presets_list_yields);
    TEST(settings_without_a_list);
}
