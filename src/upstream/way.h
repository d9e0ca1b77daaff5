/* One of an upstream's ways to its exchange: to one of its endpoints, straight or through one exit. It
 * has lines, the queue for them, the circuit breaker, what was learned of idle lines and how fast the
 * endpoint answers; the budget and the counters it shares with the other ways of its exit (outlet.h).
 * Owned by its pool; requests that chose it hold it. In use, or leaving (gone from the configuration): then nothing new
 * chooses it, those that wait on it choose again, and it ends with its last holder. */
#pragma once

#include "upstream/outlet.h"
#include "upstream/pool_queue.h"
#include "upstream/standing.h"
#include "upstream/way_choice.h"
#include "upstream/way_host.h"

/* Makes the connector of a way; the way owns it, and sets its exit. */
struct way_maker {
    struct connector *(*make)(void *context);
    void *context;
};

/* pool.h and way.h alone write here. */
struct way {
    unsigned magic;
    struct loop *loop;
    struct outlet *outlet;
    struct link beside; /* on its outlet's ways */
    const struct way_host *host;
    struct upstream_config
        *own;          /* the settings for this endpoint; NULL: it is the only one, and they
                                    are the upstream's */
    unsigned min_idle; /* what its settings have while it is in use: see way_keep_floor() */
    struct connector *connector;
    struct lines lines;
    struct pool_queue queue;
    struct gate *gate;            /* its outlet's, */
    struct upstream_stats *stats; /* and what its lines count */
    struct circuit circuit;
    struct endpoint_pace pace;
    uint64_t requests;       /* see way_lent() */
    struct config *snapshot; /* pinned while it is leaving */
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

/* Where a way leads: to one of several endpoints, or to the only one; and whether min_idle lines are
 * kept open there. The host lives as long as the pool. */
struct way_target {
    const struct way_host *host;
    bool is_only, keeps_floor;
};

/* Joins the outlet, and begins to open min_idle lines if it is to. */
struct way *way_new(const struct way_common *, const struct upstream_config *, struct outlet *,
                    const struct way_target *);

/* Closes its lines, and leaves its outlet. Nothing may hold it; no request may wait on it. */
void way_free(struct way *);

/* New settings, which its outlet has already; `renew` as in pool_configure(). The snapshot of the
 * old ones must live until this returns. */
void way_configure(struct way *, const struct upstream_config *, const struct way_target *,
                   bool renew);

/* Likewise, for another origin; serves its waiters. */
void way_redirect(struct way *, const struct upstream_config *, const struct way_target *);

/* Of several endpoints, min_idle lines are kept open to those in use alone. */
void way_keep_floor(struct way *, bool keeps);

/* A hold has begun, or it is leaving: those that wait may have to choose again. Until they are told,
 * later in this turn of the loop, nothing is lent to them. */
void way_recall(struct way *);

/* It is gone from the configuration; `snapshot` is the last one that had it. on_left comes later. */
void way_leave(struct way *, struct config *snapshot);

/* A request has chosen it, and may wait on it and use its lines until it releases it. */
void way_hold(struct way *);
void way_release(struct way *);

/* How it stands for a request of that kind, compared with others. */
void way_stand(const struct way *, const struct gate_waiter *kind, struct way_standing *);

/* If its circuit is open and may be tried, it is, without a request that depends on it. */
void way_probe(struct way *);

/* How it stands among the endpoints of its exit. */
void way_stand_as_endpoint(struct way *, struct endpoint_standing *);

/* A request has got a line that way, and is sent on it. */
void way_lent(struct way *);

/* A request that is timed was answered, so long after it was sent; or was not, or got no connection in
 * that time (`is_over`: it will not be; otherwise its client did not wait any longer). */
void way_answered(struct way *, uint64_t took_us, unsigned status);
void way_unanswered(struct way *, uint64_t took_us, bool is_over);

/* A failure on the way to the origin names the exit: its detail begins "exit NAME: "; and the endpoint,
 * if it was chosen: "endpoint HOST: ". Fine with NULL. */
void way_blame(const struct way *, bool has_endpoint, struct verdict *);

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
    const struct way_host *endpoint; /* NULL: there is only one */
    struct endpoint_pace pace;
    uint64_t requests;      /* tries that got a line that way */
    bool is_first, is_fast; /* orders go there; public requests do: see pool_view_ways() */
};
void way_describe(const struct way *, struct way_view *);
