/* What a request does to orders, by the lists and by its method. */
#include "proxy/order_rules.h"

#include <stdio.h>

#include "config_fixture.h"
#include "suite.h"

static struct config *config;
static const struct upstream_config *plain, *listed;

static void begin(void)
{
    config = parse_good("upstream plain {\nurl = \"https://plain.test\"\n}\n"
                        "upstream listed {\nurl = \"https://listed.test\"\n"
                        "order_paths = {\"POST /0/private/AddOrder\", \"/api/v3/order\","
                        " \"GET /send\", \"POST /orders\", \"DELETE /vault/\"}\n"
                        "cancel_paths = {\"POST /0/private/Cancel\", \"DELETE /api/v3/order\","
                        " \"DELETE /api/v3/orderList\", \"POST /orders/cancel\", \"/both\"}\n"
                        "read_paths = {\"POST /0/private/Balance\", \"POST  /api/v3/order/test\","
                        " \"GET /ws\", \"GET /api/v3/orders\", \"/both\"}\n}\n");
    plain = find(config, "plain");
    listed = find(config, "listed");
}

static void finish(void)
{
    config_unref(config);
    forget();
}

static const struct {
    const char *method, *target;
    enum order_class class;
    bool accounted, passes;
} of_lists[] = {
    {"POST", "/0/private/AddOrder", ORDER_PLACES, true, false},
    {"POST", "/0/private/AddOrderBatch", ORDER_PLACES, true, false},
    {"POST", "/0/private/AddOrder?x=/0/private/Balance", ORDER_PLACES, true, false},
    {"POST", "/0/private/AddOrder/", ORDER_PLACES, true, false},
    {"POST", "/0/private/CancelAll", ORDER_CANCELS, true, true},
    {"POST", "/0/private/Balance", ORDER_READS, false, true},
    {"POST", "/0/private/Balance?nonce=1", ORDER_READS, false, true},
    {"POST", "/0/private/BalanceEx", ORDER_READS, false, true},
    {"POST", "/0/private/TradeBalance", ORDER_NEITHER, false, false},
    {"POST", "/0/private", ORDER_NEITHER, false, false},
    {"POST", "/", ORDER_NEITHER, false, false},
    {"PUT", "/0/private/Balance", ORDER_NEITHER, false, false},
    {"PATCH", "/0/private/CancelAll", ORDER_NEITHER, false, false},
    {"DELETE", "/0/private/Balance", ORDER_NEITHER, false, true},
    {"GET", "/0/private/AddOrder", ORDER_READS, false, true},
    {"GET", "/0/public/Time", ORDER_READS, false, true},
    {"OPTIONS", "*", ORDER_READS, false, true},
    {"TRACE", "/x", ORDER_READS, false, true},

    /* Case: of what places any, of what passes the written one. */
    {"POST", "/0/private/addorder", ORDER_PLACES, true, false},
    {"POST", "/0/PRIVATE/ADDORDER", ORDER_PLACES, true, false},
    {"POST", "/0/private/balance", ORDER_NEITHER, false, false},
    {"POST", "/0/private/cancelall", ORDER_NEITHER, false, false},

    /* The longest decides; of equals what places, then what cancels. */
    {"POST", "/orders", ORDER_PLACES, true, false},
    {"POST", "/orders/cancel", ORDER_CANCELS, true, true},
    {"POST", "/orders/cancel/../x", ORDER_PLACES, true, false},
    {"DELETE", "/api/v3/order", ORDER_PLACES, true, false},
    {"DELETE", "/api/v3/orderList", ORDER_CANCELS, true, true},
    {"DELETE", "/api/v3/orderLis", ORDER_PLACES, true, false},
    {"POST", "/api/v3/orderList/oco", ORDER_PLACES, true, false},
    {"POST", "/api/v3/order/test", ORDER_READS, false, true},
    {"POST", "/api/v3/order/tes", ORDER_PLACES, true, false},
    {"POST", "/api/v3/order/testing", ORDER_READS, false, true},
    {"POST", "/both", ORDER_CANCELS, true, true},

    /* Without a method an entry is for all. */
    {"GET", "/api/v3/order?orderId=1", ORDER_PLACES, true, false},
    {"GET", "/api/v3/orders", ORDER_READS, false, true},
    {"HEAD", "/api/v3/orders", ORDER_READS, false, true},
    {"PATCH", "/api/v3/order", ORDER_PLACES, true, false},
    {"PURGE", "/api/v3/order", ORDER_PLACES, true, false},
    {"PURGE", "/both", ORDER_CANCELS, true, true},
    {"PURGE", "/both/%61", ORDER_CANCELS, true, false},
    {"PURGE", "/x", ORDER_NEITHER, false, false},
    {"post", "/0/private/Balance", ORDER_NEITHER, false, false},
    {"get", "/0/public/Time", ORDER_NEITHER, false, false},
    {"delete", "/0/private/CancelAll", ORDER_NEITHER, false, false},

    /* Orders by GET; a HEAD is served as a GET. */
    {"GET", "/send?side=buy", ORDER_PLACES, true, false},
    {"HEAD", "/send", ORDER_PLACES, true, false},
    {"OPTIONS", "/send", ORDER_READS, false, true},
    {"GET", "/%73end", ORDER_PLACES, true, false},
    {"GET", "/SEND", ORDER_PLACES, true, false},
    {"GET", "//send", ORDER_PLACES, true, false},
    {"GET", "/x/../send", ORDER_PLACES, true, false},
    {"GET", "/x/..;y=1/send", ORDER_PLACES, true, false},
    {"GET", "/x\\..\\send", ORDER_PLACES, true, false},
    {"GET", "/x%5c..%2fsend", ORDER_PLACES, true, false},
    {"GET", "/%2573end", ORDER_PLACES, true, false},
    {"GET", "/%25%37%33end", ORDER_PLACES, true, false},
    {"GET", "/./send", ORDER_PLACES, true, false},
    {"GET", "/../../send", ORDER_PLACES, true, false},
    {"GET", "/send/..", ORDER_PLACES, true, false}, /* as it is written */
    {"GET", "/a%20b", ORDER_READS, false, true},
    {"GET", "/%", ORDER_READS, false, true},
    {"GET", "/%zz%7", ORDER_READS, false, true},
    {"GET", "", ORDER_READS, false, true},

    /* A place written so that it may pass for a read or a cancel. */
    {"POST", "/0/private/%41ddOrder", ORDER_PLACES, true, false},
    {"POST", "/0/private/Balance/../AddOrder", ORDER_PLACES, true, false},
    {"POST", "/0/private/Balance/%2e%2e/AddOrder", ORDER_PLACES, true, false},
    {"POST", "/0/private/Balance%2f..%2fAddOrder", ORDER_PLACES, true, false},
    {"POST", "/0/private/Balance;/../AddOrder", ORDER_PLACES, true, false},
    {"POST", "/0/private/Balance\\..\\AddOrder", ORDER_PLACES, true, false},
    {"POST", "/0/private//Balance", ORDER_PLACES, true, false},
    {"POST", "/0/private/Balance//", ORDER_PLACES, true, false},
    {"POST", "/0/private/Balance/.", ORDER_PLACES, true, false},
    {"POST", "/0/private/Balanc%65", ORDER_PLACES, true, false},
    {"POST", "/0/private/Balance\x80", ORDER_PLACES, true, false},
    {"POST", "0/private/Balance", ORDER_PLACES, true, false},
    {"PUT", "//x", ORDER_PLACES, true, false},

    /* A cancel by DELETE stays one, however an id in it is written. */
    {"DELETE", "/api/v3/orderList/client%3Aa1", ORDER_CANCELS, true, true},
    {"DELETE", "/x/client%3Aa1", ORDER_NEITHER, false, true},
    {"DELETE", "/vault/a", ORDER_PLACES, true, false},
    {"DELETE", "/%76ault/a", ORDER_PLACES, true, false},
    {"DELETE", "/vault", ORDER_NEITHER, false, true},
    {"DELETE", "/vault%2f", ORDER_PLACES, true, false},
};

