/* What other lives of the daemon have written to the journal that this one writes to: one order that
 * one of them has begun, or ended (contract 12, `dedupe`). Made by the thread that writes the journal
 * (order_writer.h), given to the loop among the outcomes of lines, and freed by what hears of it. A
 * plain value without states. */
#pragma once

#include "proxy/order_history.h"
#include "proxy/order_writing.h"

struct order_other {
    struct order_writing writing; /* its place among the outcomes */
    bool is_end;                  /* of one that began in an earlier read: `past` has no more */
    struct order_past past;       /* as far as it is known; its texts are in `texts` */
    char error[ORDER_ERROR_SIZE];
    char texts[];
};

struct order_other *order_other_of(struct order_writing *);
void order_other_free(struct order_other *);

/* Appends to `to` (of their writings' links), in the order of the file, what these lines tell of other
 * lives than `life`. The end of an order is merged with its begin if that is among them, a few
 * thousand lines before at most. */
void order_other_read(struct list *to, struct span lines, const char *life);
