/* One request on its way to its origin: waits for its turn, at the gate, for a
 * line; tries; tries again where that cannot do harm (the never-twice rule, SPEC
 * 4); says what went wrong and whether the request can have reached the exchange.
 * An exchange whose events are raw, as the origin gave them; failures come as
 * on_failed, before the head too. Owned by who opened it until it ends, frees
 * itself. Gathering (a small body), queueing (for its turn), gated, waiting (for
 * a line), awaiting (the answer's head), receiving (its body), over. */
#pragma once

#include "http/exchange.h"
#include "proxy/trip.h"
#include "upstream/pool.h"

/* What it points to lives as long as the fetch. */
struct fetch_order {
    struct loop *loop;
    struct pool *pool;
    const struct upstream_config *settings;
    struct trip *trip;           /* where it tells of its way */
    struct conn_request request; /* its authority is the pool's, at each try */
    bool is_safe, is_order;      /* as in struct request */
    bool is_private;
    uint64_t credential; /* see gate.h */
    const char *bot;     /* who asks; lives as long as the daemon; NULL: it did not say */
    struct span turn;    /* value of serialize_by; len 0: none */
    uint64_t total_ms;   /* until the head, from now; 0: no limit */
    bool yields; /* it is refused at once where a hold or an open circuit would make it wait */
};

struct exchange *fetch_open(const struct fetch_order *, const struct exchange_events *,
                            void *owner);

/* It has until then (loop time, ms) instead. What it waits for in a queue keeps
 * its earlier bound. */
void fetch_extend(struct exchange *, uint64_t until_ms);

/* What it would fail with if its time, which was so long, ran out before the head. */
struct verdict fetch_late(const struct exchange *, uint64_t total_ms);
