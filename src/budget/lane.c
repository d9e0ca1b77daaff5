#include "budget/lane.h"

void lane_init(struct lane *l)
{
    list_init(&l->ready);
    list_init(&l->held);
}

size_t lane_waiting(const struct lane *l)
{
    return l->ready.count + l->held.count;
}

void lane_gather(struct lane *l, struct list *all)
{
    struct gate_waiter *ready, *held;
    list_init(all);
    while ((void)(ready = gate_waiter_first(&l->ready)), (void)(held = gate_waiter_first(&l->held)),
           ready || held) {
        struct gate_waiter *w = !held || (ready && ready->number < held->number) ? ready : held;
        list_remove(&w->link);
        list_push_back(all, &w->link);
    }
}
