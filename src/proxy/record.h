/* The daemon's own totals and the record of one request at its end: what
 * /stats sums up and what the access log writes. */
#pragma once

#include "base/failure.h"
#include "base/request_id.h"
#include "base/span.h"
#include "cache/cache_status.h"
#include "proxy/bots.h"
#include "proxy/recent_errors.h"
#include "proxy/under_way.h"
#include "upstream/timing.h"

struct totals {
    struct under_way under_way;
    uint64_t succeeded, failed, abandoned;
    struct recent_errors recent_errors;
    struct bots bots;
};

struct client_counts {
    size_t open;
    uint64_t accepted, rejected;
};

struct store_counts { /* answers stored now */
    size_t entries, bytes;
};

/* A request that became a tunnel has two records: when that happened, and at the
 * tunnel's end. */
enum record_tunnel { RECORD_NO_TUNNEL, RECORD_TUNNEL_OPENED, RECORD_TUNNEL_ENDED };

/* One request at its end; borrowed for the call. Times are µs. */
struct record {
    enum record_tunnel tunnel;
    const struct request_id *id;
    const char *client;
    const char *bot; /* NULL: it did not say */
    struct span method;
    const char *upstream; /* NULL: it never had one */
    struct span target;   /* credentials redacted */
    unsigned status;      /* 0: none was sent */
    uint64_t bytes;       /* of the answer's body; of a tunnel, to the client */
    struct timing timing;
    struct cache_status cache;
    enum failure error; /* FAILURE_NONE: none of ours */
    enum sent sent;
    bool unknown;      /* an order whose fate cannot be known */
    bool left;         /* its client did, before it was answered whole */
    uint64_t total_us; /* of a tunnel's end, with all its life */
};

/* Called with each record. */
typedef void record_listener(void *context, const struct record *);
