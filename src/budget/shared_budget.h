/* One upstream's budget as trunklines share it: where its gate gets tokens from, and by which holds
 * and weights go from one trunkline to the others. Owned by its gate. It is alone (there is no
 * store), away (the store cannot be asked: this daemon's share of the rate), or shared. */
#pragma once

#include "budget/budget_store.h"
#include "budget/limits.h"

struct shared_budget;

/* None of them but `waiting` comes from inside a call of the gate's. */
struct shared_budget_events {
    void (*on_tokens)(void *owner);                     /* more requests may pass than before */
    void (*on_limits)(void *owner, enum limits_change); /* as others told them */
    size_t (*waiting)(void *owner);                     /* requests that wait for a token */
};

/* `limits` are the gate's own, which what others told is added to, and which are told again to a
 * store that begins empty; `object` is the gate's in the log. */
struct shared_budget *shared_budget_new(struct budget_store *, struct limits *, const char *object,
                                        const struct shared_budget_events *, void *owner);
void shared_budget_free(struct shared_budget *);

/* The rate and the name under which it is shared (copied); `exit`: the way out, "" if there is
 * one. */
void shared_budget_configure(struct shared_budget *, const struct config_rate *, unsigned burst,
                             const char *key, const char *exit);

/* Is there a store? Without one, the gate's bucket is its own. */
bool shared_budget_is_on(const struct shared_budget *);

/* Takes a token; an order does so on credit if it has to. False: there is none yet, or the store is
 * being asked; on_tokens may come. */
bool shared_budget_take(struct shared_budget *, bool is_order) MUST_CHECK;

/* A request came that may not take a token now, such as a held one: the others may know better. */
void shared_budget_touch(struct shared_budget *);

/* The earliest time (loop time, ms) at which the n-th token from now can be taken, as far as is
 * known, if none is taken before `from_ms`. */
uint64_t shared_budget_when(struct shared_budget *, uint64_t from_ms, uint64_t n, bool is_order);

/* When to try again to take a token that shared_budget_when() expects at this time: not before the
 * answer that is to come, or the time at which it would be late. */
uint64_t shared_budget_wake(struct shared_budget *, uint64_t at_ms);

/* The tokens that are at hand now. */
uint64_t shared_budget_tokens(struct shared_budget *);

/* Is an answer to come that decides whether there is a token? */
bool shared_budget_is_asking(const struct shared_budget *);

/* To be told to the others: a hold that has begun; a weight; that an operator ended all holds. */
void shared_budget_hold(struct shared_budget *, const struct hold *);
void shared_budget_weigh(struct shared_budget *, int64_t weight);
void shared_budget_lift(struct shared_budget *);

struct shared_budget_view {
    const char *key;  /* NULL: it is not shared */
    const char *word; /* away, shared */
    uint64_t ahead;   /* tokens at hand */
    uint64_t credit;  /* tokens that orders used beyond, not told yet */
    unsigned daemons; /* trunklines that used this budget within 10 s, at the last answer; 0: not
                          known */
    uint64_t batches; /* asked for, since the start */
};
void shared_budget_describe(const struct shared_budget *, struct shared_budget_view *);
