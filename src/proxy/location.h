/* The Location of an answer, rewritten so that a client that follows it stays
 * on the line (SPEC 3). Pure. */
#pragma once

#include "proxy/route.h"

/* The value to relay: rewritten from `arena`, or `value` itself. `is_private`:
 * the request bore a credential. `config` knows the names of other upstreams. */
struct span location_rewrite(struct arena *, const struct config *, const struct route *,
                             bool is_private, struct span value);
