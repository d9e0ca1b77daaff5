/* The paths at which trunkline answers itself, and so the first segments that no upstream can
 * have as its name. One list for the configuration, for routing and for the pages. Constant,
 * without owner or states. */
#pragma once

#include "base/span.h"

/* The pages that are read, then what changes something. */
#define OWN_PATHS(P)                                                                               \
    P(OWN_DASHBOARD, "/")                                                                          \
    P(OWN_STATS, "/stats")                                                                         \
    P(OWN_REQUESTS, "/requests")                                                                   \
    P(OWN_CONNECTIONS, "/connections")                                                             \
    P(OWN_METRICS, "/metrics")                                                                     \
    P(OWN_HEALTHZ, "/healthz")                                                                     \
    P(OWN_RELOAD, "/reload")

enum own_path {
#define PATH(constant, path) constant,
    OWN_PATHS(PATH)
#undef PATH
        OWN_PATH_NONE
};

/* Where the verbs are: /upstreams/NAME/VERB and /upstreams/VERB. */
#define OWN_VERBS "/upstreams/"

/* The page of a path without its query; OWN_PATH_NONE: no page is there. */
enum own_path own_path_of(struct span path);
const char *own_path_text(enum own_path);

/* Does a target that begins with this segment mean one of these paths, or one of the prefix
 * forms ("/https://host/…")? Then no upstream can be called so. */
bool own_path_reserves(const char *segment);
