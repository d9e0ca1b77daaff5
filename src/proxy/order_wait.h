/* What waits for a line of an order: the order, to leave, or its answer, to end. Embedded in the entry
 * of the order, on a list of its journal while it is on; it is on, or off (zeros). */
#pragma once

#include "base/failure.h"
#include "base/list.h"

/* NULL: the order may leave; else why it is refused. */
typedef void order_begun(void *owner, const struct verdict *why);
typedef void order_ended(void *owner);

struct order_wait {
    struct link link;
    order_begun *on_begun; /* one of the two is set while it is on */
    order_ended *on_ended;
    void *owner;
};

void order_wait_begin(struct order_wait *, struct list *, order_begun *, order_ended *,
                      void *owner);
bool order_wait_is_on(const struct order_wait *);
void order_wait_stop(struct order_wait *);

/* Stops it and calls what waits, if it waits for that. */
void order_wait_begun(struct order_wait *, const struct verdict *why);
void order_wait_ended(struct order_wait *);
