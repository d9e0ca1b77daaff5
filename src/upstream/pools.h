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

/* Tells what each shows, under names of which there are few however many hosts
 * come: all listed ones; the first POOLS_NAMED_MAX unlisted hosts; and, once there
 * is any, POOLS_OTHER: the sum of all others, with those that are gone, so that
 * no sum of counters ever falls. Views live for the call. */
#define POOLS_NAMED_MAX 256
#define POOLS_OTHER "other"
typedef void pools_visit(void *context, const struct pool_view *);
void pools_each_named(const struct pools *, pools_visit *, void *context);

bool pools_floor_tried(const struct pools *); /* of each pool: see pool.h */
size_t pools_requests(const struct pools *);  /* under way on all */
void pools_drain(struct pools *);

/* An operator's verb to all of them, and (a pause) to those that come later. */
void pools_command(struct pools *, enum pool_verb);

/* Closes everything. No request may be under way. */
void pools_free(struct pools *);
