/* The daemon's own totals and the record of one request at its end: what
 * /stats sums up and what the access log writes. */
#pragma once

#include "base/failure.h"
#include "base/span.h"
#include "proxy/bots.h"
#include "proxy/cache_note.h"
#include "proxy/trip.h"
#include "proxy/troubles.h"

struct totals {
    size_t active; /* requests under way */
    uint64_t succeeded, failed, abandoned;
    struct troubles troubles;
    struct bots bots;
};

struct client_counts {
    size_t open;
    uint64_t accepted, rejected;
};

struct store_counts { /* answers stored now */
    size_t entries, bytes;
};

/* One request at its end; borrowed for the call. Times are µs. */
struct record {
    const char *client;
    const char *bot; /* NULL: it did not say */
    struct span method;
    const char *upstream; /* NULL: it never had one */
    struct span target;   /* credentials redacted */
    unsigned status;      /* 0: none was sent */
    uint64_t bytes;       /* of the answer's body */
    struct trip trip;
    struct cache_note cache;
    enum failure error; /* FAILURE_NONE: none of ours */
    enum sent sent;
    uint64_t total_us;
};
