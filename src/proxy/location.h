/* The Location of a response, rewritten so that a client that follows it comes back to the
 * proxy (contract 3). A pure function. */
#pragma once

#include "proxy/route.h"

/* The value to relay: a new one in `arena`, or `value` itself. `config` has the other
 * upstreams that a redirect may lead to. `is_private`: the request bears a credential, which
 * is not to follow a redirect to another origin by itself. */
struct span location_rewrite(struct arena *, const struct config *, const struct route *,
                             bool is_private, struct span value);
