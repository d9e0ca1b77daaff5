/* What /stats tells of freezes. Pure: makes JSON that its caller owns; stateless. */
#pragma once

#include <jansson.h>

#include "proxy/freezes.h"
#include "upstream/pool.h"

/* {"by":…,"since":…}, or null: the upstream is not frozen. */
json_t *frozen_json(const struct pool_view *, const struct freezes *);

/* The names of the bots that are frozen at this upstream (NULL: anywhere). */
json_t *frozen_bots_json(const struct freezes *, const char *upstream);
