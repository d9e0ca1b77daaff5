#include "proxy/order_mark.h"

struct order_mark *order_mark_new(void (*done)(struct order_writing *), void *owner,
                                  struct order_file *switch_to)
{
    struct order_mark *m = NEW(struct order_mark);
    m->writing.done = done;
    m->writing.switch_to = switch_to;
    m->owner = owner;
    return m;
}

struct order_mark *order_mark_of(struct order_writing *w)
{
    return container_of(w, struct order_mark, writing);
}

void order_mark_free(struct order_mark *m)
{
    text_free(&m->writing.line);
    free(m);
}
