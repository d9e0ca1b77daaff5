/* The presets: each can be read, shares only public data, and has the limits of its exchange. */
#include <stdio.h>

#include "config/preset.h"

#include "config_fixture.h"
#include "suite.h"

/* A preset shares only public market data: never the server time, and nothing of an account. */
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

START_TEST(presets_name_themselves)
{
    char start[100];
    const char *before = "";
    for (const struct preset *p = presets; p->name; p++) {
        ck_assert_int_lt(strcmp(before, p->name), 0);
        snprintf(start, sizeof start, "upstream %s {\n", p->name);
        ck_assert_msg(strstr(p->text, start) != NULL, "%s", p->name);
        ck_assert_ptr_eq(preset_find(p->name), p->text);
        struct config *c = parse_good(p->text);
        ck_assert_ptr_nonnull(find(c, p->name)->host);
        config_unref(c);
        before = p->name;
    }
    ck_assert_ptr_null(preset_find(""));
}
END_TEST

START_TEST(presets_tell_of_limits)
{
    struct config *c = parse_good("upstream a { preset = binance }\n"
                                  "upstream b { preset = binance-futures }\n"
                                  "upstream c { preset = bybit }\nupstream d { preset = kraken }");
    const struct upstream_config *spot = find(c, "a"), *futures = find(c, "b");
    ck_assert_uint_eq(spot->weight_limit, 6000);
    ck_assert_uint_eq(futures->weight_limit, 2400);
    ck_assert_str_eq(futures->weight_header, "X-MBX-USED-WEIGHT-1M");
    ck_assert_uint_eq(spot->known_refusals.count, 0);
    ck_assert_uint_eq(futures->known_refusals.count, 3);
    ck_assert_uint_eq(find(c, "c")->hold_status.count, 3);
    ck_assert_int_eq(find(c, "d")->limit_scope, LIMIT_SCOPE_CREDENTIAL);
    ck_assert_str_eq(find(c, "d")->serialize_by, "API-Key");
    config_unref(c);
}
END_TEST

SUITE()
{
    FIXTURE(NULL, forget);
    TEST(presets_share_nothing_they_must_not);
    TEST(presets_name_themselves);
    TEST(presets_tell_of_limits);
}
