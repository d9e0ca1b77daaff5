/* One request to the origin on behalf of several clients that asked for the same, its
 * followers. It copies the request, since the client that began it may leave first; keeps
 * the response for all of them while it comes, and puts it into the store where that is
 * allowed. It tells its followers by events, and knows nothing of them beyond their
 * subscription. Owned by the coalescer until on_over; frees itself later in that turn.
 * States: awaiting the head, keeping the body for all, streaming it (too large or not
 * allowed to be kept: on to those who read it already), draining (no follower is left:
 * read to its end, so that the connection can be used again), over. */
#pragma once

#include "cache/cache.h"
#include "cache/origin_fetch.h"
#include "cache/unshared.h"

struct shared_fetch;
struct subscription;

/* What its owner is told. */
struct shared_fetch_events {
    void (*on_closed)(void *owner);   /* no follower may join any more; may come again */
    void (*on_reopened)(void *owner); /* it begins again after a failure: they may join */
    void (*on_over)(void *owner);     /* its last event */
};

/* What it asks for, and what it works with. `fetch` is the request as the first follower
 * would send it by itself: copied, with `fields`, those of the client, which Vary counts.
 * A reference to `config` is taken. The rest is borrowed, and lives longer than it. */
struct shared_fetch_order {
    struct fetch_order fetch;
    const struct fields *fields;
    struct config *config;
    const struct origin_fetch_ops *ops;
    struct cache *cache;
    struct unshared *unshared;
};

struct shared_fetch *shared_fetch_new(const struct shared_fetch_order *,
                                      const struct shared_fetch_events *, void *owner);

/* What a follower is told. In each event it may leave the shared fetch, but no other
 * follower may. */
struct subscription_events {
    /* An interim response; told to the first follower only. Borrowed. */
    void (*on_interim)(void *owner, const struct response *);

    /* The head has come (borrowed). The one that `leads` is to read the response as it
     * comes, the others from what is kept. False: it was served otherwise, and left, so
     * that the next one leads. */
    bool (*on_head)(void *owner, const struct response *, bool leads);

    /* More of the response is there to be read. */
    void (*on_more)(void *owner);

    /* A piece of the body that is not kept; only to one that takes_more() and has been
     * told all before. Borrowed. */
    void (*on_piece)(void *owner, const char *data, size_t len);

    /* The response is too large to be kept. Those that read it go on, the one that `leads`
     * begins to if it has not; all others must leave. */
    void (*on_outgrown)(void *owner, bool leads);

    /* The response is whole, and the subscription has ended. */
    void (*on_whole)(void *owner);

    /* It failed so. If `goes_on`, the request is about to be sent again for those that
     * stay; else the follower must leave. */
    void (*on_failed)(void *owner, const struct verdict *, bool goes_on);

    /* How many bytes of the body has it been told (SIZE_MAX: it wants none), and would it
     * take more now? */
    size_t (*position)(const void *owner);
    bool (*takes_more)(const void *owner);
};

/* A follower's place at a shared fetch; lives inside the follower. */
struct subscription {
    struct link link;
    struct shared_fetch *fetch; /* NULL: it follows none now */
    const struct subscription_events *events;
    void *owner;
    uint64_t total_ms; /* the follower's time until the head, from its beginning; 0: no limit */
    uint64_t until_ms; /* that as a point in loop time; UINT64_MAX: no limit */
    struct deadline deadline; /* before the head, if the shared fetch has more time */
};

/* `total_ms` counts from now on, for all that it follows. */
void subscription_init(struct subscription *, struct loop *, uint64_t total_ms,
                       const struct subscription_events *, void *owner);

/* The first follower: sends the request. Once, before anything else. */
void shared_fetch_begin(struct shared_fetch *, struct subscription *);

/* A further follower, not once on_closed came. If the head is known already
 * (shared_fetch_response()), on_head does not come for it. */
void shared_fetch_join(struct shared_fetch *, struct subscription *);

/* The follower needs the shared fetch no more. With the last one the request is cancelled,
 * or drained if it was sent. */
void shared_fetch_leave(struct subscription *);

/* A follower that had paused has been told all that came so far. */
void shared_fetch_caught_up(struct shared_fetch *);

/* The response, borrowed; NULL before its head. */
struct stored_response *shared_fetch_response(const struct shared_fetch *);

/* Of a response whose head is known: has the origin failed, by its status or by how the
 * body begins (error_prefix)? Will it be in the store, as far as can be said by now? May
 * one more client with these fields read it? A failure may be read by all: an origin that
 * fails must not be asked again by each of them. */
bool shared_fetch_is_failure(const struct shared_fetch *);
bool shared_fetch_is_stored(const struct shared_fetch *);
bool shared_fetch_suits(const struct shared_fetch *, const struct fields *);

/* How long its phases took so far. Who takes them takes the weight too: what the request
 * cost of the budget is counted for one follower only. */
const struct timing *shared_fetch_timing(const struct shared_fetch *);
void shared_fetch_take_timing(struct shared_fetch *, struct timing *to);
void shared_fetch_take_weight(struct shared_fetch *, struct timing *to);

/* What of the request can have reached the origin; and as exchange_patience(). */
enum sent shared_fetch_sent(const struct shared_fetch *);
uint64_t shared_fetch_patience(const struct shared_fetch *);

/* The id of the request that began it. */
const struct request_id *shared_fetch_id(const struct shared_fetch *);

/* How far its request has come; `to` stays as it is if that has ended. */
void shared_fetch_progress(const struct shared_fetch *, struct progress *);

/* What its response will be stored under. */
struct cache_key shared_fetch_place(const struct shared_fetch *);

/* The settings or the target have changed: the response is for the present followers
 * only, and is not stored. */
void shared_fetch_outdate(struct shared_fetch *);

/* At the very end: if it is draining, it is cancelled. */
void shared_fetch_stop(struct shared_fetch *);
