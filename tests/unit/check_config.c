/* Configurations as a whole: defaults and inheritance, lines of errors, checks
 * between values, and that a dump reads back to the same. */
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "config_fixture.h"
#include "suite.h"

START_TEST(an_empty_file_gives_the_documented_defaults)
{
    struct config *c = parse_good("");
    const struct upstream_config *d = &c->defaults;
    ck_assert_uint_eq(c->listen.count, 1);
    ck_assert_str_eq(c->listen.at[0].text, "127.0.0.1:8642");
    ck_assert_uint_eq(c->allow_clients.count, 0);
    ck_assert_int_eq(c->unlisted, UNLISTED_ALLOW);
    ck_assert_uint_eq(c->max_clients, 4096);
    ck_assert_uint_eq(c->client_idle_timeout, 600000);
    ck_assert_uint_eq(c->max_header_size, 32768);
    ck_assert_uint_eq(c->dns_max_ttl, 60000);
    ck_assert_int_eq(c->log_level, LOG_LEVEL_INFO);
    ck_assert_str_eq(c->access_log, "off");
    ck_assert_int_eq(c->access_log_format, LOG_FORMAT_LOGFMT);
    ck_assert_uint_eq(c->slow_log, 1000);
    ck_assert_ptr_null(d->name);
    ck_assert_ptr_null(d->url);
    ck_assert_ptr_null(d->ca_file);
    ck_assert_uint_eq(d->connect_to.len, 0);
    ck_assert_uint_eq(d->listen.count, 0);
    ck_assert_uint_eq(d->max_connections, 16);
    ck_assert_uint_eq(d->idle_timeout, 90000);
    ck_assert(d->idle_learn && d->tls_verify && d->via && !d->server_timing);
    ck_assert_uint_eq(d->max_age, 3600000);
    ck_assert_uint_eq(d->transfer_timeout, 0);
    ck_assert_int_eq(d->tls_min, TLS_MIN_1_2);
    ck_assert_int_eq(d->http2, HTTP2_AUTO);
    ck_assert_uint_eq(d->credential_headers.count, 18);
    ck_assert_str_eq(d->credential_headers.at[17], "X-BAPI-SIGN");
    ck_assert_str_eq(d->credential_params.at[1], "listenKey");
    ck_assert_uint_eq(c->upstream_count, 0);
    config_unref(c);
}
END_TEST

START_TEST(lines_are_right_in_a_commented_file)
{
    refuse_at("# one\n"
              "/* two\n"
              "   three */\n"
              "// four\n"
              "listen = { # five\n"
              "  \"127.0.0.1:1\", // six\n"
              "  /* seven\n"
              "  */ \"nine # no comment /* at all // here\"\n"
              "}\n",
              8, "listen = nine # no comment /* at all // here: ");
    refuse("max_clients = 0 # a\n/**/ max_uri_size = 0 // \"\nupstream a { /* '\n\" */\n"
           "  url = https://a.example # unquoted\n  retries = x\n}\ncache_sise = 1m\n",
           "t.conf:1: max_clients = 0: must be a whole number from 1 to 1000000\n"
           "t.conf:2: max_uri_size = 0: must be a size (k m g) from 64 to 16m\n"
           "t.conf:6: retries = x: must be a whole number from 0 to 100\n"
           "t.conf:8: unknown directive 'cache_sise'\n");
    refuse_at("# a\r\n\r\nmax_clients = \"1\\\n0\" # b\r\nmax_clients_ = 1", 5,
              "unknown directive 'max_clients_'");
    config_unref(parse_good("max_clients=5//five\nupstream a{url=https://a.example/**/}#"));
}
END_TEST

