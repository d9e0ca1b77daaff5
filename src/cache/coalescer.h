/* Requests whose responses may be shared: each gets its response from the store, from a
 * request to the origin that is under way for another one, or from a new one (contract 5).
 * Owned by the proxy. It owns the store and the shared fetches; the followers belong to
 * the clients' requests. Without states of its own: a shared fetch that may be joined is
 * in the map, by what makes requests identical. */
#pragma once

#include "cache/follower.h"

struct coalescer;

/* `ops` is how a request goes to the origin. */
struct coalescer *coalescer_new(struct loop *, const struct origin_fetch_ops *ops);
void coalescer_free(struct coalescer *); /* nothing may be under way */

/* At the very end: responses that no client waits for are read no further. */
void coalescer_stop(struct coalescer *);

/* The bound of the store, in bytes. */
void coalescer_configure(struct coalescer *, size_t cache_size);

/* The settings have changed of all pools but those with these ids: what came from the
 * others is dropped, and no request joins what is under way to them. */
void coalescer_renew(struct coalescer *, const uint64_t *unchanged, size_t count);

/* An exchange that answers the request. What the order points to lives until its end. */
struct exchange *coalescer_open(struct coalescer *, const struct follower_order *,
                                const struct exchange_events *, void *owner);

/* An order has changed what is there (RFC 9111 4.4): what the store has of this target is
 * dropped, and what is under way is not stored. */
void coalescer_forget(struct coalescer *, const struct pool *, struct span target);

/* The stored responses: their number, and their bytes. */
size_t coalescer_entries(const struct coalescer *);
size_t coalescer_bytes(const struct coalescer *);
