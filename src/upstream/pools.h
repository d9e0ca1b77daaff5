/* The map of pools: one for each upstream of the configuration, and one for each
 * unlisted origin that was asked for, bounded. Owned by main. A pool that left
 * the configuration stays until its last request has ended. */
#pragma once

#include "http/target.h"
#include "upstream/connect.h"
#include "upstream/pool.h"
#include "upstream/tls_set.h"

struct pools;

#define POOLS_UNLISTED_MAX 256

/* `env` is borrowed for its life. */
struct pools *pools_new(const struct connect_env *);

/* Makes the pools those of this configuration: new ones begin to open their
 * min_idle lines, unchanged ones keep their lines, those gone are retired.
 * Pins the snapshot; takes its share of the contexts. */
void pools_apply(struct pools *, struct config *, const struct tls_set *);

/* The pool of a configured upstream, or (`listed` NULL) of an origin: made if
 * need be. NULL if there are too many unlisted ones, all in use. */
struct pool *pools_find(struct pools *, const struct upstream_config *listed,
                        const struct origin *);

/* Walks them all, listed ones first, in the configuration's order. */
void pools_each(const struct pools *, void (*visit)(void *context, const struct pool *),
                void *context);

/* Likewise, with unlisted ones that are retired, and who of them has a label of its own
 * in metrics: all listed ones and the first POOLS_NAMED_MAX unlisted hosts. The others
 * share one (pools_rest_name) with those that are gone. */
#define POOLS_NAMED_MAX 256
#define POOLS_OTHER "other"
enum pools_label { POOLS_LABEL_OWN, POOLS_LABEL_SHARED, POOLS_LABEL_RETIRED };
typedef void pools_visit(void *context, struct pool *, enum pools_label);
void pools_each_label(const struct pools *, pools_visit *, void *context);
size_t pools_count(const struct pools *); /* at least as many as are told */

/* What unlisted hosts had counted that are gone; empty if there were none. */
struct pool_sum;
const struct pool_sum *pools_gone(const struct pools *);
const char *pools_rest_name(const struct pools *);

bool pools_floor_tried(const struct pools *); /* of each pool: see pool.h */
size_t pools_requests(const struct pools *);  /* under way on all */
void pools_drain(struct pools *);

/* An operator's verb to all of them, and (a pause) to those that come later. */
void pools_command(struct pools *, enum pool_verb);

/* Closes everything. No request may be under way. */
void pools_free(struct pools *);