START_TEST(unknown_directives_are_named)
{
    refuse("\nupstream a {\nfreshness = 1s\nbad = 1\n}",
           "t.conf:3: unknown directive 'freshness'\n");
    refuse("conect = deny", "t.conf:1: unknown directive 'conect'\n");
    refuse("upstream a { max_clients = 1 }",
           "t.conf:1: unknown directive 'max_clients' here: it belongs outside any block\n");
    refuse("url = x", "t.conf:1: unknown directive 'url' here: it belongs in an upstream block\n");
    refuse("upstream a { defaults { } }",
           "t.conf:1: unknown directive 'defaults' here: it cannot be inside another block\n");
    refuse("min_idle = 1", "t.conf:1: unknown directive 'min_idle' here: it belongs in an upstream "
                           "or defaults block\n");
    refuse("upstream a {\nurl = http://a\n}\n\"upstream=a|min_idle\" = 5",
           "t.conf:4: unknown directive 'min_idle' here: it belongs in an upstream or defaults "
           "block\n");
}
END_TEST

START_TEST(syntax_errors_name_their_line)
{
    refuse("max_clients = 1\nlisten = {\"a", "t.conf:2: this string is never closed\n");
    refuse("\n\"abc\n", "t.conf:2: this string is never closed\n");
    refuse("\nupstream a {\nurl = \"http://a\"\n", "t.conf:2: this '{' is never closed\n");
    refuse("listen = {\n\"127.0.0.1:1\"", "t.conf:1: this '{' is never closed\n");
    refuse("/* x\n", "t.conf:1: this comment is never closed\n");
    refuse("max_clients = 1\n}\n", "t.conf:2: unexpected closing brace\n");
    refuse("max_clients\n5", "t.conf:2: missing equal sign after option 'max_clients'\n");
    refuse("max_clients = {5}", "t.conf:1: unexpected token '{'\n");
    refuse("max_clients =\n", "t.conf:2: premature end of file\n");
    refuse("max_clients = +5", "t.conf:1: unexpected '+'\n");
    refuse("max_clients = *5", "t.conf:1: unexpected '*'\n");
    refuse("allow_hosts += {a}", "t.conf:1: '+=' is not supported: give the whole list\n");
    refuse("access_log = \"${HOME\"", "t.conf:1: '${' is never closed "
                                      "(write \\${ for the characters)\n");
    refuse("access_log = /a${HOME}", "t.conf:1: a value that contains '${' must be quoted\n");
    refuse("access_log = \"\\999\"", "t.conf:1: bad escape sequence '\\999'\n");
    refuse("max_clients = 0\nmax_clients_ = 1\n\"",
           "t.conf:1: max_clients = 0: must be a whole number from 1 to 1000000\n"
           "t.conf:2: unknown directive 'max_clients_'\n");
    ck_assert_ptr_null(config_parse("t.conf", "\0", 1, complain, &complaints));
    ck_assert_ptr_null(config_parse("t.conf", "a = \"\0\"", 7, NULL, NULL));
}
END_TEST

