#include "examples/quote.h"

#include <jansson.h>
#include <stdio.h>

#define AGE_MOST_S 1000000000

enum dialect { BINANCE, KRAKEN, COINBASE };

static const struct exchange_kind kinds[] = {
    [BINANCE] = {"binance", "api.binance.com", "/api/v3/ticker/bookTicker?symbol=", "", "0.1"},
    [KRAKEN] = {"kraken", "api.kraken.com", "/0/public/Ticker?pair=", "", "0.4"},
    [COINBASE] = {"coinbase", "api.exchange.coinbase.com", "/products/", "/ticker", "0.6"},
};

const struct exchange_kind *exchange_find(struct span name)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (span_is(name, span_of(kinds[i].name)))
            return &kinds[i];
    return NULL;
}

/* ------------------------------------------------------------------- tickers */

/* Prices are strings: a JSON number would have passed through floating point. */
static bool read_price(const json_t *value, struct decimal *to)
{
    return json_is_string(value) && decimal_read(span_of(json_string_value(value)), to) &&
           decimal_sign(*to) >= 0;
}

/* A price with quantity 0 is no bid or ask. */
static bool read_side(const json_t *price, const json_t *quantity, struct decimal *to)
{
    struct decimal amount;
    if (!read_price(price, to) || !read_price(quantity, &amount))
        return false;
    if (decimal_sign(amount) == 0)
        *to = (struct decimal){0};
    return true;
}

static bool read_binance(json_t *o, struct quote *to)
{
    const char *symbol = json_string_value(json_object_get(o, "symbol"));
    return symbol && pair_read(span_of(symbol), &to->pair) &&
           read_side(json_object_get(o, "bidPrice"), json_object_get(o, "bidQty"), &to->bid) &&
           read_side(json_object_get(o, "askPrice"), json_object_get(o, "askQty"), &to->ask);
}

/* Each side is [price, whole lot volume, lot volume]. */
static bool read_kraken(json_t *o, struct quote *to)
{
    json_t *result = json_object_get(o, "result");
    void *first = json_object_iter(result);
    if (first == NULL || json_object_size(result) != 1)
        return false;
    json_t *ticker = json_object_iter_value(first);
    json_t *bid = json_object_get(ticker, "b"), *ask = json_object_get(ticker, "a");
    return pair_read(span_of(json_object_iter_key(first)), &to->pair) &&
           read_side(json_array_get(bid, 0), json_array_get(bid, 2), &to->bid) &&
           read_side(json_array_get(ask, 0), json_array_get(ask, 2), &to->ask);
}

/* The response does not name the pair. A side without orders is missing or an empty string. */
static bool read_coinbase_side(const json_t *price, struct decimal *to)
{
    *to = (struct decimal){0};
    bool empty = json_is_string(price) && json_string_length(price) == 0;
    return price == NULL || json_is_null(price) || empty || read_price(price, to);
}

static bool read_coinbase(json_t *o, struct span symbol, struct quote *to)
{
    json_t *bid = json_object_get(o, "bid"), *ask = json_object_get(o, "ask");
    return (bid || ask) && pair_read(symbol, &to->pair) && read_coinbase_side(bid, &to->bid) &&
           read_coinbase_side(ask, &to->ask);
}

/* The error message that an exchange sends instead of a ticker. */
static const char *complaint(json_t *o)
{
    static const char *const keys[] = {"msg", "message"};
    const char *words = json_string_value(json_array_get(json_object_get(o, "error"), 0));
    for (size_t i = 0; words == NULL && i < COUNT_OF(keys); i++)
        words = json_string_value(json_object_get(o, keys[i]));
    return words;
}

static bool read_dialect(const struct exchange_kind *kind, json_t *o, struct span symbol,
                         struct quote *to)
{
    switch ((enum dialect)(kind - kinds)) {
    case BINANCE: return read_binance(o, to);
    case KRAKEN: return read_kraken(o, to);
    default: return read_coinbase(o, symbol, to);
    }
}

bool quote_read(const struct exchange_kind *kind, struct span symbol, struct span json,
                struct quote *to, char *error, size_t size)
{
    struct pair asked;
    json_t *o = json_loadb(json.at, json.len, JSON_REJECT_DUPLICATES, NULL);
    const char *words = complaint(o);
    bool good = false;
    if (words)
        snprintf(error, size, "%s", words);
    else if (!read_dialect(kind, o, symbol, to))
        snprintf(error, size, "not a ticker of %s", kind->name);
    else if (!pair_read(symbol, &asked) || !pair_same(&asked, &to->pair))
        snprintf(error, size, "a ticker of another pair");
    else
        good = true;
    json_decref(o);
    return good;
}

/* ------------------------------------------------------------------- freshness */

/* One member of the list, "cache; key=value; key". */
static bool member_is_stale(struct span member)
{
    while (member.len) {
        size_t end = span_find(member, ';');
        struct span parameter = span_trim(span_first(member, end));
        if (span_is(parameter, SPAN("fwd=stale")) || span_starts(parameter, SPAN("ttl=-")))
            return true;
        member = span_from(member, end + 1);
    }
    return false;
}

bool quote_is_stale(struct span cache_status)
{
    struct span member;
    while (span_next_element(&cache_status, &member))
        if (member_is_stale(member))
            return true;
    return false;
}

unsigned quote_age_s(struct span age)
{
    unsigned seconds = 0;
    age = span_trim(age);
    for (size_t i = 0; i < age.len; i++) {
        if (age.at[i] < '0' || age.at[i] > '9')
            return 0;
        if (seconds < AGE_MOST_S)
            seconds = seconds * 10 + (unsigned)(age.at[i] - '0');
    }
    return seconds;
}
