/* May a request be answered from the store, and may its answer be stored and
 * shared? SPEC 5 on top of RFC 9111: the operator allows it, the client may opt
 * out, and whatever is not known to be public is private. Pure functions. */
#pragma once

#include "config/config.h"
#include "http/message.h"

struct cache_policy {
    bool allowed; /* false: it goes to the origin alone and leaves no trace */
    bool is_head;
    bool bypasses;       /* no-cache: neither hit, stale nor shared; its answer is stored */
    bool is_conditional; /* If-None-Match, If-Modified-Since: shares no flight */
    bool only_if_cached;
    bool coalesce;
    uint64_t most_age_ms;        /* it must be younger in any case; UINT64_MAX: or need not */
    uint64_t fresh_ms;           /* a younger answer needs no origin; 0: none does */
    uint64_t stale_ms;           /* when the origin fails, one up to this age will do; 0: none */
    size_t max_object;           /* bytes of a body that may be stored or shared */
    const struct fields *fields; /* of the request, for Vary */
};

/* `settings` are those of the target's path. `is_private`: it bears a credential
 * (credentials.h). The request's fields are borrowed. */
struct cache_policy cache_policy_of(const struct upstream_config *settings, const struct request *,
                                    bool is_private);

/* May this answer be shared with other requests, and stored? Not with Set-Cookie,
 * Cache-Control: private or Vary: * (SPEC 10), nor a stream of events; only 200 and
 * 203 are stored. */
bool cache_policy_permits(const struct response *);
bool cache_policy_stores(const struct response *);

/* Has the origin failed (any 5xx, or a limit), so that an old answer is better (SPEC 5, 11)? */
bool cache_policy_is_failure(unsigned status);
