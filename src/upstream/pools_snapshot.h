/* The pools that there are at one moment, to be shown one by one over several turns of the loop,
 * since showing many at once would hold it up. Owned by the page that shows them. Every pool in
 * it is held, so that none is freed meanwhile; its figures are of the moment they are asked
 * for. It gathers (the sum of the rest), or is complete. */
#pragma once

#include "upstream/pools.h"

struct pools_snapshot;

/* All pools, each under its name: listed ones first, in the configuration's order. To be freed
 * by pools_snapshot_free(). */
struct pools_snapshot *pools_snapshot_all(const struct pools *);

/* Likewise, under a number of names that is bounded however many hosts there were: all listed
 * ones; the first POOLS_NAMED_MAX unlisted hosts; and POOLS_OTHER, if there are others: their
 * sum, including those that are gone, so that no sum of counters ever falls. The sum has to be
 * gathered first. */
struct pools_snapshot *pools_snapshot_named(const struct pools *);

/* Adds one pool to the sum; false: all have been added. */
bool pools_snapshot_gather(struct pools_snapshot *);

/* How many views there are, and one of them, valid until the loop's next turn. */
size_t pools_snapshot_count(const struct pools_snapshot *);
void pools_snapshot_view(const struct pools_snapshot *, size_t at, struct pool_view *);

/* Shows each line of that view's pool now; a sum has none. */
void pools_snapshot_lines(const struct pools_snapshot *, size_t at, line_visit *, void *context);
void pools_snapshot_free(struct pools_snapshot *);
