/* The way of a CONNECT (RFC 9110 9.3.6): dials its origin, then hands a tunnel up,
 * so that a failure is an honest 5xx. Where idle lines vouch for the origin, and it
 * may yet be HTTP that comes, the tunnel dials once TLS does. An exchange that
 * answers by on_switch, or by on_failed. Owned by who opened it until then, frees
 * itself. Dialling, over. */
#pragma once

#include "http/exchange.h"
#include "http/origin.h"
#include "upstream/pool.h"

/* `pool` outlives it; `authority` is what CONNECT named, as long as the exchange.
 * `total_ms`: until the answer, from now; 0: no limit. */
struct exchange *tunnel_open(struct loop *, struct pool *, const struct origin *authority,
                             uint64_t total_ms, const struct exchange_events *, void *owner);

/* What the authority makes of the answer: `looks` on the ports where HTTP may come
 * inside; and the answer itself. */
struct switched tunnel_open_switched(const struct origin *authority, struct tunnel *);
extern const struct response tunnel_open_answer;
