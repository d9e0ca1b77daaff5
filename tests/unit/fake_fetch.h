/* The proxy's part in a shared fetch (cache/origin_fetch.h), played by the test: there is
 * one fetch at most, which counts what is done to it and brings what the test tells it to.
 * Set it to zero before each test. */
#pragma once

#include "cache/origin_fetch.h"

struct fake_fetch {
    struct exchange base;
    bool is_open;
    struct fetch_order order; /* of the fetch opened last, with its target as text */
    char target[10];
    unsigned opened, cancelled, paused, resumed;
    uint64_t extended_ms; /* what its deadline was set to */
    enum sent sent;       /* what it answers when asked */
    bool drains;          /* likewise, when its owner needs it no more */
};

extern struct fake_fetch fake_fetch;
extern const struct origin_fetch_ops fake_fetch_ops;

/* The head came, of a body of that length, or (SIZE_MAX) of unknown length; a piece of the
 * body did; the end; a failure. */
void fake_fetch_head(unsigned status, size_t length);
void fake_fetch_body(const char *data, size_t len);
void fake_fetch_end(void);
void fake_fetch_failed(enum failure, enum sent);
