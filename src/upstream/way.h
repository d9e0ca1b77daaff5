/* One of an upstream's ways to its origin: straight, or through one exit. It has everything that
 * is kept per exit: lines, the queue for them, the budget with the exchange, the circuit breaker,
 * what was learned of idle lines, and the counters of its connections. Owned by its pool; requests
 * that chose it hold it. In use, or leaving (gone from the configuration): then nothing new
 * chooses it, those that wait on it choose again, and it ends with its last holder. */
#pragma once

#include "budget/gate.h"
#include "upstream/pool_queue.h"
#include "upstream/standing.h"
#include "upstream/stats.h"
#include "upstream/way_choice.h"

/* Makes the connector of a way; the way owns it, and sets its exit. */
struct way_maker {
    struct connector *(*make)(void *context);
    void *context;
};

/* pool.h and way.h alone write here. */
struct way {
    unsigned magic;
    struct loop *loop;
    const struct config_exit *exit; /* in the settings' snapshot; NULL: straight */
    const char *name;               /* what is shown of it; lives as long as the pool */
    struct connector *connector;
    struct lines lines;
    struct pool_queue queue;
    struct gate *gate;
    struct circuit circuit;
    struct upstream_stats *stats; /* what its lines count: its own, or if straight its pool's */
    uint64_t hash;                /* of the exit: exits_hash() */
    struct config *snapshot;      /* pinned while it is leaving */
    size_t holders;
    bool leaving;
    struct link link; /* on its pool's leaving ones */
    struct task recall, end;
    void (*on_left)(void *owner, struct way *);
    void *owner;
};

/* What a way has in common with the others of its pool; borrowed for its life. */
struct way_common {
    struct loop *loop;
    const char *upstream; /* its name */
    struct way_maker maker;
    struct upstream_stats *stats;               /* of the pool */
    void (*on_left)(void *owner, struct way *); /* it is leaving, and has no holder: free it */
    void *owner;
};

/* An exit of the settings, and its name, which lives as long as the pool; or NULL twice. */
struct way_exit {
    const struct config_exit *at;
    const char *name;
};

/* Begins to open min_idle lines. */
struct way *way_new(const struct way_common *, const struct upstream_config *,
                    const struct way_exit *);

/* Closes its lines. Nothing may hold it; no request may wait on it. */
void way_free(struct way *);

/* New settings, and the same exit in them; `renew` as in pool_configure(). The snapshot of the
 * old ones must live until this returns. */
void way_configure(struct way *, const struct upstream_config *, const struct way_exit *,
                   bool renew);

/* Likewise, for another origin; serves its waiters. */
void way_redirect(struct way *, const struct upstream_config *, const struct way_exit *);

/* It is gone from the configuration; `snapshot` is the last one that had it. on_left comes later. */
void way_leave(struct way *, struct config *snapshot);

/* A request has chosen it, and may wait on it and use its lines until it releases it. */
void way_hold(struct way *);
void way_release(struct way *);

/* How it stands for a request of that kind, compared with others. */
void way_stand(const struct way *, const struct gate_waiter *kind, struct way_standing *);

/* If its circuit is open and may be tried, it is, without a request that depends on it. */
void way_probe(struct way *);

/* A failure on the way to the origin names the exit: its detail begins "exit NAME: ". Fine
 * with NULL. */
void way_blame(const struct way *, struct verdict *);

/* See pool_vouches() and pool_adopt(). */
bool way_vouches(const struct way *);
void way_adopt(struct way *, struct stream *, const struct dial_report *);

/* The operator's verbs and the pool's end, for this way. */
void way_pause(struct way *);
void way_resume(struct way *, bool ending);
void way_drain(struct way *);

/* What /stats shows of it; the strings are valid until the loop turns. */
struct way_view {
    const char *exit; /* NULL: straight */
    const char *state, *breaker;
    size_t idle, active, connecting, waiting, max_connections;
    int64_t learned_idle_ms; /* -1: nothing learned */
    struct gate_view gate;
    const struct circuit *circuit;
    int64_t certificate_ends_s; /* of the certificate that the origin showed last; 0: none */
    const struct upstream_stats *stats;
};
void way_describe(const struct way *, struct way_view *);
