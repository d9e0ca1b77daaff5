/* One upstream as /stats shows it (contract 6): the rows UPSTREAM of stats_page.def and the
 * counters of stats.def. Pure: reads a pool's view, and makes JSON that its caller owns;
 * stateless. */
#pragma once

#include <jansson.h>

#include "proxy/freezes.h"
#include "upstream/pool.h"

/* The object of one upstream. */
json_t *upstream_json(const struct pool_view *, const struct freezes *);
