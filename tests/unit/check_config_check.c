/* The conditions between several values of a file. */
#include <stdio.h>

#include "config_fixture.h"
#include "suite.h"

START_TEST(names_of_upstreams_are_checked)
{
    static const char *const bad[] = {"Binance", "a.b",     "a_b",       "\"\"",     "stats",
                                      "metrics", "healthz", "upstreams", "requests", "http",
                                      "https",   "reload",  "ws",        "wss",      "\"a b\""};
    char text[200];
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        snprintf(text, sizeof text, "\nupstream %s\n{\nurl = https://a.example\n}\n", bad[i]);
        refuse_at(text, 2, "upstream '");
    }
    refuse_at("upstream aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa {"
              "url = http://a }",
              1, "longer than 63");
    refuse("upstream a { url = https://a.example }\n\n"
           "upstream a {\n}\n"
           "upstream b {\nurl = https://A.EXAMPLE:443/\n}\n"
           "upstream c {\nurl = https://a.example\n}\n"
           "upstream d { url = http://a.example }\n"
           "upstream d { url = http://d.example retries = x }\n",
           "t.conf:12: retries = x: must be a whole number from 0 to 100\n"
           "t.conf:3: upstream 'a' is already defined on line 1\n"
           "t.conf:3: upstream 'a' has no url\n"
           "t.conf:5: upstream 'b' has the same origin as 'a' on line 1\n"
           "t.conf:8: upstream 'c' has the same origin as 'a' on line 1\n"
           "t.conf:12: upstream 'd' is already defined on line 11\n");
}
END_TEST

START_TEST(bounds_agree_with_each_other)
{
    refuse("dns_min_ttl = 5m\n", "t.conf:1: dns_min_ttl (5m) is more than dns_max_ttl (1m)\n");
    refuse("dns_min_ttl = 5s\n\ndns_max_ttl = 4s",
           "t.conf:3: dns_min_ttl (5s) is more than dns_max_ttl (4s)\n");
    refuse("\ndefaults {\n breaker_min = 6s min_idle = 17\n}\nupstream a {\nurl = https://a\n}",
           "t.conf:2: min_idle (17) is more than max_connections (16)\n"
           "t.conf:2: min_idle (17) is more than max_idle (16)\n"
           "t.conf:2: breaker_min (6s) is more than breaker_max (5s)\n");
    refuse("upstream a {\nurl = https://a\nmax_connections = 2 min_idle = 3\n}\n"
           "defaults { max_idle = 4 }\n\nupstream b {\nurl = https://b\nmin_idle = 5\n}",
           "t.conf:1: min_idle (3) is more than max_connections (2)\n"
           "t.conf:7: min_idle (5) is more than max_idle (4)\n");
    refuse("upstream a {\nurl = https://a\nmin_idle = 20 max_idle = 20\n}\n"
           "defaults {\nmax_connections = x\n}",
           "t.conf:6: max_connections = x: must be a whole number from 1 to 65535\n");
    config_unref(parse_good("upstream a { url = https://a max_connections = 5 min_idle = 5 }"));
}
END_TEST

START_TEST(bots_are_checked)
{
    char many[4000];
    size_t len = 0;
    struct config *c = parse_good("bot grid1 { weight_share = 40% order_rate = \"5/1s\" }\n"
                                  "bot \"a.b\" { weight_share = 70% }\nbot none { }");
    ck_assert_uint_eq(c->bot_count, 3); /* shares may add up to more than all */
    ck_assert_str_eq(c->bots[0].name, "grid1");
    ck_assert_uint_eq(c->bots[0].weight_share, 40);
    ck_assert_uint_eq(c->bots[0].order_rate.count, 5);
    ck_assert_uint_eq(c->bots[2].weight_share, 100);
    ck_assert_uint_eq(c->bots[2].order_rate.count, 0);
    config_unref(c);
    refuse("bot a { }\nbot \"b c\" { }\nbot a { }\nbot \"\" { weight_share = 101% }",
           "t.conf:4: weight_share = 101%: must be a percentage from 1% to 100%\n"
           "t.conf:2: bot 'b c': the name has characters that no token has\n"
           "t.conf:3: bot 'a' is already defined on line 1\n"
           "t.conf:4: bot '': the name has characters that no token has\n");
    refuse_at("bot a {\nurl = https://a.example\n}", 2, "belongs in an upstream block");
    refuse_at("upstream a {\nbot b { } }", 2, "cannot be inside another block");
    for (int i = 0; i <= CONFIG_BOTS_MAX; i++)
        len += (size_t)snprintf(many + len, sizeof many - len, "bot b%d { }\n", i);
    refuse_at(many, CONFIG_BOTS_MAX + 1, "more than 64 bots");
}
END_TEST

