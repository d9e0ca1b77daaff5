/* One request to the origin, as the cache sees it: what is asked for, and the calls by
 * which a shared fetch has it done. proxy/fetch.c does it; the proxy hands the calls in,
 * since the cache ranks below it. Both structs are plain values without states. */
#pragma once

#include "http/exchange.h"
#include "upstream/pool.h"
#include "upstream/timing.h"

struct freezes; /* proxy/freezes.h */
struct order_digest_memo;

/* The request. What it points to lives as long as the fetch. */
struct fetch_order {
    struct loop *loop;
    struct pool *pool;
    struct way *way; /* the one that it leaves by, set by the fetch; NULL: none yet */
    const struct upstream_config *settings;
    struct timing *timing;       /* where the fetch records how long each phase took */
    struct conn_request request; /* its authority and id are set at each try */
    bool is_safe, is_order;      /* as in struct request */
    bool places;                 /* an order that places (order_rules.h) */
    bool is_private;
    bool is_timed; /* how fast it is answered tells how fast the endpoint is; set by the fetch */
    uint64_t credential; /* see gate.h */
    struct request_id id;
    struct freezes *freezes; /* which may stop it; NULL: none do */
    struct span bot_said;    /* as the client names itself, however many bots there are */
    const char *bot; /* the client's name for itself; lives as long as the daemon; NULL: none */
    struct span serialize_value; /* value of the header serialize_by names; len 0: none */
    uint64_t total_ms;           /* until the head, from now; 0: no limit */
    const char *client;          /* its address, for the journal */
    struct order_entry *entry; /* in the journal (order_journal.h); NULL: it is not written there */
    struct arena *arena;       /* the request's */
    struct span *order_ids;    /* where the client's own ids of an order are put, as JSON */
    struct order_digest_memo *digest; /* of this request (order_digest.h); NULL: it is not kept */
    bool invites; /* the client waits for a 100 (Continue) before it sends the body */
    bool yields;  /* refused at once where a hold or an open circuit would delay it */

    /* Asked once, with the owner of the fetch's events, when the request is here whole, before
     * anything is waited for. False: it is withheld until fetch_go(). A request whose body is
     * too long to be gathered goes without being asked about. NULL: every request goes. */
    bool (*may_go)(void *owner, const struct conn_request *, struct span body);
};

/* How to have it done. */
struct origin_fetch_ops {
    /* Begins it: an exchange whose events are the origin's, failures before the head
     * included. The caller owns it until it ends; no event comes from inside this call. */
    struct exchange *(*open)(const struct fetch_order *, const struct exchange_events *,
                             void *owner);

    /* Nobody needs the response any more. True: the request was sent whole, so the response
     * is read to its end, within limits of its own, so that the connection can be used
     * again; its events go to this owner from now on. False: nothing has changed. */
    bool (*drain)(struct exchange *, const struct exchange_events *, void *owner);

    /* Sets its deadline to `until_ms` (loop time, ms) instead. Waits in queues that have
     * begun keep their earlier bound. */
    void (*extend)(struct exchange *, uint64_t until_ms);

    /* The verdict it would fail with if its time, `total_ms` in all, ran out now, before
     * the head. */
    struct verdict (*late)(const struct exchange *, uint64_t total_ms);
};
