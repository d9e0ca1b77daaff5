/* A trading pair, independent of how an exchange writes it: BTCUSDT (Binance),
 * XXBTZUSD or XBT/USD (Kraken), BTC-USD (Coinbase). A plain value. */
#pragma once

#include "base/check.h"
#include "base/span.h"

#define PAIR_ASSET_SIZE 12
#define PAIR_TEXT_SIZE 24

struct pair {
    char base[PAIR_ASSET_SIZE], quote[PAIR_ASSET_SIZE]; /* "BTC", "USD" */
};

/* Reads a symbol in any of these styles and any case. XBT and XDG become BTC and
 * DOGE. False if the symbol cannot be split into two assets. */
bool pair_read(struct span symbol, struct pair *to) MUST_CHECK;

bool pair_same(const struct pair *, const struct pair *);

/* Replaces the asset `from` by `to`, for instance to treat USDT as USD. */
void pair_replace(struct pair *, const char *from, const char *to);

/* "BTC/USD"; returns `out`. */
const char *pair_text(const struct pair *, char out[PAIR_TEXT_SIZE]);
