/* Public requests under way, and what they leave behind: answers from the store,
 * starts one request to the origin for many that ask the same, stores what it
 * brings, and serves the last good answer when the origin fails (SPEC 5).
 * Owned by the proxy. A flight is one request to the origin; its passengers are
 * the clients' requests that wait for its answer, which the first of them, or
 * whoever is first when that one leaves, gets as it comes. */
#pragma once

#include "cache/cache_policy.h"
#include "cache/cache_status.h"
#include "proxy/fetch.h"

struct flights;

struct flights *flights_new(struct loop *);
void flights_free(struct flights *); /* nothing may be under way */

/* Answers that nobody hears any more are read no further. */
void flights_stop(struct flights *);

/* The store's bound. */
void flights_configure(struct flights *, size_t cache_size);

/* The settings have changed for all but the pools of these ids: what the others gave is
 * dropped, and nobody joins what is under way to them. */
void flights_renew(struct flights *, const uint64_t *unchanged, size_t count);

/* `fetch` is the request as it would go by itself; its timing is filled for the one
 * who leads. What `policy` and `fetch` point to lives until the exchange's end. */
struct flight_order {
    struct fetch_order fetch;
    struct cache_policy policy;
    struct config *config; /* pinned as long as the fetch needs it */
    struct arena *arena;   /* the request's */
    struct cache_status *note;
};

/* An exchange that answers from the store, from a flight
 * under way, or from a new one. */
struct exchange *flights_open(struct flights *, const struct flight_order *,
                              const struct exchange_events *, void *owner);

/* Another request has changed what lies there (RFC 9111 4.4). */
void flights_forget(struct flights *, const struct pool *, struct span target);

size_t flights_entries(const struct flights *); /* stored answers */
size_t flights_bytes(const struct flights *);   /* and their bytes */
