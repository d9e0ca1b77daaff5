/* The way that a fetch waits on, or is tried on: chosen anew each time it comes to the gate, and
 * once more when there is no line that way. Embedded in its fetch; the way itself is in the
 * fetch's order. It has a way, or none yet. */
#pragma once

#include "cache/origin_fetch.h"

struct way_taken {
    uint64_t bit, tried; /* of that way; of those without a line: see struct ways_wish */
};

/* Chooses. False: all that the request may take have been tried, and the old one is kept. Sets
 * whether the gate's waiter moves. */
bool way_taken_choose(struct way_taken *, struct fetch_order *, struct gate_waiter *);

/* There is no line that way: chooses another. False: there is none. */
bool way_taken_next(struct way_taken *, struct fetch_order *, struct gate_waiter *) MUST_CHECK;

/* Must the request wait elsewhere, or longer, than where it does? */
bool way_taken_is_shut(const struct fetch_order *, const struct gate_waiter *);

/* The fetch is over. */
void way_taken_leave(struct fetch_order *);
