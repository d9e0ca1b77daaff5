/* A dump shows every value, and reads back to the same. */
#include "config_fixture.h"
#include "suite.h"

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
    ck_assert_ptr_nonnull(strstr(
        out.at, "\nupstream a {\n    url = \"https://a\"\n"
                "    endpoints = {}\n    preset = \"\"\n    listen = {}\n    connect_to = \"\"\n"));
    ck_assert_ptr_nonnull(strstr(out.at, "    min_idle = 2\n    idle_timeout = 90s\n"));
    ck_assert_ptr_nonnull(strstr(out.at, "    tls_min = 1.2\n"));
    ck_assert_ptr_eq(strstr(out.at, "listen = {\"127.0.0.1:8642\"}\nallow_clients = {}\n"), out.at);
    config_unref(c);
    text_free(&out);
}
END_TEST

START_TEST(all_of_it_reads_back)
{
    struct text once = {0}, twice = {0};
    struct config *c =
        parse_good("upstream a { preset = kraken path '/\\\\a\"$b' { fresh = 5s } }\n"
                   "upstream b { preset = okx fresh = 1s error_prefix = {} }\n"
                   "upstream c { preset = bybit shareable_headers = {A, 'B-*'} }");
    config_dump(c, &once);
    config_unref(c);
    ck_assert_ptr_nonnull(strstr(once.at,
                                 "    path \"/0/public/Ticker\" {\n        response_timeout = 9s\n"
                                 "        total_timeout = 9s\n        body_timeout = 30s\n"
                                 "        dedupe = 10s\n"
                                 "        fresh = 500ms\n"
                                 "        stale_if_error = 5s\n        coalesce = yes\n"
                                 "        cache_max_object = 1m\n    }\n"));
    c = parse_good(once.at);
    config_dump(c, &twice);
    config_unref(c);
    ck_assert_str_eq(once.at, twice.at);
    text_free(&once);
    text_free(&twice);
}
END_TEST

START_TEST(settings_are_compared_by_value)
{
    struct config *one = parse_good("upstream a { url = https://a fresh = 1000ms }\n"
                                    "upstream b { url = https://b fresh = 1s }");
    struct config *other = parse_good("defaults { fresh = 1s }\n\nupstream a { url = https://a }");
    ck_assert(config_same_settings(find(one, "a"), find(other, "a")));
    ck_assert(!config_same_settings(find(one, "a"), find(one, "b")));
    ck_assert(!config_same_settings(&one->defaults, &other->defaults));
    config_unref(one);
    config_unref(other);
}
END_TEST

SUITE()
{
    FIXTURE(NULL, forget);
    TEST(a_dump_reads_back_to_the_same);
    TEST(all_of_it_reads_back);
    TEST(settings_are_compared_by_value);
}
