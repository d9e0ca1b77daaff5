/* One upstream as /stats shows it (SPEC 6). Pure: reads a pool's view, and
 * makes JSON that its caller owns. */
#pragma once

#include <jansson.h>

#include "upstream/pool.h"

json_t *upstream_json(const struct pool_view *);

/* {"active", "total", "succeeded", "failed", "success_rate"}: total is the sum
 * of all four; the rate is null before the first verdict. */
json_t *requests_json(uint64_t active, uint64_t succeeded, uint64_t failed, uint64_t abandoned);