START_TEST(the_lists_decide)
{
    struct span method = span_of(of_lists[_i].method), target = span_of(of_lists[_i].target);
    ck_assert_msg(order_class(listed, method, target) == of_lists[_i].class, "%s %s is %d",
                  of_lists[_i].method, of_lists[_i].target, order_class(listed, method, target));
    ck_assert_msg(order_is_accounted(listed, method, target) == of_lists[_i].accounted, "%s %s",
                  of_lists[_i].method, of_lists[_i].target);
    ck_assert_msg(order_passes_freeze(listed, method, target) == of_lists[_i].passes, "%s %s",
                  of_lists[_i].method, of_lists[_i].target);
}
END_TEST

static const struct {
    const char *method;
    enum order_class class;
    bool accounted, passes;
} of_methods[] = {
    {"POST", ORDER_PLACES, true, false},    {"PUT", ORDER_PLACES, true, false},
    {"PATCH", ORDER_PLACES, true, false},   {"DELETE", ORDER_CANCELS, true, true},
    {"GET", ORDER_READS, false, true},      {"HEAD", ORDER_READS, false, true},
    {"OPTIONS", ORDER_READS, false, true},  {"TRACE", ORDER_READS, false, true},
    {"QUERY", ORDER_NEITHER, false, false},
};

