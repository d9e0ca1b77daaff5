#include "examples/pair.h"

#include <ctype.h>
#include <stdio.h>

#define SYMBOL_SIZE (2 * PAIR_ASSET_SIZE)

/* The quote assets that a symbol without separator may end with; a longer asset comes before
 * an asset that it ends with. TUSD and BUSD are left out: DOTUSD and XBTUSD have the same end. */
static const char *const quotes[] = {"FDUSD", "USDT", "USDC", "USD", "EUR", "GBP",
                                     "JPY",   "CHF",  "CAD",  "AUD", "TRY", "BRL",
                                     "DAI",   "BTC",  "XBT",  "ETH", "BNB"};
static const char *const money[] = {"ZUSD", "ZEUR", "ZGBP", "ZJPY", "ZCAD", "ZAUD", "XXBT", "XETH"};

/* Separators become '-'. False for any other character, or if it is too long. */
static bool clean(struct span symbol, char out[SYMBOL_SIZE])
{
    if (symbol.len >= SYMBOL_SIZE)
        return false;
    for (size_t i = 0; i < symbol.len; i++) {
        char c = symbol.at[i];
        if (!isalnum((unsigned char)c) && (c == '\0' || strchr("-/_:", c) == NULL))
            return false;
        out[i] = isalnum((unsigned char)c) ? (char)toupper((unsigned char)c) : '-';
    }
    out[symbol.len] = '\0';
    return true;
}

static bool take_asset(struct span name, char out[PAIR_ASSET_SIZE])
{
    if (name.len == 0 || name.len >= PAIR_ASSET_SIZE || span_find(name, '-') < name.len)
        return false;
    if (span_is(name, SPAN("XBT")))
        name = SPAN("BTC");
    if (span_is(name, SPAN("XDG")))
        name = SPAN("DOGE");
    snprintf(out, PAIR_ASSET_SIZE, "%.*s", SPAN_ARG(name));
    return true;
}

/* Kraken's old names have four letters: X and a coin, or Z and a currency. */
static bool is_old_name(struct span symbol, struct span *base, struct span *quote)
{
    *base = span_first(symbol, 4);
    *quote = span_from(symbol, 4);
    if (symbol.len != 8)
        return false;
    for (size_t i = 0; i < COUNT_OF(money); i++) {
        if (!span_is(*quote, span_of(money[i])))
            continue;
        *quote = span_from(*quote, 1);
        *base = span_from(*base, base->at[0] == 'X' || base->at[0] == 'Z');
        return true;
    }
    return false;
}

static bool cut_at_quote(struct span symbol, struct span *base, struct span *quote)
{
    for (size_t i = 0; i < COUNT_OF(quotes); i++) {
        size_t len = strlen(quotes[i]);
        if (symbol.len <= len)
            continue;
        *base = span_first(symbol, symbol.len - len);
        *quote = span_from(symbol, symbol.len - len);
        if (span_is(*quote, span_of(quotes[i])))
            return true;
    }
    return false;
}

bool pair_read(struct span symbol, struct pair *to)
{
    char text[SYMBOL_SIZE];
    if (!clean(symbol, text))
        return false;
    struct span all = span_of(text), base, quote;
    size_t separator = span_find(all, '-');
    if (separator < all.len) {
        base = span_first(all, separator);
        quote = span_from(all, separator + 1);
    } else if (!is_old_name(all, &base, &quote) && !cut_at_quote(all, &base, &quote)) {
        return false;
    }
    return take_asset(base, to->base) && take_asset(quote, to->quote);
}

bool pair_same(const struct pair *a, const struct pair *b)
{
    return strcmp(a->base, b->base) == 0 && strcmp(a->quote, b->quote) == 0;
}

void pair_replace(struct pair *p, const char *from, const char *to)
{
    char *assets[] = {p->base, p->quote};
    for (size_t i = 0; i < COUNT_OF(assets); i++)
        if (strcmp(assets[i], from) == 0)
            snprintf(assets[i], PAIR_ASSET_SIZE, "%s", to);
}

const char *pair_text(const struct pair *p, char out[PAIR_TEXT_SIZE])
{
    snprintf(out, PAIR_TEXT_SIZE, "%s/%s", p->base, p->quote);
    return out;
}
