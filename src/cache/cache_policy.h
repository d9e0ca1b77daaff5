/* May a request be answered from the store, and may its response be stored and shared?
 * Contract 5 on top of RFC 9111: the operator allows it, the client may opt out, and
 * whatever is not known to be public is private. Pure functions and a plain value, without
 * states; owned by the request. */
#pragma once

#include "config/config.h"
#include "http/message.h"

struct cache_policy {
    bool allowed; /* false: the request goes to the origin alone, and nothing of it is kept */
    bool is_head;
    bool bypasses;       /* no-cache: neither a hit, nor stale, nor coalesced; its response is
                            stored */
    bool is_conditional; /* If-None-Match, If-Modified-Since: it is not coalesced */
    bool only_if_cached;
    bool coalesce;
    uint64_t most_age_ms;        /* the response must be younger; UINT64_MAX: any age will do */
    uint64_t fresh_ms;           /* a younger response needs no origin; 0: none is fresh */
    uint64_t stale_ms;           /* one up to this age will do if the origin fails; 0: none */
    size_t max_object;           /* bytes of a body that may be stored or shared */
    const struct fields *fields; /* of the request, for Vary; borrowed */
};

/* `u`: the settings of the target's path. `is_private`: the request has a credential
 * (credentials.h). The request's fields are borrowed. */
struct cache_policy cache_policy_of(const struct upstream_config *u, const struct request *,
                                    bool is_private);

/* May this response be shared with other requests; and may it be stored? Not with
 * Set-Cookie, Cache-Control: private or Vary: * (contract 10), nor a stream of events; only
 * 200 and 203 are stored. */
bool cache_policy_permits(const struct response *);
bool cache_policy_stores(const struct response *);

/* Does this status say that the origin has failed (any 5xx, or a limit), so that an old
 * response is better (contract 5, 11)? */
bool cache_policy_is_failure(unsigned status);