START_TEST(without_lists_the_method_decides)
{
    struct span method = span_of(of_methods[_i].method);
    static const char *const targets[] = {"/", "/order?a=1", "/a/../b%20", "*"};
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        struct span target = span_of(targets[i]);
        ck_assert_int_eq(order_class(plain, method, target), of_methods[_i].class);
        ck_assert(order_is_accounted(plain, method, target) == of_methods[_i].accounted);
        ck_assert(order_passes_freeze(plain, method, target) == of_methods[_i].passes);
    }
}
END_TEST

static const struct upstream_config *with(const char *lists, struct config **c)
{
    struct text text = {0};
    text_printf(&text, "upstream ex {\nurl = \"https://ex.test\"\n%s\n}\n", lists);
    *c = parse_good(text.at);
    text_free(&text);
    return find(*c, "ex");
}

static const struct {
    const char *preset, *method, *target;
    enum order_class class;
    bool passes;
} of_presets[] = {
    {"binance", "POST", "/api/v3/order?symbol=BTCUSDT", ORDER_PLACES, false},
    {"binance", "POST", "/api/v3/orderList/oco", ORDER_PLACES, false},
    {"binance", "POST", "/api/v3/order/cancelReplace", ORDER_PLACES, false},
    {"binance", "PUT", "/api/v3/order/amend/keepPriority", ORDER_PLACES, false},
    {"binance", "POST", "/api/v3/order/test", ORDER_READS, true},
    {"binance", "POST", "/api/v3/sor/order", ORDER_PLACES, false},
    {"binance", "POST", "/api/v3/sor/order/test", ORDER_READS, true},
    {"binance", "DELETE", "/api/v3/orderList", ORDER_CANCELS, true},
    {"binance", "DELETE", "/api/v3/openOrders", ORDER_CANCELS, true},
    {"binance", "GET", "/api/v3/order", ORDER_READS, true},
    {"binance", "POST", "/sapi/v1/capital/withdraw/apply", ORDER_NEITHER, false},
    {"binance", "POST", "/sapi/v1/convert/limit/cancelOrder", ORDER_CANCELS, true},
    {"binance", "PUT", "/api/v3/userDataStream", ORDER_READS, true},
    {"binance-futures", "POST", "/fapi/v1/batchOrders", ORDER_PLACES, false},
    {"binance-futures", "DELETE", "/fapi/v1/batchOrders", ORDER_CANCELS, true},
    {"binance-futures", "POST", "/fapi/v1/countdownCancelAll", ORDER_CANCELS, true},
    {"binance-futures", "POST", "/fapi/v1/leverage", ORDER_NEITHER, false},
    {"binance-futures", "POST", "/fapi/v1/order/test", ORDER_READS, true},
    {"kraken", "POST", "/0/private/AddOrderBatch", ORDER_PLACES, false},
    {"kraken", "POST", "/0/private/AmendOrder", ORDER_PLACES, false},
    {"kraken", "POST", "/0/private/CancelAllOrdersAfter", ORDER_CANCELS, true},
    {"kraken", "POST", "/0/private/QueryOrders", ORDER_READS, true},
    {"kraken", "POST", "/0/private/WithdrawStatus", ORDER_READS, true},
    {"kraken", "POST", "/0/private/Withdraw", ORDER_NEITHER, false},
    {"kraken", "POST", "/0/private/WithdrawCancel", ORDER_NEITHER, false},
    {"kraken", "POST", "/0/private/GetWebSocketsToken", ORDER_NEITHER, false},
    {"kraken", "POST", "/0/private/%41ddOrder", ORDER_PLACES, false},
    {"kraken", "POST", "/0/private/Balance/../AddOrder", ORDER_PLACES, false},
    {"kraken-futures", "POST", "/derivatives/api/v3/sendorder?size=1", ORDER_PLACES, false},
    {"kraken-futures", "POST", "/derivatives/api/v3/batchorder", ORDER_PLACES, false},
    {"kraken-futures", "POST", "/derivatives/api/v3/cancelallordersafter", ORDER_CANCELS, true},
    {"kraken-futures", "GET", "/derivatives/api/v3/openorders", ORDER_READS, true},
    {"coinbase", "POST", "/orders", ORDER_PLACES, false},
    {"coinbase", "DELETE", "/orders/client:a%2Db", ORDER_CANCELS, true},
    {"coinbase", "POST", "/withdrawals/crypto", ORDER_NEITHER, false},
    {"coinbase-advanced", "POST", "/api/v3/brokerage/orders", ORDER_PLACES, false},
    {"coinbase-advanced", "POST", "/api/v3/brokerage/orders/edit", ORDER_PLACES, false},
    {"coinbase-advanced", "POST", "/api/v3/brokerage/orders/edit_preview", ORDER_READS, true},
    {"coinbase-advanced", "POST", "/api/v3/brokerage/orders/close_position", ORDER_PLACES, false},
    {"coinbase-advanced", "POST", "/api/v3/brokerage/orders/batch_cancel", ORDER_CANCELS, true},
    {"okx", "POST", "/api/v5/trade/order", ORDER_PLACES, false},
    {"okx", "POST", "/api/v5/trade/order-algo", ORDER_PLACES, false},
    {"okx", "POST", "/api/v5/trade/order-precheck", ORDER_READS, true},
    {"okx", "POST", "/api/v5/trade/cancel-batch-orders", ORDER_CANCELS, true},
    {"okx", "POST", "/api/v5/trade/amend-batch-orders", ORDER_PLACES, false},
    {"okx", "POST", "/api/v5/asset/withdrawal", ORDER_NEITHER, false},
    {"okx", "GET", "/api/v5/trade/order?ordId=1", ORDER_READS, true},
    {"bybit", "POST", "/v5/order/create-batch", ORDER_PLACES, false},
    {"bybit", "POST", "/v5/order/cancel-all", ORDER_CANCELS, true},
    {"bybit", "POST", "/v5/order/pre-check", ORDER_READS, true},
    {"bybit", "POST", "/v5/position/trading-stop", ORDER_PLACES, false},
    {"bybit", "POST", "/v5/position/set-leverage", ORDER_NEITHER, false},
};

