/* What the proxy changes in the messages that it passes on (RFC 9110 7.6): hop-by-hop
 * fields are removed, Via is added, Location is rewritten so that a redirect stays on the
 * proxy, and fields in trunkline's own name (Trunkline-*, its members of Proxy-Status and
 * Cache-Status) come from trunkline alone. Pure functions; results are in the request's
 * arena, and borrow the values that do not change. */
#pragma once

#include "cache/cache_status.h"
#include "proxy/route.h"
#include "upstream/timing.h"

/* All that these functions look at; borrowed. */
struct rewrite {
    const struct config *config;
    const struct upstream_config *settings;
    const struct ingress *ingress;
    const struct request *request;
    const struct route *route;
    bool is_private; /* the request bears a credential */
};

/* The header fields that go to the origin, without Host and framing. */
struct fields rewrite_request(const struct rewrite *);

/* The head of the response that goes to the client. The timing is for Server-Timing, the
 * cache's status for Age and Cache-Status. */
struct response rewrite_response(const struct rewrite *, const struct response *,
                                 const struct timing *, const struct cache_status *);

/* The head of a 101, which belongs to the protocol that follows: its hop-by-hop fields stay. */
struct response rewrite_switch(struct arena *, const struct response *);

/* A trailer section, in either direction (RFC 9110 6.5.1). NULL: none. */
struct fields rewrite_trailers(struct arena *, const struct fields *);

/* The time that Trunkline-Timeout asks for, in ms; 0: it is not there. False: its value is
 * no duration, and `why` says so. */
bool rewrite_timeout(const struct request *, uint64_t *ms, struct verdict *why) MUST_CHECK;

/* Is it a TRACE or OPTIONS with Max-Forwards: 0, which the proxy answers (RFC 9110 7.6.2)? */
bool rewrite_ends_here(const struct request *);

/* The body of the answer to such a TRACE: the head as it was received, without fields that
 * may hold secrets (RFC 9110 9.3.8). */
struct span rewrite_trace(const struct rewrite *);