START_TEST(names_of_upstreams_are_checked)
{
    static const char *const bad[] = {"Binance", "a.b",     "a_b",       "\"\"",     "stats",
                                      "metrics", "healthz", "upstreams", "requests", "http",
                                      "https",   "ws",      "wss",       "\"a b\""};
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

START_TEST(defaults_are_inherited_wherever_they_stand)
{
    struct config *c = parse_good("upstream a { url = https://a idle_timeout = 5s\n"
                                  "credential_headers = {} }\n"
                                  "defaults { idle_timeout = 7s retries = 0\n"
                                  "credential_headers = {\"X-Mine\"} }\n"
                                  "upstream b { url = https://b }");
    const struct upstream_config *a = find(c, "a"), *b = find(c, "b");
    ck_assert_uint_eq(c->defaults.idle_timeout, 7000);
    ck_assert_uint_eq(a->idle_timeout, 5000);
    ck_assert_uint_eq(b->idle_timeout, 7000);
    ck_assert(a->retries == 0 && b->retries == 0);
    ck_assert_uint_eq(a->credential_headers.count, 0);
    ck_assert_uint_eq(b->credential_headers.count, 1);
    ck_assert_str_eq(b->credential_headers.at[0], "X-Mine");
    ck_assert_uint_eq(b->queue_timeout, 5000);
    config_unref(c);
    refuse("defaults {}\n\ndefaults {\n}\n", "t.conf:3: defaults is already defined on line 1\n");
    refuse("defaults {\nurl = https://a\nlisten = {}\nconnect_to = 127.0.0.1:1\ntls_name = a }",
           "t.conf:2: url can be set only in an upstream block\n"
           "t.conf:1: listen can be set only in an upstream block\n"
           "t.conf:4: connect_to can be set only in an upstream block\n"
           "t.conf:5: tls_name can be set only in an upstream block\n");
}
END_TEST

START_TEST(a_directive_stands_once_in_its_block)
{
    refuse("max_clients = 1\nmax_clients = 2",
           "t.conf:1: max_clients is set twice: here, and again below\n");
    refuse("listen = {127.0.0.1:1, 127.0.0.1:2}\nlisten = {127.0.0.1:3}",
           "t.conf:1: listen is set twice: here, and again below\n");
    config_unref(parse_good("upstream a { url = https://a retries = 1 }\n"
                            "upstream b { url = https://b retries = 1 }"));
}
END_TEST

START_TEST(upstreams_are_found)
{
    struct config *c = parse_good("upstream a { url = \"https://a.example\" }\n"
                                  "upstream ab { url = \"http://a.example:8080\" }\n"
                                  "upstream six { url = \"https://[::1]\" }");
    ck_assert_ptr_eq(config_find(c, "abc", 2), c->upstreams[1]);
    ck_assert_ptr_null(config_find(c, "abc", 3));
    ck_assert_ptr_null(config_find(c, "", 0));
    ck_assert_ptr_eq(config_find_origin(c, true, "a.exampleX", 9, 443), c->upstreams[0]);
    ck_assert_ptr_eq(config_find_origin(c, false, "a.example", 9, 8080), c->upstreams[1]);
    ck_assert_ptr_eq(config_find_origin(c, true, "::1", 3, 443), c->upstreams[2]);
    ck_assert_ptr_null(config_find_origin(c, false, "a.example", 9, 443));
    ck_assert_ptr_null(config_find_origin(c, true, "a.exampl", 8, 443));
    ck_assert_ptr_eq(config_ref(c), c);
    config_unref(c);
    ck_assert_str_eq(c->upstreams[0]->name, "a");
    config_unref(c);
}
END_TEST

static void check_round_trip(const char *source)
{
    struct text once = {0}, twice = {0};
    struct config *c = parse_good(source);
    config_dump(c, &once);
    config_unref(c);
    c = parse_good(once.at);
    config_dump(c, &twice);
    config_unref(c);
    ck_assert_str_eq(once.at, twice.at);
    text_free(&once);
    text_free(&twice);
}

START_TEST(a_dump_reads_back_to_the_same)
{
    struct text out = {0};
    check_round_trip("");
    check_round_trip("access_log = \"/a/\\${HOME}\\\\n{\\\"}\\n\\t'$'#//\\x01\303\244\"\n"
                     "allow_clients = {\"10.1.2.3/9\", ::/0} listen = {\"[::]:1\"}\n"
                     "defaults { max_age = 1.5s body_timeout = 1234ms credential_params = {} }\n"
                     "upstream z-9 { url = \"http://Z.example.\" tls_name = \"::1\" tls_min = 1.3\n"
                     "credential_headers = {\"!#$%&'*+-.^_`|~\"} listen = {unix:/a} }\n"
                     "upstream y { url = https://[::2]:444 connect_to = 10.0.0.1:5 via = no }");
    struct config *c = parse_good("unlisted = deny access_log = '/a${b}\\n\"'\n"
                                  "upstream a { url = https://a min_idle = 2 }");
    ck_assert_str_eq(c->access_log, "/a${b}\\n\"");
    config_dump(c, &out);
    ck_assert_ptr_nonnull(strstr(out.at, "\nunlisted = deny\n"));
    ck_assert_ptr_nonnull(strstr(out.at, "\naccess_log = \"/a\\${b}\\\\n\\\"\"\n"));
    ck_assert_ptr_nonnull(strstr(out.at, "\ndefaults {\n    max_connections = 16\n"));
    ck_assert_ptr_nonnull(strstr(out.at,
                                 "\nupstream a {\n    url = \"https://a\"\n"
                                 "    preset = \"\"\n    listen = {}\n    connect_to = \"\"\n"));
    ck_assert_ptr_nonnull(strstr(out.at, "    min_idle = 2\n    idle_timeout = 90s\n"));
    ck_assert_ptr_nonnull(strstr(out.at, "    tls_min = 1.2\n"));
    ck_assert_ptr_eq(strstr(out.at, "listen = {\"127.0.0.1:8642\"}\nallow_clients = {}\n"), out.at);
    config_unref(c);
    text_free(&out);
}
END_TEST

START_TEST(files_are_loaded)
{
    char dir[] = "/tmp/check_config_XXXXXX", path[100], expected[200];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/t.conf", dir);
    text_free(&complaints);
    ck_assert_ptr_null(config_load(path, false, complain, &complaints));
    snprintf(expected, sizeof expected, "%s: No such file or directory\n", path);
    ck_assert_str_eq(complaints.at, expected);
    struct config *c = config_load(path, true, complain, &complaints);
    ck_assert_str_eq(c->path, "");
    config_unref(c);
    ck_assert_ptr_null(config_load(dir, true, complain, &complaints));
    ck_assert_ptr_nonnull(strstr(complaints.at, ": Is a directory\n"));
    FILE *f = fopen(path, "w");
    fputs("\nupstream a {\nurl = https://a\n}\n", f);
    fclose(f);
    c = config_load(path, false, complain, &complaints);
    ck_assert_str_eq(c->path, path);
    ck_assert_int_eq(c->upstreams[0]->line, 2);
    config_unref(c);
    ck_assert_int_eq(chdir(dir), 0);
    c = config_load("t.conf", false, complain, &complaints);
    ck_assert_str_eq(c->path, path);
    config_unref(c);
    unlink(path);
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(dir);
}
END_TEST

static void *load_often(void *argument)
{
    const char *text = argument;
    size_t refused = 0;
    for (int i = 0; i < 30; i++) {
        struct config *c = config_parse("t.conf", text, strlen(text), NULL, NULL);
        if (c)
            config_unref(c);
        else
            refused++;
    }
    return (void *)refused;
}

START_TEST(several_threads_read_at_once)
{
    static char texts[3][80] = {"upstream a { url = https://a }", "upstream a { url = \"", "x = 1"};
    pthread_t threads[3];
    void *refused[3];
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, load_often, texts[i]), 0);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], &refused[i]);
    ck_assert_uint_eq((uintptr_t)refused[0], 0);
    ck_assert_uint_eq((uintptr_t)refused[1], 30);
    ck_assert_uint_eq((uintptr_t)refused[2], 30);
}
END_TEST

SUITE()
{
    FIXTURE(NULL, forget);
    TEST(an_empty_file_gives_the_documented_defaults);
    TEST(lines_are_right_in_a_commented_file);
    TEST(unknown_directives_are_named);
    TEST(syntax_errors_name_their_line);
    TEST(names_of_upstreams_are_checked);
    TEST(bounds_agree_with_each_other);
    TEST(defaults_are_inherited_wherever_they_stand);
    TEST(a_directive_stands_once_in_its_block);
    TEST(upstreams_are_found);
    TEST(a_dump_reads_back_to_the_same);
    TEST(files_are_loaded);
    TEST(several_threads_read_at_once);
}
