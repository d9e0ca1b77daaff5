/* What the answers to one request say of the exchange's budget, on its way to the gate:
 * the weight used at once, what holds requests (gate.h) when the beginning of the body was
 * looked at, since a time told there wins. Embedded in a fetch. Nothing to tell, or
 * something. */
#pragma once

#include "budget/gate.h"
#include "http/exchange.h"

struct limit {
    struct loop *loop;
    struct gate *gate;
    const struct upstream_config *settings;
    struct span target;      /* of the request; lives as long */
    struct gate_limit asked; /* and by whom; status 0: there is nothing to tell */
};

/* `whose` says is_private, credential and bot. */
void limit_init(struct limit *, struct loop *, struct gate *, const struct upstream_config *,
                struct span target, const struct gate_limit *whose);

/* The head of an answer. Returns by how much the weight used has grown with it. */
uint64_t limit_learn(struct limit *, const struct response *);

/* Tells the gate what there is to tell, once. `ban_until_ms` is the time in the body (of
 * the wall clock); 0: there is none. */
void limit_tell(struct limit *, int64_t ban_until_ms);
