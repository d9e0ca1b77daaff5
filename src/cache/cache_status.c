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

/* fwd=stale says that an old response is served, and nothing else: scripts recognise old
 * quotes by it. A response that replaced an old one is a miss like any other. */
static const char *words_of(const struct cache_status *s, struct arena *a)
{
    switch (s->result) {
    case CACHE_HIT: return arena_printf(a, "trunkline; hit; ttl=%" PRIu64, s->ttl_ms / 1000);
    case CACHE_STALE:
        if (s->forward_status)
            return arena_printf(a, "trunkline; fwd=stale; fwd-status=%u", s->forward_status);
        return arena_printf(a, "trunkline; fwd=stale; detail=%s", failure_name(s->failure));
    case CACHE_COLLAPSED: return "trunkline; fwd=miss; collapsed";
    default:
        return arena_printf(a, "trunkline; fwd=%s%s", s->by_request ? "request" : "miss",
                            s->stored ? "; stored" : "");
    }
}

void cache_status_add(const struct cache_status *s, struct fields *to, struct arena *a)
{
    if (s->result == CACHE_NONE)
        return;
    fields_add(to, a, SPAN("Age"), span_of(arena_printf(a, "%" PRIu64, s->age_ms / 1000)));
    fields_add(to, a, SPAN("Cache-Status"), span_of(words_of(s, a)));
}
