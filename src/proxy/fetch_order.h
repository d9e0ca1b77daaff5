/* What a fetch is asked to do for one request: the request as it is sent to the origin, what
 * the gate, the pool and the serializer need to know of it, and its time. A pure function;
 * the result borrows from its arguments. */
#pragma once

#include "cache/origin_fetch.h"
#include "proxy/record.h"
#include "proxy/rewrite.h"

/* `rewrite` is that of the request; `freezes` may stop it (NULL: never). The fetch fills the record's timing, and takes
 * the bot's name from it. `total_ms`: until the head of the response; 0: no limit. */
struct fetch_order fetch_order_of(const struct rewrite *rewrite, struct loop *, struct pool *,
                                  struct freezes *, struct record *, uint64_t total_ms);

/* What the gate, and the pool, need to know of it; the rest is for the waiter's owner to set. The
 * order must live as long as the waiter. */
void fetch_order_is_gated(const struct fetch_order *, struct gate_waiter *);
void fetch_order_waits(const struct fetch_order *, struct pool_waiter *);
