/* What waits at a gate. It waits, is about to be told of its end, or neither. */
#pragma once

#include "base/failure.h"
#include "net/loop.h"

struct gate;
struct bot_share;

/* Embedded in its owner, which zeroes it at first and sets the fields above the line; the fields below it
 * belong to the gate. */
struct gate_waiter {
    bool is_order;       /* POST, PUT, PATCH, DELETE: goes before other requests */
    bool is_private;     /* carries a credential */
    bool places;         /* is an order that places: order_rate of its bot applies */
    uint64_t credential; /* its identity (credential.h); 0: none */
    const char *bot;     /* its name, which lasts as long as the daemon; NULL: none */
    bool yields; /* there is another response to give: refuse it at once instead of holding it */
    void *owner;
    void (*on_pass)(void *owner);                            /* the request may be sent now */
    void (*on_refused)(void *owner, const struct verdict *); /* 429, sent = no */
    /* There may be another gate to go to: told instead of waiting for the end of a hold that began
     * (only if `moves`), or after gate_recall(). It waits here no longer. */
    void (*on_moved)(void *owner);
    bool moves;
    /* ---- */
    struct gate *gate;
    struct bot_share *share; /* of its bot; NULL: there are no bot blocks */
    bool is_paced;           /* it waits for its bot's order_rate, or was refused because of it */
    bool is_moved, has_waited;
    struct link link;
    uint64_t number; /* in order of arrival; kept when it comes to the same gate again */
    struct deadline deadline;
    struct task refusal;
    struct verdict why;
};

/* The first of a list of waiters; NULL: it is empty. */
static inline struct gate_waiter *gate_waiter_first(const struct list *list)
{
    return LIST_ENTRY(list_first(list), struct gate_waiter, link);
}
