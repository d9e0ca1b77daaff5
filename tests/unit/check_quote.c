/* The APIs of the example: tickers as the exchanges write them, and the age that a response
 * states. */
#include <stdio.h>

#include "examples/quote.h"
#include "suite.h"

static struct quote quote;
static char error[100];

static bool reads(const char *kind, const char *symbol, const char *json)
{
    const struct exchange_kind *k = exchange_find(span_of(kind));
    ck_assert_ptr_nonnull(k);
    error[0] = '\0';
    return quote_read(k, span_of(symbol), span_of(json), &quote, error, sizeof error);
}

static void is(const char *pair, const char *bid, const char *ask)
{
    char text[DECIMAL_TEXT_SIZE], name[PAIR_TEXT_SIZE];
    ck_assert_str_eq(error, "");
    ck_assert_str_eq(pair_text(&quote.pair, name), pair);
    ck_assert_str_eq(decimal_text(quote.bid, text), bid);
    ck_assert_str_eq(decimal_text(quote.ask, text), ask);
}

#define BINANCE(bid, bid_qty, ask, ask_qty)                                                        \
    "{\"symbol\":\"BTCUSDT\",\"bidPrice\":" bid ",\"bidQty\":" bid_qty ",\"askPrice\":" ask        \
    ",\"askQty\":" ask_qty "}"

START_TEST(binance)
{
    ck_assert(
        reads("binance", "BTCUSDT", BINANCE("\"63999.50\"", "\"1.2\"", "\"64000.50\"", "\"0.8\"")));
    is("BTC/USDT", "63999.50", "64000.50");
    ck_assert(reads("binance", "BTCUSDT",
                    BINANCE("\"63999.50\"", "\"0.00000\"", "\"64000.50\"", "\"0.8\"")));
    is("BTC/USDT", "0", "64000.50"); /* a price with quantity 0 */
    ck_assert(!reads("binance", "BTCUSDT", BINANCE("63999.50", "\"1\"", "\"64000.50\"", "\"1\"")));
    ck_assert_str_eq(error, "not a ticker of binance"); /* a number has been through a float */
    ck_assert(
        !reads("binance", "BTCUSDT", BINANCE("\"-1\"", "\"1.2\"", "\"64000.50\"", "\"0.8\"")));
    ck_assert(!reads("binance", "ETHUSDT",
                     BINANCE("\"63999.50\"", "\"1.2\"", "\"64000.50\"", "\"0.8\"")));
    ck_assert_str_eq(error, "a ticker of another pair");
    ck_assert(!reads("binance", "BTCUSDT", "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}"));
    ck_assert_str_eq(error, "Invalid symbol.");
}
END_TEST

#define KRAKEN(key, a, b)                                                                          \
    "{\"error\":[],\"result\":{\"" key "\":{\"a\":[" a "],\"b\":[" b "],\"c\":[\"1\",\"1\"]}}}"

START_TEST(kraken)
{
    const char *json =
        KRAKEN("XXBTZUSD", "\"64020.5\",\"1\",\"1.000\"", "\"64019.50000\",\"2\",\"2.000\"");
    ck_assert(reads("kraken", "XBTUSD", json)); /* requested in one spelling, returned in another */
    is("BTC/USD", "64019.50000", "64020.5");
    ck_assert(reads("kraken", "SOLUSD",
                    KRAKEN("SOLUSD", "\"0.00000\",\"0\",\"0.000\"", "\"1.5\",\"2\",\"2.0\"")));
    is("SOL/USD", "1.5", "0");
    ck_assert(!reads("kraken", "ETHUSD", json));
    ck_assert_str_eq(error, "a ticker of another pair");
    ck_assert(!reads("kraken", "XBTUSD", "{\"error\":[\"EQuery:Unknown asset pair\"]}"));
    ck_assert_str_eq(error, "EQuery:Unknown asset pair");
    ck_assert(!reads("kraken", "XBTUSD", "{\"error\":[],\"result\":{}}"));
    ck_assert(!reads("kraken", "XBTUSD", KRAKEN("XXBTZUSD", "\"1\"", "\"1\"")));
}
END_TEST

START_TEST(coinbase)
{
    ck_assert(reads("coinbase", "BTC-USD", "{\"bid\":\"63989.5\",\"ask\":\"63990.5\"}"));
    is("BTC/USD", "63989.5", "63990.5");
    ck_assert(reads("coinbase", "BTC-USD", "{\"bid\":\"\",\"ask\":\"63990.5\"}"));
    is("BTC/USD", "0", "63990.5");
    ck_assert(reads("coinbase", "BTC-USD", "{\"bid\":\"63989.5\"}"));
    is("BTC/USD", "63989.5", "0");
    ck_assert(!reads("coinbase", "BTC-USD", "{\"bid\":63989.5,\"ask\":\"63990.5\"}"));
    ck_assert(!reads("coinbase", "BTC-USD", "{\"price\":\"1\"}"));
    ck_assert(!reads("coinbase", "BTC-USD", "{\"message\":\"NotFound\"}"));
    ck_assert_str_eq(error, "NotFound");
}
END_TEST

START_TEST(what_is_no_json)
{
    static const char *const bad[] = {
        "", "null", "[]", "3", "{", "<html>", "{\"bid\":\"1\",\"bid\":\"2\"}"};
    static const char *const kinds[] = {"binance", "kraken", "coinbase"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        for (size_t k = 0; k < COUNT_OF(kinds); k++)
            ck_assert_msg(!reads(kinds[k], "BTC-USD", bad[i]), "%s took %s", kinds[k], bad[i]);
    ck_assert_ptr_null(exchange_find(SPAN("nowhere")));
}
END_TEST

START_TEST(old_answers_say_so)
{
    ck_assert(quote_is_stale(SPAN("trunkline; fwd=stale; fwd-status=503")));
    ck_assert(quote_is_stale(SPAN("cdn; hit; ttl=3, trunkline;fwd=stale")));
    ck_assert(quote_is_stale(SPAN("trunkline; hit; ttl=-2")));
    ck_assert(!quote_is_stale(SPAN("trunkline; hit; ttl=2")));
    ck_assert(!quote_is_stale(SPAN("trunkline; fwd=miss; stored")));
    ck_assert(!quote_is_stale(SPAN("trunkline; hit; detail=\"fwd\", stale; hit")));
    ck_assert(!quote_is_stale(SPAN("")));
    ck_assert_uint_eq(quote_age_s(SPAN(" 17 ")), 17);
    ck_assert_uint_eq(quote_age_s(SPAN("0")), 0);
    ck_assert_uint_eq(quote_age_s(SPAN("-3")), 0);
    ck_assert_uint_eq(quote_age_s(SPAN("x")), 0);
    ck_assert_uint_ge(quote_age_s(SPAN("99999999999999999999")), 1000000000);
}
END_TEST

SUITE()
{
    TEST(binance);
    TEST(kraken);
    TEST(coinbase);
    TEST(what_is_no_json);
    TEST(old_answers_say_so);
}
