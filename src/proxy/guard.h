/* Which requests are allowed, and which addresses may be reached (contract 3 and 11): against
 * DNS rebinding, web pages, forbidden addresses and loops. Pure functions. */
#pragma once

#include "proxy/route.h"

/* Is this request allowed? Checks the Host, Sec-Fetch-Site and Origin rules (in origin form
 * only), unlisted = deny, and our own Via (502 proxy_loop_detected). `route` is the one that
 * it would take. False: `why` says what it is refused with. */
bool guard_request(const struct config *, const struct ingress *, const struct request *,
                   const struct route *, struct verdict *why) MUST_CHECK;

/* Is this Origin field one of trunkline's own pages or "*", so that it is not forwarded? */
bool guard_drops_origin(const struct config *, const struct ingress *, const struct field *origin);

/* May this address be dialled for an unlisted host? Not if it is loopback, private,
 * link-local, CGNAT, multicast or unspecified, also in an IPv6 form (mapped, 6to4, NAT64). */
bool guard_address(const struct sockaddr *);
