/* path blocks and presets. */
#include "config/preset.h"
#include "config_fixture.h"
#include "suite.h"

static const struct upstream_config *at(const struct upstream_config *u, const char *target)
{
    return config_for_path(u, target, strlen(target));
}

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

/* Long polls have timeouts of their own; what their block does not set is the upstream's. */
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

START_TEST(errors_in_paths_name_their_line)
{
    refuse("# a comment\n/* and\none more */\nupstream a {\n  url = https://a.example # x\n"
           "  path /a { fresh = 1s } # y\n"
           "  path\n  b\n  {\n  fresh = soon\n  }\n"
           "  path /a { }\n"
           "  path \"/ c\" { }\n"
           "}\nupstream b { url = https://b.example }\nupstream c {\n}\n",
           "t.conf:10: fresh = soon: must be a duration (ms s m h) from 0 to 8760h\n"
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
    ck_assert_uint_eq(b->weight_limit, 6000); /* the preset knows better than the defaults */
    ck_assert_uint_eq(b->fresh, 3000);
    ck_assert(at(b, "/api/v3/ticker/price")->coalesce);
    ck_assert_str_eq(k->host, "k.example");
    ck_assert_ptr_null(k->serialize_by);
    ck_assert_str_eq(k->error_prefix.at[0], "{\"error\":[\"E");
    ck_assert_uint_eq(at(k, "/0/public/Depth")->fresh, 1);
    ck_assert(at(k, "/0/public/Depth")->coalesce); /* of the preset's block for it */
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

/* What the operator gives for all of an upstream is not for its clock. */
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

/* Whatever a preset shares is public market data: never the clock, nothing of an account. */
START_TEST(presets_share_nothing_they_must_not)
{
    static const char *const never[] = {"/api/v3/time",
                                        "/api/v3/order",
                                        "/api/v3/account",
                                        "/api/v3/openOrders",
                                        "/api/v3/myTrades",
                                        "/api/v3/userDataStream",
                                        "/api/v3/ping",
                                        "/fapi/v1/time",
                                        "/fapi/v1/order",
                                        "/fapi/v2/account",
                                        "/fapi/v2/balance",
                                        "/fapi/v1/listenKey",
                                        "/fapi/v1/positionRisk",
                                        "/0/public/Time",
                                        "/0/public/SystemStatus",
                                        "/0/private/Balance",
                                        "/0/private/AddOrder",
                                        "/derivatives/api/v3/accounts",
                                        "/derivatives/api/v3/sendorder",
                                        "/derivatives/api/v3/openorders",
                                        "/derivatives/api/v3/fills",
                                        "/time",
                                        "/accounts",
                                        "/orders",
                                        "/fills",
                                        "/api/v3/brokerage/time",
                                        "/api/v3/brokerage/accounts",
                                        "/api/v3/brokerage/orders",
                                        "/api/v5/public/time",
                                        "/api/v5/account/balance",
                                        "/api/v5/trade/order",
                                        "/v5/market/time",
                                        "/v5/order/create",
                                        "/v5/account/wallet-balance",
                                        "/v5/position/list",
                                        "/"};
    char text[100];
    for (const struct preset *p = presets; p->name; p++) {
        snprintf(text, sizeof text, "upstream a { preset = %s }", p->name);
        struct config *c = parse_good(text);
        const struct upstream_config *u = find(c, "a");
        ck_assert_uint_gt(u->path_count, 0);
        for (size_t i = 0; i < COUNT_OF(never); i++) {
            const struct upstream_config *s = at(u, never[i]);
            ck_assert_msg(!s->fresh && !s->stale_if_error && !s->coalesce, "%s %s", p->name,
                          never[i]);
        }
        config_unref(c);
    }
    ck_assert_ptr_null(preset_find("bitmex"));
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

START_TEST(values_of_the_store)
{
    refuse_in_upstream("shareable_headers = {\"*\"}", "must be a header name, or the");
    refuse_in_upstream("shareable_headers = {\"a b\"}", "must be a header name, or the");
    refuse_in_upstream("error_prefix = {\"\"}", "must be 1 to 256 bytes long");
    refuse_in_upstream("cache_max_object = 0", "must be a size (k m g) from 1 to 64m");
    refuse_in_upstream("coalesce = maybe", "must be yes or no");
    struct config *c = parse_good("cache_size = 0");
    ck_assert_uint_eq(c->cache_size, 0);
    ck_assert_uint_eq(c->defaults.shareable_headers.count, 18);
    ck_assert_uint_eq(c->defaults.cache_max_object, 1 << 20);
    config_unref(c);
}
END_TEST

START_TEST(values_of_holds)
{
    refuse_in_upstream("hold_status = {399}", "must be a status from 400 to 599");
    refuse_in_upstream("hold_status = {429, 600}", "must be a status from 400 to 599");
    refuse_in_upstream("hold_status = {\"4xx\"}", "must be a status from 400 to 599");
    refuse_in_upstream("hold_max = 61m", "must be a duration (ms s m h) from 1ms to 1h");
    refuse("upstream a { url = https://a.example hold_default = 3m }",
           "t.conf:1: hold_default (3m) is more than hold_max (2m)\n");
    refuse_in_upstream("limit_scope = key", "must be one of credential ip");
    struct config *c = parse_good("upstream a { preset = binance }\n"
                                  "upstream b { preset = bybit hold_status = {} }\n"
                                  "upstream c { preset = okx hold_until_prefix = 'until ' }");
    const struct upstream_config *a = find(c, "a"), *b = find(c, "b"), *o = find(c, "c");
    ck_assert_uint_eq(a->hold_status.count, 3);
    ck_assert_uint_eq(a->hold_status.at[0], 403);
    ck_assert_str_eq(a->hold_until_prefix, "banned until ");
    ck_assert_int_eq(a->limit_scope, LIMIT_SCOPE_IP);
    ck_assert_uint_eq(b->hold_status.count, 0);
    ck_assert_int_eq(b->limit_scope, LIMIT_SCOPE_IP);
    ck_assert_uint_eq(o->hold_status.count, 2);
    ck_assert_int_eq(o->limit_scope, LIMIT_SCOPE_CREDENTIAL);
    ck_assert_str_eq(o->hold_until_prefix, "until ");
    ck_assert_uint_eq(o->hold_default, 1000);
    ck_assert_uint_eq(o->hold_max, 120000);
    config_unref(c);
}
END_TEST

SUITE()
{
    FIXTURE(NULL, forget);
    TEST(the_longest_prefix_decides);
    TEST(timeouts_in_paths);
    TEST(errors_in_paths_name_their_line);
    TEST(presets_fill_what_is_not_given);
    TEST(presets_keep_the_clock_out);
    TEST(presets_share_nothing_they_must_not);
    TEST(all_of_it_reads_back);
    TEST(values_of_the_store);
    TEST(values_of_holds);
}