START_TEST(presets_know_their_exchange)
{
    char text[100];
    snprintf(text, sizeof text, "upstream a { preset = %s }", of_presets[_i].preset);
    struct config *c = parse_good(text);
    const struct upstream_config *u = find(c, "a");
    struct span method = span_of(of_presets[_i].method), target = span_of(of_presets[_i].target);
    ck_assert_msg(order_class(u, method, target) == of_presets[_i].class, "%s %s is %d",
                  of_presets[_i].method, of_presets[_i].target, order_class(u, method, target));
    ck_assert(order_passes_freeze(u, method, target) == of_presets[_i].passes);
    config_unref(c);
}
END_TEST

START_TEST(one_list_leaves_the_others_to_the_method)
{
    struct config *c;
    const struct upstream_config *u = with("cancel_paths = {\"POST /cancel\"}", &c);
    ck_assert_int_eq(order_class(u, SPAN("POST"), SPAN("/cancel")), ORDER_CANCELS);
    ck_assert_int_eq(order_class(u, SPAN("POST"), SPAN("/order")), ORDER_PLACES);
    ck_assert_int_eq(order_class(u, SPAN("DELETE"), SPAN("/order")), ORDER_NEITHER);
    ck_assert(order_passes_freeze(u, SPAN("DELETE"), SPAN("/order")));
    config_unref(c);
    u = with("order_paths = {\"POST /order\"}", &c);
    ck_assert_int_eq(order_class(u, SPAN("POST"), SPAN("/cancel")), ORDER_NEITHER);
    ck_assert_int_eq(order_class(u, SPAN("DELETE"), SPAN("/order")), ORDER_CANCELS);
    config_unref(c);
    u = with("read_paths = {\"POST /query\"}", &c);
    ck_assert_int_eq(order_class(u, SPAN("POST"), SPAN("/query")), ORDER_READS);
    ck_assert_int_eq(order_class(u, SPAN("POST"), SPAN("/order")), ORDER_PLACES);
    ck_assert_int_eq(order_class(u, SPAN("DELETE"), SPAN("/order")), ORDER_CANCELS);
    config_unref(c);
}
END_TEST

