/* The map of pools: one for each upstream of the configuration, and one for each unlisted
 * origin that was asked for, of which the number is bounded. Owned by the daemon. A pool is
 * listed, unlisted, or retired: gone from the configuration (or dropped for another unlisted
 * origin), it stays until its last request has ended. */
#pragma once

#include "http/target.h"
#include "upstream/connect.h"
#include "upstream/pool.h"
#include "upstream/tls_set.h"

struct pools;

#define POOLS_UNLISTED_MAX 256

/* `env` is borrowed for its life. */
struct pools *pools_new(const struct connect_env *);

/* For what must outlive a restart, before the first pools_apply(): `on_made` is called for each
 * way of a pool when it has been made, `on_limits` after each change of its holds or weight (see
 * holds_watch()). */
struct pools_events {
    void (*on_made)(void *owner, struct pool *, struct way *);
    void (*on_limits)(void *owner, bool is_urgent);
};
void pools_watch(struct pools *, const struct pools_events *, void *owner);

/* Makes the pools those of this configuration: new ones begin to open min_idle lines, unchanged
 * ones keep their lines, those that are gone from it are retired. Takes references to the
 * snapshot and to the contexts. */
void pools_apply(struct pools *, struct config *, const struct tls_set *);

/* The pool of a configured upstream, or (`listed` NULL) of an unlisted origin, which is made if
 * there is none. NULL: there are too many unlisted ones, all in use. */
struct pool *pools_find(struct pools *, const struct upstream_config *listed,
                        const struct origin *);

/* Visits all that are not retired, listed ones first, in the configuration's order. */
void pools_each(const struct pools *, void (*visit)(void *context, const struct pool *),
                void *context);

/* Likewise, and unlisted ones that are retired, with the label of each in /metrics: all listed
 * ones and the first POOLS_NAMED_MAX unlisted hosts have one of their own. The others share one
 * (pools_rest_name()) with those that are gone. */
#define POOLS_NAMED_MAX 256
#define POOLS_OTHER "other"
enum pools_label { POOLS_LABEL_OWN, POOLS_LABEL_SHARED, POOLS_LABEL_RETIRED };
typedef void pools_visit(void *context, struct pool *, enum pools_label);
void pools_each_label(const struct pools *, pools_visit *, void *context);
size_t pools_count(const struct pools *); /* at least as many as are visited */

/* What was counted for unlisted hosts that are gone; empty if there were none. */
struct pool_sum;
const struct pool_sum *pools_gone(const struct pools *);
const char *pools_rest_name(const struct pools *);

bool pools_floor_tried(const struct pools *); /* by every listed pool: see pool.h */
size_t pools_requests(const struct pools *);  /* under way in all of them */
void pools_drain(struct pools *);

/* An operator's verb to all of them; a pause is also one of those that are made later. */
void pools_command(struct pools *, enum pool_verb);

/* Pools that are made from now on show whether they are frozen. */
void pools_ask_frozen(struct pools *, const struct pool_freeze *);
void pools_look_frozen(struct pools *); /* pool_look_frozen() to all */

/* Closes everything. No request may be under way. */
void pools_free(struct pools *);
