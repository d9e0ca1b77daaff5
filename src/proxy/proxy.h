/* The proxy itself: takes a request that has been routed, and gives an exchange that
 * answers it over a pooled connection or says why not. It holds the configuration that new
 * requests pin, the store with its coalescer, and the daemon's totals. Owned by the daemon.
 * It has no states: what is under way is on its lists. */
#pragma once

#include "http/exchange.h"
#include "proxy/freezes.h"
#include "proxy/record.h"
#include "proxy/route.h"
#include "proxy/totals.h"
#include "upstream/pools.h"

struct proxy;
struct order_journal;

/* `pools` outlives it. proxy_configure() must follow before the first request. */
struct proxy *proxy_new(struct loop *, struct pools *);

/* Sets the listener for records: of requests that took `least_us` or more, and of orders of
 * unknown fate however long they took. NULL: none. */
void proxy_record(struct proxy *, record_listener *, uint64_t least_us, void *context);

/* Orders are written in this journal from now on; NULL: in none. */
void proxy_journal(struct proxy *, struct order_journal *);

/* New requests pin this configuration from now on (a reference is taken). Stored responses
 * of upstreams whose settings changed are dropped: other rules applied to them. */
void proxy_configure(struct proxy *, struct config *);
struct config *proxy_config(const struct proxy *); /* borrowed */

/* Remembers the orders that earlier processes wrote into this journal, so that copies of them are
 * not sent (`dedupe`). Blocks; to be called once, before the first client is accepted. */
void proxy_recall(struct proxy *, const char *journal);

const struct totals *proxy_totals(const struct proxy *);
size_t proxy_active(const struct proxy *); /* requests under way */

/* What is frozen; whoever freezes tells it. */
struct freezes *proxy_freezes(struct proxy *);

/* The requests under way, to be walked and described. */
struct under_way *proxy_under_way(struct proxy *);

/* What the store holds now. */
struct store_counts proxy_stored(const struct proxy *);

/* Answers a request that goes to an origin (ROUTE_UPSTREAM). `route` is copied; `request`
 * and `ingress` are borrowed until the exchange ends (see also exchange_leave()). */
struct exchange *proxy_open(struct proxy *, const struct request *, const struct ingress *,
                            const struct route *, const struct exchange_events *, void *owner);

/* Answers with an error of our own, which is counted and logged; `route` names the upstream
 * that was meant, or is NULL. Borrows as proxy_open() does. */
struct exchange *proxy_refuse(struct proxy *, const struct request *, const struct ingress *,
                              const struct route *, const struct verdict *,
                              const struct exchange_events *, void *owner);

/* Counts and logs a request that the client's side has refused by itself. */
void proxy_note_refusal(struct proxy *, const struct request *, const struct ingress *,
                        const struct verdict *);

/* Counts and logs that a client failed to establish TLS inside its CONNECT (`tunnel` is
 * set). */
void proxy_note_unsecured(struct proxy *, const struct ingress *, const struct verdict *);

/* The daemon ends: requests whose client has disconnected are no longer followed, and end
 * with this error of our own later in this turn of the loop. */
void proxy_settle(struct proxy *, const struct verdict *);

/* Likewise at once, and shared responses that nobody waits for are read no further. */
void proxy_stop(struct proxy *);

/* No exchange may be under way. */
void proxy_free(struct proxy *);
