/* What the files of the flights share: the map and the store (flights.c), one
 * request to the origin (flight.c), and one client's request that waits for its
 * answer (passenger.c). Nobody else includes this. */
#pragma once

#include <uthash.h>

#include "cache/unshared.h"
#include "proxy/flights.h"
#include "proxy/reader.h"

/* One for the proxy. */
struct flights {
    struct loop *loop;
    struct cache *cache;
    struct unshared unshared;
    struct flight *joinable; /* by key */
    struct list all;
    struct list deserted; /* nobody is aboard: read to the end, for the line's sake */
};

/* One request to the origin. Before the head (answer NULL), keeping what comes for
 * all, or passing it by to those who have begun; then over. */
struct flight {
    unsigned magic;
    struct flights *all;
    struct link link;
    UT_hash_handle hh; /* while it can be joined */
    bool joinable;
    struct span key;
    struct arena *arena; /* of the request; this struct is in it too */
    struct config *config;
    struct fetch_order order;
    struct cache_key place;
    struct fields asked; /* of the client that began it, for Vary */
    struct timing timing;
    struct exchange *fetch; /* NULL: ended */
    struct list passengers; /* the first one leads */
    struct stored_response *answer;
    bool keeping, stores, held_up, outdated;
    uint64_t began_at; /* loop_age_clock() */
    uint64_t until_ms; /* loop time; the longest that anybody aboard has */
    uint64_t bound_ms; /* of the fetch when it began, and so of its waiting in queues */
    struct task free_later;
};

struct passenger {
    struct reader reader;
    struct flights *all;
    struct link link;
    struct flight *flight; /* NULL: none, or no more */
    struct flight_order order;
    uint64_t until_ms;
    bool answered;            /* by an earlier flight, with what could not be shared */
    struct deadline deadline; /* before the head: where the flight's is later; then see
                                 flight_follow() */
    struct task free_later;
};

static inline struct passenger *passenger_of(struct link *link)
{
    return LIST_ENTRY(link, struct passenger, link);
}

/* ------------------------------------------------------------------- flight.c */

/* A new flight with that passenger; with a key (empty: none) others may join it. */
void flight_take_off(struct passenger *, struct span key);

/* The one with that key that may be joined, or NULL. */
struct flight *flight_find(struct flights *, struct span key);

/* Nobody joins it any more. */
void flight_close_doors(struct flight *);

/* What it brings is for those aboard alone: settings have changed, or what lies there. */
void flight_outdate(struct flight *);

/* Nobody is aboard: what is under way is given up, or read to its end unheard. Freed
 * when that is over, later in this turn at the earliest; its magic is 0 from now on. */
void flight_land(struct flight *);

/* It is not read to its end either. */
void flight_drop(struct flight *);

/* The head is known: the passenger reads what is kept, or gets a flight of its own. Where
 * the answer may yet turn out too large to be kept it begins at its deadline. */
void flight_follow(struct passenger *);

/* Has the origin failed, with a head that is known? */
bool flight_is_failure(const struct flight *);

/* A passenger has got off, or (of an answer that is passed by) has been told all so far. */
void flight_go_on(struct flight *);

/* ---------------------------------------------------------------- passenger.c */

struct passenger *passenger_new(struct flights *, const struct flight_order *,
                                const struct exchange_events *, void *owner);

/* Joins a flight under way, before or after its head. */
void passenger_board(struct passenger *, struct flight *);

/* It needs its flight no more; the flight is not asked. */
void passenger_get_off(struct passenger *);

/* What its flight brings it cannot have, so that it flies by itself. */
void passenger_fly_alone(struct passenger *);

/* The flight's way is its own now; the weight it cost is borne by one aboard alone. */
void passenger_take_trip(struct passenger *);

/* Reads an old answer in place of a failure and needs no flight; false: there is none. */
bool passenger_serve_stale(struct passenger *, unsigned status, enum failure, enum sent) MUST_CHECK;

/* May an old answer hide such a failure of ours? */
bool passenger_may_hide(const struct passenger *, const struct verdict *);
void passenger_fail(struct passenger *, const struct verdict *);
