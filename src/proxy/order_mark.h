/* A line of an order journal that is no order's: that a life of the daemon begins, or, without text,
 * that another file does. Owned by its journal; it is being written, or kept until it can be. */
#pragma once

#include "proxy/order_writer.h"

struct order_mark {
    struct order_writing writing;
    void *owner;
};

/* `done` is that of its writing. `switch_to`: see there. */
struct order_mark *order_mark_new(void (*done)(struct order_writing *), void *owner,
                                  struct order_file *switch_to);
struct order_mark *order_mark_of(struct order_writing *);
void order_mark_free(struct order_mark *);
