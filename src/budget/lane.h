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

/* Moves all its waiters to another list, in order of arrival. */
void lane_gather(struct lane *, struct list *all);
