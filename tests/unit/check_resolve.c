/* Whether the path block, the upstream, its preset or the defaults determine a value. */
#include <stdio.h>

#include "config_fixture.h"
#include "suite.h"

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

START_TEST(the_longest_prefix_decides)
{
    struct config *c = parse_good("defaults { stale_if_error = 7s }\n"
                                  "upstream a { url = https://a.example fresh = 1s retries = 5\n"
                                  "path /api { fresh = 2s coalesce = yes }\n"
                                  "path '/api/time' { fresh = 0 cache_max_object = 3k }\n"
                                  "path /ap { fresh = 4s } }");
    const struct upstream_config *a = find(c, "a");
    ck_assert_uint_eq(a->path_count, 3);
    ck_assert_ptr_eq(at(a, "/"), a);
    ck_assert_ptr_eq(at(a, ""), a);
    ck_assert_uint_eq(at(a, "/apx")->fresh, 4000);
    ck_assert_uint_eq(at(a, "/api")->fresh, 2000);
    ck_assert_uint_eq(at(a, "/api/tim")->fresh, 2000);
    ck_assert(at(a, "/api/x")->coalesce && !at(a, "/api/time")->coalesce);
    const struct upstream_config *time = at(a, "/api/time?x");
    ck_assert_uint_eq(time->fresh, 0);
    ck_assert_uint_eq(time->cache_max_object, 3072);
    ck_assert_uint_eq(time->stale_if_error, 7000);
    ck_assert_uint_eq(time->retries, 5);
    ck_assert_uint_eq(time->path_count, 0);
    ck_assert_str_eq(time->name, "a");
    config_unref(c);
}
END_TEST

/* Long polls have timeouts of their own; a directive that their block does not set has the
 * upstream's value. */
START_TEST(timeouts_in_paths)
{
    struct config *c = parse_good("defaults { response_timeout = 3s }\n"
                                  "upstream a { url = https://a.example total_timeout = 4s\n"
                                  "path /poll { response_timeout = 70s body_timeout = 1m }\n"
                                  "path /all { total_timeout = 5s } }");
    const struct upstream_config *a = find(c, "a"), *poll = at(a, "/poll"), *all = at(a, "/all");
    ck_assert_uint_eq(a->response_timeout, 3000);
    ck_assert_uint_eq(poll->response_timeout, 70000);
    ck_assert_uint_eq(poll->total_timeout, 4000);
    ck_assert_uint_eq(poll->body_timeout, 60000);
    ck_assert_uint_eq(all->response_timeout, 3000);
    ck_assert_uint_eq(all->total_timeout, 5000);
    ck_assert_uint_eq(all->body_timeout, 30000);
    config_unref(c);
    refuse("upstream a { url = https://a.example\npath /a {\ntransfer_timeout = 1s } }",
           "t.conf:3: unknown directive 'transfer_timeout' here: it belongs in an upstream or "
           "defaults block\n");
}
END_TEST

START_TEST(presets_fill_what_is_not_given)
{
    struct config *c =
        parse_good("defaults { fresh = 3s weight_limit = 7 }\n"
                   "upstream b { preset = binance }\n"
                   "upstream k { preset = kraken url = https://k.example\n"
                   "fresh = 2s serialize_by = '' path /0/public/Depth { fresh = 1ms } }");
    const struct upstream_config *b = find(c, "b"), *k = find(c, "k");
    ck_assert_str_eq(b->host, "api.binance.com");
    ck_assert_str_eq(b->weight_header, "X-MBX-USED-WEIGHT-1M");
    ck_assert_uint_eq(b->weight_limit, 6000); /* the preset takes precedence over the defaults */
    ck_assert_uint_eq(b->fresh, 3000);
    ck_assert(at(b, "/api/v3/ticker/price")->coalesce);
    ck_assert_str_eq(k->host, "k.example");
    ck_assert_ptr_null(k->serialize_by);
    ck_assert_str_eq(k->error_prefix.at[0], "{\"error\":[\"E");
    ck_assert_uint_eq(at(k, "/0/public/Depth")->fresh, 1);
    ck_assert(at(k, "/0/public/Depth")->coalesce); /* from the preset's block for this path */
    ck_assert_uint_eq(at(k, "/0/public/Ticker")->fresh, 2000);
    ck_assert_uint_eq(at(k, "/0/public/Ticker")->stale_if_error, 5000);
    config_unref(c);
    refuse("upstream a {\npreset = bitmex\n}",
           "t.conf:2: preset = bitmex: must be one of binance binance-futures bybit "
           "coinbase coinbase-advanced kraken kraken-futures okx\n");
    refuse("defaults { preset = okx }", "t.conf:1: preset can be set only in an upstream block\n");
    refuse("upstream a { preset = okx }\nupstream b { preset = okx }",
           "t.conf:2: upstream 'b' has the same origin as 'a' on line 1\n");
}
END_TEST

/* What the operator sets for a whole upstream does not apply to its time endpoint. */
START_TEST(presets_keep_the_clock_out)
{
    static const struct {
        const char *preset, *path;
    } clocks[] = {
        {"binance", "/api/v3/time"},
        {"binance-futures", "/fapi/v1/time"},
        {"kraken", "/0/public/Time"},
        {"coinbase", "/time"},
        {"coinbase-advanced", "/api/v3/brokerage/time"},
        {"coinbase-advanced", "/v2/time"},
        {"okx", "/api/v5/public/time"},
        {"bybit", "/v5/market/time"},
    };
    char text[160];
    for (size_t i = 0; i < COUNT_OF(clocks); i++) {
        snprintf(text, sizeof text,
                 "upstream a { preset = %s fresh = 1s stale_if_error = 9s coalesce = yes }",
                 clocks[i].preset);
        struct config *c = parse_good(text);
        const struct upstream_config *u = find(c, "a"), *clock = at(u, clocks[i].path);
        ck_assert(u->fresh == 1000 && at(u, "/else")->coalesce);
        ck_assert_msg(!clock->fresh && !clock->stale_if_error && !clock->coalesce, "%s",
                      clocks[i].path);
        config_unref(c);
    }
    struct config *c =
        parse_good("upstream a { preset = okx path /api/v5/public/time { fresh = 1s } }");
    ck_assert_uint_eq(at(find(c, "a"), "/api/v5/public/time")->fresh, 1000);
    config_unref(c);
}
END_TEST

SUITE()
{
    FIXTURE(NULL, forget);
    TEST(defaults_are_inherited_wherever_they_stand);
    TEST(the_longest_prefix_decides);
    TEST(timeouts_in_paths);
    TEST(presets_fill_what_is_not_given);
    TEST(presets_keep_the_clock_out);
}