START_TEST(the_store_needs_what_it_is_said_to_need)
{
    refuse("budget_store = \"redis://bob:secret@\"",
           "t.conf:1: budget_store: the host must be a plain name, an IPv4 address or [IPv6]\n");
    refuse("budget_store = \"redis:bob:secret@h\"",
           "t.conf:1: budget_store: must be redis://[USER:PASSWORD@]HOST[:PORT][/DB], rediss:// or "
           "unix:/PATH\n");
    refuse("budget_store = \"redis://h\"\nbudget_store_ca_file = \"/etc/hosts\"",
           "t.conf:2: budget_store_ca_file needs a budget_store with rediss://\n");
    refuse("budget_key = a", "t.conf:1: unknown directive 'budget_key' here: it belongs in an "
                             "upstream block\n");
}
END_TEST

START_TEST(addresses_to_listen_on_are_checked)
{
    char path[200], text[300];
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[107] = '\0';
    snprintf(text, sizeof text, "listen = {\"unix:%s\"}", path);
    config_unref(parse_good(text));
    path[107] = 'x';
    path[108] = '\0';
    snprintf(text, sizeof text, "\nlisten = {\"unix:%s\"}", path);
    refuse_at(text, 2, "at most 107 bytes");
    refuse_at("listen = {unix:run.sock}", 1, "must begin with /");
    refuse_at("listen = {\"unix:\"}", 1, "must begin with /");
    refuse_at("listen = {127.0.0.1:0}", 1, "the port must be a number from 1 to 65535");
    refuse_at("listen = {localhost:80}", 1, "must be IP:PORT");
    refuse_at("listen = {\"::1:80\"}", 1, "must be IP:PORT");
    refuse_at("listen = {\"[::1]80\"}", 1, "must be IP:PORT");
    refuse_at("listen = {\"[127.0.0.1]:80\"}", 1, "must be IP:PORT");
    refuse_at("listen = {8642}", 1, "must be IP:PORT");
    refuse("listen = {\n\"127.0.0.1:1\",\n\"0.0.0.0:1\"}\n"
           "upstream a {\nurl = https://a\nlisten = {\"192.0.2.1:5\"}\n}",
           "t.conf:3: 0.0.0.0:1 is not a loopback address: set allow_clients first\n"
           "t.conf:3: 0.0.0.0:1 is already listened on with 127.0.0.1:1\n"
           "t.conf:6: 192.0.2.1:5 is not a loopback address: set allow_clients first\n");
    refuse("upstream a {\nurl = https://a\nlisten = {\n\"127.0.0.1:8642\",\n"
           "\"[::0001]:9\", \"[::1]:9\"}\n}",
           "t.conf:4: 127.0.0.1:8642 is already listened on\n"
           "t.conf:5: [::1]:9 is already listened on\n");
    refuse("allow_clients = {::/0}\nlisten = {\"[::]:9\", 0.0.0.0:8}\nupstream a {\n"
           "url = https://a\nlisten = {\"[::1]:9\", \"[::1]:8\", 127.0.0.1:9}\n}",
           "t.conf:5: [::1]:9 is already listened on with [::]:9\n");
    refuse("listen = {x, unix:/a, \"unix:/a\"}",
           "t.conf:1: listen = x: must be IP:PORT, [IP6]:PORT or unix:/path (an address, not a "
           "name)\nt.conf:1: unix:/a is already listened on\n");
    refuse("allow_clients = {x}\nlisten = {0.0.0.0:1}",
           "t.conf:1: allow_clients = x: must be a network such as 10.0.0.0/8, fd00::/8 or "
           "192.0.2.7\n");
    config_unref(parse_good("listen = {0.0.0.0:1, \"[::]:1\", 127.9.9.9:7}\n"
                            "allow_clients = {10.0.0.0/8}"));
    config_unref(parse_good("listen = {\"[::ffff:127.0.0.1]:1\"}"));
    struct config *c = parse_good("listen = {}");
    ck_assert_uint_eq(c->listen.count, 0);
    config_unref(c);
}
END_TEST

