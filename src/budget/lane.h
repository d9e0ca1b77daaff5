/* The waiters of one kind at a gate, in order of arrival. Embedded in it. A waiter is ready (it waits
 * for a token, or for the end of a hold that applies to all requests) or held (it waits for the end
 * of a hold that applies only to some). */
#pragma once

#include "budget/gate_waiter.h"

struct lane {
    struct list ready, held;
};

void lane_init(struct lane *);
size_t lane_waiting(const struct lane *);

/* How many of its ready waiters came before that number. */
size_t lane_ready_before(const struct lane *, uint64_t number);

/* Puts it on one of the lane's two lists, at its place in the order of arrival: behind all others, but
 * for a request that passed before and waits again. */
void lane_insert(struct list *, struct gate_waiter *);

/* Moves all its waiters to another list, in order of arrival. */
void lane_gather(struct lane *, struct list *all);
