/* The best bid and ask of an exchange, read from the JSON of its ticker, and the
 * freshness of the response. `exchange_kind` describes each API. Plain values. */
#pragma once

#include "examples/decimal.h"
#include "examples/pair.h"

struct quote {
    struct pair pair;
    struct decimal bid, ask; /* 0: there is no bid, or no ask */
};

/* The API of an exchange. */
struct exchange_kind {
    const char *name, *host;
    const char *path; /* of the ticker, before the symbol */
    const char *tail; /* and after it */
    const char *fee;  /* taker fee of the lowest tier, in per cent */
};

/* "binance", "kraken", "coinbase"; NULL for any other name. */
const struct exchange_kind *exchange_find(struct span name);

/* Reads a ticker of `symbol`. False, with a message in `error`, if `json` is not a ticker,
 * reports an error of the exchange, or is for another pair. */
bool quote_read(const struct exchange_kind *, struct span symbol, struct span json,
                struct quote *to, char *error, size_t size) MUST_CHECK;

/* Does Cache-Status (RFC 9211) say that an old response was served because the exchange
 * failed (fwd=stale), or one whose time to live had expired (a negative ttl)? */
bool quote_is_stale(struct span cache_status);

/* The seconds in an Age header field (RFC 9111 5.1); 0 if it is not valid. */
unsigned quote_age_s(struct span age);
