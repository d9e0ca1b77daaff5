#include "cache/cache_status.h"

#include <inttypes.h>

const char *cache_result_name(enum cache_result result)
{
    static const char *const names[] = {
        [CACHE_HIT] = "hit",
        [CACHE_MISS] = "miss",
        [CACHE_STALE] = "stale",
        [CACHE_COLLAPSED] = "collapsed",
    };
    return names[result];
}

/* fwd=stale says that an old answer is served, and nothing else: scripts tell old
 * quotes by it. An answer that replaced an old one is a miss like others. */
static const char *status_of(const struct cache_status *n, struct arena *a)
{
    switch (n->result) {
    case CACHE_HIT: return arena_printf(a, "trunkline; hit; ttl=%" PRIu64, n->ttl_ms / 1000);
    case CACHE_STALE:
        if (n->forward_status)
            return arena_printf(a, "trunkline; fwd=stale; fwd-status=%u", n->forward_status);
        return arena_printf(a, "trunkline; fwd=stale; detail=%s", failure_name(n->failure));
    case CACHE_COLLAPSED: return "trunkline; fwd=miss; collapsed";
    default:
        return arena_printf(a, "trunkline; fwd=%s%s", n->by_request ? "request" : "miss",
                            n->stored ? "; stored" : "");
    }
}

void cache_status_add(const struct cache_status *n, struct fields *to, struct arena *a)
{
    if (n->result == CACHE_NONE)
        return;
    fields_add(to, a, SPAN("Age"), span_of(arena_printf(a, "%" PRIu64, n->age_ms / 1000)));
    fields_add(to, a, SPAN("Cache-Status"), span_of(status_of(n, a)));
}
