/* One client's request whose response may be shared: it reads a stored response, or joins
 * a shared fetch and follows that until it has its response. An exchange towards the
 * client, which owns it until it ends; frees itself later in that turn. Made by the
 * coalescer, which finds or begins the shared fetch for it.
 * States: starting, waiting (for the head of its shared fetch), deferring (the head is
 * known, but it begins later), following (it reads while its shared fetch goes on),
 * reading (a response from the store, or the rest of one that is whole; it needs no shared
 * fetch), over. */
#pragma once

#include "cache/cache_policy.h"
#include "cache/cache_status.h"
#include "cache/shared_fetch.h"

struct follower;

/* `fetch` is the request as it would go to the origin by itself; its timing is filled in
 * for the follower. What `policy` and `fetch` point to lives until the exchange's end. */
struct follower_order {
    struct fetch_order fetch;
    struct cache_policy policy;
    struct config *config; /* borrowed; the shared fetch pins it as long as it needs it */
    struct arena *arena;   /* the request's */
    struct cache_status *status;
};

/* Where it lives; borrowed, and lives longer. */
struct follower_env {
    struct cache *cache;
    /* It cannot use what its shared fetch brings, has left it, and needs one of its own:
     * follower_begin() is to be called. */
    void (*on_alone)(void *owner, struct follower *);
    void *owner;
};

struct follower *follower_new(const struct follower_env *, const struct follower_order *,
                              const struct exchange_events *, void *client);
struct exchange *follower_exchange(struct follower *);
const struct follower_order *follower_order(const struct follower *);

/* Looks into the store. True: it reads a fresh response from there. False: it needs the
 * origin, so that one of the calls below must follow. */
bool follower_reads_store(struct follower *) MUST_CHECK;

/* Has the store an old response for it, in case the origin fails? */
bool follower_has_last_good(const struct follower *);

/* It is the first one of a new shared fetch, whose request is sent; joins one that is under
 * way; fails later in this turn. */
void follower_begin(struct follower *, struct shared_fetch *);
void follower_join(struct follower *, struct shared_fetch *);
void follower_fail_soon(struct follower *, const struct verdict *);
