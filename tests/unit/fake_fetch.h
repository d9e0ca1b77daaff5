/* A fake of the proxy's part in a shared fetch (cache/origin_fetch.h). There is at most one fetch;
 * it counts the calls that it gets and raises the events that the test requests. Set it to zero
 * before each test. */
#pragma once

#include "cache/origin_fetch.h"

struct fake_fetch {
    struct exchange base;
    bool is_open;
    struct fetch_order order; /* of the fetch opened last; its target is copied as text */
    char target[10];
    unsigned opened, cancelled, paused, resumed;
    uint64_t extended_ms; /* the deadline it was last given */
    enum sent sent;       /* returned when the fetch is asked whether its request was sent */
    bool drains;          /* likewise: whether it drains once its owner no longer needs it */
};

extern struct fake_fetch fake_fetch;
extern const struct origin_fetch_ops fake_fetch_ops;

/* Raise the events of the fetch: the head, for a body of `length` bytes (SIZE_MAX: of unknown
 * length); a piece of the body; the end; a failure. */
void fake_fetch_head(unsigned status, size_t length);
void fake_fetch_body(const char *data, size_t len);
void fake_fetch_end(void);
void fake_fetch_failed(enum failure, enum sent);
