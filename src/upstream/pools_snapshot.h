/* The pools as they are at one moment, to be told one by one over several turns of
 * the loop, as telling all of many would hold it up. Owned by whoever tells. Every
 * pool on it is held, so that none is freed meanwhile; what it shows is of the
 * moment it is asked. Gathering (of the rest) or not. */
#pragma once

#include "upstream/pools.h"

struct pools_snapshot;

/* All of them, each under its name: listed ones first, in the configuration's order. */
struct pools_snapshot *pools_snapshot_all(const struct pools *);

/* Under names of which there are few however many hosts come: all listed ones; the
 * first POOLS_NAMED_MAX unlisted hosts; and, once there is any, POOLS_OTHER: the sum
 * of all others, with those that are gone, so that no sum of counters ever falls.
 * What makes the rest has to be gathered first. */
struct pools_snapshot *pools_snapshot_named(const struct pools *);

/* Adds one pool to the rest; false: all are. */
bool pools_snapshot_gather(struct pools_snapshot *);

/* How many views there are; the one at `at` is valid until the loop's next turn. */
size_t pools_snapshot_count(const struct pools_snapshot *);
void pools_snapshot_view(const struct pools_snapshot *, size_t at, struct pool_view *);
void pools_snapshot_free(struct pools_snapshot *);
