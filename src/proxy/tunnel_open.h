/* Opens the tunnel of a CONNECT (RFC 9110 9.3.6): dials the origin, then hands the tunnel
 * to its owner, so that a failure to connect is answered with a 5xx. Where idle connections
 * show that the origin can be reached, and plain HTTP may come inside, it answers at once,
 * and the tunnel dials when TLS comes. An exchange that ends by on_switch or by on_failed.
 * Owned by whoever opened it until then; it frees itself. States: dialling (or about to
 * answer), ended. */
#pragma once

#include "http/exchange.h"
#include "http/origin.h"
#include "upstream/pool.h"

/* What is borrowed outlives it. */
struct tunnel_open_order {
    struct loop *loop;
    struct pool *pool;
    const struct origin *authority; /* what CONNECT named */
    const struct request_id *id;
    uint64_t total_ms;       /* from now until the answer; 0: no limit */
    struct freezes *freezes; /* which may stop it; NULL: none do */
    struct span bot_said;    /* as the client names itself */
};
struct exchange *tunnel_open(const struct tunnel_open_order *, const struct exchange_events *,
                             void *owner);

/* What the client's connection switches to, with that tunnel (NULL: nothing was dialled);
 * on the ports where HTTP may come inside it is to look first. And the 200 itself. */
struct switched tunnel_open_switched(const struct origin *authority, struct tunnel *);
extern const struct response tunnel_open_answer;
