/* What the ways of one exit have in common, whichever endpoint they lead to: the exit itself (or none),
 * the budget with the exchange, the counters of the connections, and which endpoints are in use. Owned
 * by its ways: it is freed with the last of them. In use, or leaving (its exit is gone from the
 * configuration). */
#pragma once

#include "budget/gate.h"
#include "upstream/endpoint_choice.h"
#include "upstream/stats.h"

struct way;

/* An exit of the settings, and its name, which lives as long as the pool; or NULL twice. */
struct way_exit {
    const struct config_exit *at;
    const char *name;
};

/* ways.h alone writes here. */
struct outlet {
    unsigned magic;
    const struct config_exit *exit; /* in the settings' snapshot; NULL: straight */
    const char *name;               /* what is shown of it */
    uint64_t hash;                  /* of the exit: exits_hash() */
    struct gate *gate;
    struct upstream_stats *stats; /* its own, or if straight its pool's */
    struct list ways;             /* by their links `beside` */
    void (*recall)(struct link *way);
    bool leaving;
    struct config *snapshot; /* of its settings, pinned while it is leaving */
    struct endpoint_race race;
    struct way *first, *fast; /* endpoints that min_idle is kept for: that of orders, that of public
                                 requests; NULL: none yet */
};

/* `pool_stats` are its pool's, borrowed. `recall` is called for each of its ways when a hold has begun,
 * from inside the call that began it. */
struct outlet *outlet_new(struct loop *, const struct upstream_config *, const struct way_exit *,
                          struct upstream_stats *pool_stats, void (*recall)(struct link *way));

/* New settings, and the same exit in them. */
void outlet_configure(struct outlet *, const struct upstream_config *, const struct way_exit *);

/* It is gone from the configuration; its last settings are in that snapshot. */
void outlet_end(struct outlet *, struct config *snapshot);

/* It is in use by one more way; by one less. */
void outlet_join(struct outlet *, struct link *way);
void outlet_leave(struct outlet *, struct link *way);
