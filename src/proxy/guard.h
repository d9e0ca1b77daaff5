/* Who may call, and what may be reached (SPEC 3): DNS rebinding, browsers,
 * forbidden addresses, loops. Pure functions. */
#pragma once

#include "proxy/route.h"

/* May this request be made at all? Host rule, Sec-Fetch-Site and Origin rules
 * (origin form only), unlisted = deny, our own Via (502 proxy_loop_detected).
 * False: `why`. `route` is what it would take. */
bool guard_request(const struct config *, const struct ingress *, const struct request *,
                   const struct route *, struct verdict *why) MUST_CHECK;

/* Is the Origin field one of trunkline's own or "*", which is not forwarded? */
bool guard_drops_origin(const struct config *, const struct ingress *, const struct field *origin);

/* May this address be dialled for an unlisted host? Loopback, private,
 * link-local, CGNAT, multicast, unspecified, and their IPv6 forms (mapped,
 * 6to4, NAT64 too) are not. */
bool guard_address(const struct sockaddr *);
