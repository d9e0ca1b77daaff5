#include "proxy/order_wait.h"

void order_wait_begin(struct order_wait *w, struct list *all, order_begun *on_begun,
                      order_ended *on_ended, void *owner)
{
    w->on_begun = on_begun;
    w->on_ended = on_ended;
    w->owner = owner;
    list_push_back(all, &w->link);
}

bool order_wait_is_on(const struct order_wait *w)
{
    return w->on_begun || w->on_ended;
}

void order_wait_stop(struct order_wait *w)
{
    list_remove(&w->link);
    w->on_begun = NULL;
    w->on_ended = NULL;
}

void order_wait_begun(struct order_wait *w, const struct verdict *why)
{
    order_begun *on_begun = w->on_begun;
    if (on_begun == NULL)
        return;
    order_wait_stop(w);
    on_begun(w->owner, why);
}

void order_wait_ended(struct order_wait *w)
{
    order_ended *on_ended = w->on_ended;
    if (on_ended == NULL)
        return;
    order_wait_stop(w);
    on_ended(w->owner);
}
