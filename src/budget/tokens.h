/* Where a gate's tokens come from: a bucket of its own or, if there is a store, its budget that is
 * shared with other trunklines. Embedded in its gate; whether they are shared is up to the store. */
#pragma once

#include "base/bucket.h"
#include "budget/shared_budget.h"

struct tokens {
    struct bucket bucket;
    struct shared_budget *shared; /* NULL: never */
};

/* Takes one; an order may take one on credit. */
bool tokens_take(struct tokens *, bool is_order, uint64_t now_ms) MUST_CHECK;

/* The earliest time at which the n-th token from now can be taken, none before `from_ms`. */
uint64_t tokens_when(const struct tokens *, uint64_t from_ms, uint64_t n, bool is_order);

/* When to try to take the next one. */
uint64_t tokens_wake(const struct tokens *, uint64_t from_ms, bool is_order);

/* How many there are now; only with a rate. */
uint64_t tokens_count(const struct tokens *, uint64_t now_ms);

/* Does the store's answer, which is to come, decide whether there is one? */
bool tokens_are_asked_for(const struct tokens *);

/* A request came that may not take one now. */
void tokens_touch(struct tokens *);
