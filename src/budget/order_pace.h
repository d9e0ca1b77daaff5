/* Where orders wait for the order_rate of their bot, before they go to the gate's lanes, so that
 * they delay nothing else there. Embedded in its gate. An order waits on the list of its bot, first
 * in, first out; there are no other states. */
#pragma once

#include "budget/bot_shares.h"
#include "budget/gate_waiter.h"

struct order_pace {
    struct bot_shares *bots;
    struct loop *loop;
    struct deadline wake;                               /* when the next of them may go on */
    void (*on_turn)(void *owner, struct gate_waiter *); /* it may: it waits here no longer */
    void *owner;
};

void order_pace_init(struct order_pace *, struct loop *, struct bot_shares *,
                     void (*on_turn)(void *owner, struct gate_waiter *), void *owner);
void order_pace_end(struct order_pace *); /* none may be waiting */

/* True: it may go on at once. False: not before `at_ms`; then it may wait for its turn. */
bool order_pace_take(struct order_pace *, struct gate_waiter *, uint64_t *at_ms) MUST_CHECK;
void order_pace_wait(struct order_pace *, struct gate_waiter *);

/* Waiters have left, or the rates have changed. */
void order_pace_review(struct order_pace *);