START_TEST(an_upgrade_passes_only_if_it_is_named_as_a_read)
{
    ck_assert(order_upgrade_passes_freeze(listed, SPAN("GET"), SPAN("/ws/v1?x=1")));
    ck_assert(!order_upgrade_passes_freeze(listed, SPAN("GET"), SPAN("/%77s")));
    ck_assert(!order_upgrade_passes_freeze(listed, SPAN("GET"), SPAN("/ws/../x")));
    ck_assert(!order_upgrade_passes_freeze(listed, SPAN("GET"), SPAN("/stream")));
    ck_assert(!order_upgrade_passes_freeze(listed, SPAN("GET"), SPAN("/send")));
    ck_assert(!order_upgrade_passes_freeze(listed, SPAN("GET"), SPAN("/both")));
    ck_assert(!order_upgrade_passes_freeze(plain, SPAN("GET"), SPAN("/ws")));
}
END_TEST

START_TEST(a_path_block_has_the_lists_of_its_upstream)
{
    struct config *c;
    const struct upstream_config *u =
        with("read_paths = {\"POST /query\"}\npath \"/query\" { fresh = 1s }", &c);
    ck_assert_ptr_ne(at(u, "/query"), u);
    ck_assert_int_eq(order_class(at(u, "/query"), SPAN("POST"), SPAN("/query")), ORDER_READS);
    config_unref(c);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    LOOP(the_lists_decide, 0, COUNT_OF(of_lists));
    LOOP(without_lists_the_method_decides, 0, COUNT_OF(of_methods));
    LOOP(presets_know_their_exchange, 0, COUNT_OF(of_presets));
    TEST(one_list_leaves_the_others_to_the_method);
    TEST(an_upgrade_passes_only_if_it_is_named_as_a_read);
    TEST(a_path_block_has_the_lists_of_its_upstream);
}
