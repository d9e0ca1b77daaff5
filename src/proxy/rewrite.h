/* What a proxy changes in the heads it passes on (RFC 9110 7.6): hop-by-hop
 * fields go, Via comes, Location stays on the line, fields meant for trunkline
 * end here, and nobody else speaks in its name (Trunkline-*, entries of Proxy-Status
 * and Cache-Status). Pure; results live in the request's arena, values are borrowed. */
#pragma once

#include "cache/cache_status.h"
#include "proxy/route.h"
#include "upstream/timing.h"

/* All that these decisions look at. */
struct rewrite {
    const struct config *config;
    const struct upstream_config *settings;
    const struct ingress *ingress;
    const struct request *request;
    const struct route *route;
    bool is_private;
};

/* The fields that go to the origin, without Host and framing. */
struct fields rewrite_request(const struct rewrite *);

/* The head that goes to the client; `trip` is for Server-Timing, the note for Age and
 * Cache-Status. */
struct response rewrite_response(const struct rewrite *, const struct response *,
                                 const struct timing *, const struct cache_status *);

/* The head of a 101, which belongs to what follows: all but what is said in our name. */
struct response rewrite_switch(struct arena *, const struct response *);

/* A trailer section on its way, either direction (RFC 9110 6.5.1). */
struct fields rewrite_trailers(struct arena *, const struct fields *);

/* What Trunkline-Timeout asks for, in ms; 0: nothing. False: it is no duration. */
bool rewrite_timeout(const struct request *, uint64_t *ms, struct verdict *why) MUST_CHECK;

/* TRACE and OPTIONS with Max-Forwards: 0 are answered here (RFC 9110 7.6.2). */
bool rewrite_ends_here(const struct request *);

/* The body of the answer to such a TRACE: the head as it came, without fields
 * that may bear secrets (RFC 9110 9.3.8). */
struct span rewrite_trace(const struct rewrite *);
