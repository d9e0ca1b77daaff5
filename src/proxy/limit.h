/* What the responses to one request say about the origin's rate limits, on its way to the
 * gate: the weight that is used up is passed on at once; what holds requests back (see
 * gate.h) once the beginning of the body has been looked at, since a time given there takes
 * precedence. A value embedded in its attempt. It has something to tell, or nothing. */
#pragma once

#include "budget/gate.h"
#include "http/exchange.h"

struct limit {
    struct loop *loop;
    struct gate *gate; /* of the try that is under way, set by its owner */
    const struct upstream_config *settings;
    struct span target;      /* of the request; borrowed */
    struct gate_limit asked; /* what to tell, and whose request it was; status 0: nothing */
};

/* `whose` gives is_private, credential and bot. */
void limit_init(struct limit *, struct loop *, const struct upstream_config *, struct span target,
                const struct gate_limit *whose);

/* The head of a response came. Returns by how much the weight used has grown with it. */
uint64_t limit_learn(struct limit *, const struct response *);

/* Tells the gate what there is to tell, once. `ban_until_ms` is the time given in the body
 * (wall clock, ms since 1970); 0: none. */
void limit_tell(struct limit *, int64_t ban_until_ms);