/* No message repeats what may be a password. */
START_TEST(exits_are_checked)
{
    struct text many = {0};
    refuse("upstream a {\nurl = https://a\nexits = {127.0.0.2,\n\"socks5://u:secret@h:1\",\n"
           "\"::ffff:127.0.0.2\", \"SOCKS5H://u:other@H.:1\",\n\"https://u:secret@h:1\",\n"
           "\"u:secret@h:1\", 10.0.0.0}\n}",
           "t.conf:6: exits: a proxy that is spoken to over TLS is not supported: http:// or "
           "socks5:// (what goes through it is encrypted to the origin)\n"
           "t.conf:7: exits: must be an IP address, socks5://[user:password@]host:port or "
           "http://[user:password@]host:port\n"
           "t.conf:5: exits: 127.0.0.2 is there twice\n"
           "t.conf:5: exits: socks5://***@h:1 is there twice\n");
    refuse("upstream a {\nurl = https://a\nexits = {127.0.0.2}\nconnect_to = \"unix:/run/x\"\n}",
           "t.conf:4: connect_to is a unix socket, which no exit can reach\n");
    refuse("defaults {\nexits = {127.0.0.2} }",
           "t.conf:2: exits can be set only in an upstream block\n");
    config_unref(parse_good(
        "upstream a {\nurl = https://a\nexits = {127.0.0.2}\nconnect_to = 127.0.0.1:5\n}\n"
        "upstream b {\nurl = https://b\nexits = {127.0.0.2}\n}"));
    text_add_str(&many, "upstream a {\nurl = https://a\nexits = {127.0.0.1");
    for (int i = 2; i <= EXITS_MAX + 1; i++)
        text_printf(&many, ", 127.0.0.%d", i);
    text_add_str(&many, "}\n}");
    refuse(many.at, "t.conf:3: exits: there are 65, at most 64 are possible\n");
    text_free(&many);
}
END_TEST

START_TEST(errors_in_paths_name_their_line)
{
    refuse("# a comment\n/* and\none more */\nupstream a {\n  url = https://a.example # x\n"
           "  path /a { fresh = 1s } # y\n"
           "  path\n  b\n  {\n  fresh = soon\n  }\n"
           "  path /a { }\n"
           "  path \"/ c\" { }\n"
           "}\nupstream b { url = https://b.example }\nupstream c {\n}\n",
           "t.conf:10: fresh = soon: must be a duration (us ms s m h) from 0 to 8760h\n"
           "t.conf:7: path 'b' does not begin with /\n"
           "t.conf:12: path '/a' is already defined on line 6\n"
           "t.conf:13: path '/ c' has characters that no request target has\n"
           "t.conf:16: upstream 'c' has no url\n");
    refuse("upstream a { url = https://a.example\n path /a {\n retries = 1 } }",
           "t.conf:3: unknown directive 'retries' here: it belongs in an upstream or defaults "
           "block\n");
    refuse("\ndefaults { path /a { } }",
           "t.conf:2: unknown directive 'path' here: it belongs in an upstream block\n");
    refuse("\nupstream a {\npath /a {", "t.conf:2: this '{' is never closed\n");
    refuse("path /a { }",
           "t.conf:1: unknown directive 'path' here: it belongs in an upstream block\n");
}
END_TEST

SUITE()
{
    FIXTURE(NULL, forget);
    TEST(names_of_upstreams_are_checked);
    TEST(bounds_agree_with_each_other);
    TEST(bots_are_checked);
    TEST(the_store_needs_what_it_is_said_to_need);
    TEST(addresses_to_listen_on_are_checked);
    TEST(exits_are_checked);
    TEST(errors_in_paths_name_their_line);
}
