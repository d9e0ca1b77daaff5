/* The proxying itself: takes a request that was routed, gives an exchange that
 * answers it over a pooled line, or says why not. Holds the configuration that
 * new requests pin, and the totals. Owned by main. */
#pragma once

#include "http/exchange.h"
#include "proxy/record.h"
#include "proxy/route.h"
#include "proxy/totals.h"
#include "upstream/pools.h"

struct proxy;

struct proxy *proxy_new(struct loop *, struct pools *);

/* Who is told of records from now on: of requests that took so long at least, and of
 * orders of unknown fate however long they took. NULL: nobody. Others are not made. */
void proxy_record(struct proxy *, record_listener *, uint64_t least_us, void *context);

/* New requests pin this configuration from now on. Stored answers of upstreams whose
 * settings changed are dropped: they were got under other rules. */
void proxy_configure(struct proxy *, struct config *);
struct config *proxy_config(const struct proxy *);
const struct totals *proxy_totals(const struct proxy *);
size_t proxy_active(const struct proxy *); /* requests under way */

/* The requests under way, to be walked and described. */
struct under_way *proxy_under_way(struct proxy *);
struct store_counts proxy_stored(const struct proxy *);

/* Answers a request that goes to an origin (ROUTE_UPSTREAM). `route` is copied,
 * `request` and `ingress` live until the exchange's end. */
struct exchange *proxy_open(struct proxy *, const struct request *, const struct ingress *,
                            const struct route *, const struct exchange_events *, void *owner);

/* Answers with an error of ours, counted and logged; `route` may name an
 * upstream that is meant, or be NULL. */
struct exchange *proxy_refuse(struct proxy *, const struct request *, const struct ingress *,
                              const struct route *, const struct verdict *,
                              const struct exchange_events *, void *owner);

/* Counts and logs what the client side refused by itself. */
void proxy_note_refusal(struct proxy *, const struct request *, const struct ingress *,
                        const struct verdict *);

/* Counts and tells of a client inside CONNECT (`tunnel` is set) with whom no TLS came
 * about. */
void proxy_note_unsecured(struct proxy *, const struct ingress *, const struct verdict *);

/* The very end: requests whose client has left are not followed any longer, and end with
 * this error of ours, later in this turn. */
void proxy_settle(struct proxy *, const struct verdict *);

/* Likewise at once, and no answer is read any more that nobody hears. */
void proxy_stop(struct proxy *);

/* Frees it; no exchange may be under way. */
void proxy_free(struct proxy *);
