/* The record of one request: what the access log, the slow log and the warning about an
 * order of unknown fate are written from. Filled by the request's tally and handed to a
 * listener when the request ends. A plain value without states. */
#pragma once

#include "base/failure.h"
#include "base/request_id.h"
#include "base/span.h"
#include "cache/cache_status.h"
#include "proxy/order_digest.h"
#include "upstream/timing.h"

/* A request that became a tunnel has two records: one when the tunnel was opened, one when
 * it ended. */
enum record_tunnel { RECORD_NO_TUNNEL, RECORD_TUNNEL_OPENED, RECORD_TUNNEL_ENDED };

/* Borrowed until the listener returns. */
struct record {
    enum record_tunnel tunnel;
    const struct request_id *id;
    const char *client;
    const char *bot;      /* its name in Trunkline-Client; NULL: none */
    struct span bot_said; /* the same as it came, however many there are; empty: none */
    struct span method;
    const char *upstream; /* NULL: it was not routed to any */
    struct span target;   /* secrets redacted */
    unsigned status;      /* as sent to the client; 0: none was sent */
    uint64_t bytes;       /* of the response's body; of a tunnel, bytes to the client */
    struct timing timing;
    struct cache_status cache;
    enum failure error;    /* FAILURE_NONE: no error of our own */
    enum sent sent;        /* what of the request can have reached the origin */
    bool unknown;          /* an order of which nobody can tell whether it was carried out */
    bool duplicate;        /* a copy of an order, which was not sent (dedupe) */
    bool left;             /* the client disconnected before the response was complete */
    struct span order_ids; /* the client's own ids of an order, as JSON; empty: none is known */
    struct order_digest_memo digest;
    struct order_entry *entry; /* of the journal; NULL: none */
    uint64_t total_us; /* from the request's head to its end; of a tunnel, to the tunnel's end */
};

/* Called once for each record. */
typedef void record_listener(void *context, const struct record *);
