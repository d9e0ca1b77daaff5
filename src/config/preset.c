#include "config/preset.h"

#include <string.h>

#include "base/check.h"

/* Public data that may be shared and served old. A longer body than the usual
 * bound: lists of everything that is traded. */
#define SHARED(prefix, fresh, stale)                                                               \
    "path '" prefix "' { fresh = " fresh " stale_if_error = " stale " coalesce = yes }\n"
#define SHARED_BIG(prefix, fresh, stale)                                                           \
    "path '" prefix "' { fresh = " fresh " stale_if_error = " stale                                \
    " coalesce = yes cache_max_object = 4m }\n"
/* The exchange shuts out by address, with a 403 too, whatever oversteps its limit. */
#define HELD_BY_IP "hold_status = {403, 418, 429}\nlimit_scope = ip\n"
/* The clock, whatever is given beside the preset: signatures are made by it. */
#define NEVER(prefix) "path '" prefix "' { fresh = 0 stale_if_error = 0 coalesce = no }\n"

/* One row a line: clang-format would make a staircase of them. */
/* clang-format off */
static const struct preset {
    const char *name, *block;
} presets[] = {
    {"binance",
     "upstream binance {\n"
     "url = 'https://api.binance.com'\n"
     "weight_header = 'X-MBX-USED-WEIGHT-1M'\n"
     "weight_limit = 6000\n"
     HELD_BY_IP "hold_until_prefix = 'banned until '\n"
     SHARED("/api/v3/depth", "100ms", "5s")
     SHARED_BIG("/api/v3/ticker", "100ms", "5s")
     SHARED("/api/v3/trades", "100ms", "5s")
     SHARED("/api/v3/aggTrades", "100ms", "5s")
     SHARED("/api/v3/avgPrice", "500ms", "5s")
     SHARED("/api/v3/klines", "500ms", "10s")
     SHARED("/api/v3/uiKlines", "500ms", "10s")
     SHARED_BIG("/api/v3/exchangeInfo", "3s", "1m")
     NEVER("/api/v3/time")
     "}"},
    {"binance-futures",
     "upstream binance-futures {\n"
     "url = 'https://fapi.binance.com'\n"
     "weight_header = 'X-MBX-USED-WEIGHT-1M'\n"
     "weight_limit = 2400\n"
     "known_refusals = {'{\"code\":-1008', 'Service Unavailable.'}\n"
     HELD_BY_IP "hold_until_prefix = 'banned until '\n"
     SHARED("/fapi/v1/depth", "100ms", "5s")
     SHARED("/fapi/v1/ticker", "100ms", "5s")
     SHARED("/fapi/v2/ticker", "100ms", "5s")
     SHARED("/fapi/v1/trades", "100ms", "5s")
     SHARED("/fapi/v1/aggTrades", "100ms", "5s")
     SHARED("/fapi/v1/premiumIndex", "500ms", "5s")
     SHARED("/fapi/v1/openInterest", "1s", "10s")
     SHARED("/fapi/v1/klines", "500ms", "10s")
     SHARED("/fapi/v1/continuousKlines", "500ms", "10s")
     SHARED("/fapi/v1/indexPriceKlines", "500ms", "10s")
     SHARED("/fapi/v1/markPriceKlines", "500ms", "10s")
     SHARED("/fapi/v1/fundingRate", "1s", "30s")
     SHARED("/fapi/v1/fundingInfo", "30s", "5m")
     SHARED("/futures/data/", "1s", "30s")
     SHARED_BIG("/fapi/v1/exchangeInfo", "3s", "1m")
     NEVER("/fapi/v1/time")
     "}"},
    {"kraken",
     "upstream kraken {\n"
     "url = 'https://api.kraken.com'\n"
     "error_prefix = {'{\"error\":[\"E'}\n"
     "serialize_by = 'API-Key'\n"
     SHARED("/0/public/Ticker", "500ms", "5s")
     SHARED("/0/public/Depth", "500ms", "5s")
     SHARED("/0/public/Trades", "500ms", "5s")
     SHARED("/0/public/Spread", "500ms", "5s")
     SHARED("/0/public/OHLC", "1s", "10s")
     SHARED("/0/public/Assets", "30s", "5m")
     SHARED_BIG("/0/public/AssetPairs", "30s", "5m")
     NEVER("/0/public/Time")
     "}"},
    {"kraken-futures",
     "upstream kraken-futures {\n"
     "url = 'https://futures.kraken.com'\n"
     "error_prefix = {'{\"result\":\"error\"'}\n"
     SHARED("/derivatives/api/v3/tickers", "250ms", "5s")
     SHARED("/derivatives/api/v3/orderbook", "250ms", "5s")
     SHARED("/derivatives/api/v3/history", "250ms", "5s")
     SHARED("/api/charts/v1/", "500ms", "10s")
     SHARED_BIG("/derivatives/api/v3/instruments", "30s", "5m")
     SHARED("/derivatives/api/v3/instruments/", "1s", "5s")
     "}"},
    {"coinbase",
     "upstream coinbase {\n"
     "url = 'https://api.exchange.coinbase.com'\n"
     SHARED("/products", "200ms", "5s")
     SHARED("/currencies", "30s", "5m")
     NEVER("/time")
     "}"},
    {"coinbase-advanced",
     "upstream coinbase-advanced {\n"
     "url = 'https://api.coinbase.com'\n"
     SHARED("/api/v3/brokerage/market/product_book", "200ms", "5s")
     SHARED_BIG("/api/v3/brokerage/market/products", "200ms", "5s")
     NEVER("/api/v3/brokerage/time")
     NEVER("/v2/time")
     "}"},
    {"okx",
     "upstream okx {\n"
     "url = 'https://www.okx.com'\n"
     "error_prefix = {'{\"code\":\"1', '{\"code\":\"3', '{\"code\":\"4', '{\"code\":\"5', "
     "'{\"code\":\"6', '{\"code\":\"7', '{\"code\":\"8', '{\"code\":\"9'}\n"
     SHARED("/api/v5/market/ticker", "100ms", "5s")
     SHARED("/api/v5/market/books", "100ms", "5s")
     SHARED("/api/v5/market/trades", "100ms", "5s")
     SHARED("/api/v5/market/index-tickers", "100ms", "5s")
     SHARED("/api/v5/market/candles", "500ms", "10s")
     SHARED("/api/v5/market/index-candles", "500ms", "10s")
     SHARED("/api/v5/market/mark-price-candles", "500ms", "10s")
     SHARED("/api/v5/public/mark-price", "500ms", "5s")
     SHARED("/api/v5/public/price-limit", "500ms", "5s")
     SHARED("/api/v5/public/open-interest", "1s", "10s")
     SHARED("/api/v5/public/funding-rate", "1s", "30s")
     SHARED_BIG("/api/v5/public/instruments", "30s", "5m")
     NEVER("/api/v5/public/time")
     "}"},
    {"bybit",
     "upstream bybit {\n"
     "url = 'https://api.bybit.com'\n"
     "error_prefix = {'{\"retCode\":1', '{\"retCode\":2', '{\"retCode\":3', '{\"retCode\":4', "
     "'{\"retCode\":5', '{\"retCode\":6', '{\"retCode\":7', '{\"retCode\":8', '{\"retCode\":9', "
     "'{\"retCode\":-'}\n"
     HELD_BY_IP
     SHARED("/v5/market/tickers", "100ms", "5s")
     SHARED("/v5/market/orderbook", "100ms", "5s")
     SHARED("/v5/market/recent-trade", "100ms", "5s")
     SHARED("/v5/market/kline", "500ms", "10s")
     SHARED("/v5/market/mark-price-kline", "500ms", "10s")
     SHARED("/v5/market/index-price-kline", "500ms", "10s")
     SHARED("/v5/market/premium-index-price-kline", "500ms", "10s")
     SHARED("/v5/market/open-interest", "1s", "10s")
     SHARED("/v5/market/funding/history", "1s", "30s")
     SHARED_BIG("/v5/market/instruments-info", "3s", "1m")
     NEVER("/v5/market/time")
     "}"},
};
/* clang-format on */

const char *preset_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(presets); i++)
        if (strcmp(presets[i].name, name) == 0)
            return presets[i].block;
    return NULL;
}

const char *preset_name(size_t n)
{
    return n < COUNT_OF(presets) ? presets[n].name : NULL;
}
