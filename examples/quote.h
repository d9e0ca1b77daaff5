/* An exchange's best bid and ask, read from the JSON of its ticker, and how fresh
 * the answer was that brought it. `exchange` knows the dialects. Plain values. */
#pragma once

#include "examples/decimal.h"
#include "examples/pair.h"

struct quote {
    struct pair pair;
    struct decimal bid, ask; /* 0: nobody bids, nobody asks */
};

/* One way of speaking. */
struct exchange_kind {
    const char *name, *host;
    const char *path; /* of the ticker, up to the symbol */
    const char *tail; /* and behind it */
    const char *fee;  /* per cent that a taker pays on the lowest tier */
};

/* "binance", "kraken", "coinbase"; NULL for any other name. */
const struct exchange_kind *exchange_find(struct span name);

/* The ticker of `symbol` in that dialect. False with words in `error` if it is none,
 * is an error of the exchange's, or speaks of another pair. */
bool quote_read(const struct exchange_kind *, struct span symbol, struct span json,
                struct quote *to, char *error, size_t size) MUST_CHECK;

/* Does Cache-Status (RFC 9211) say that an old answer was given because the
 * exchange failed (fwd=stale), or one past its time (a negative ttl)? */
bool quote_is_stale(struct span cache_status);

/* Seconds of an Age field (RFC 9111 5.1); 0 if it is none. */
unsigned quote_age_s(struct span age);
