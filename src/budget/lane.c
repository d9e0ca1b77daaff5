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

/* The last of a list that came before that number, NULL: none, and how many came behind it. Numbers
 * mostly grow, so that it is the last one. */
static struct link *last_before(const struct list *l, uint64_t number, size_t *behind)
{
    struct link *k = list_last(l);
    *behind = 0;
    while (k && LIST_ENTRY(k, struct gate_waiter, link)->number > number) {
        k = list_prev(k);
        ++*behind;
    }
    return k;
}

size_t lane_ready_before(const struct lane *l, uint64_t number)
{
    size_t behind;
    (void)last_before(&l->ready, number, &behind);
    return l->ready.count - behind;
}

void lane_insert(struct list *l, struct gate_waiter *w)
{
    size_t behind;
    list_insert_behind(l, last_before(l, w->number, &behind), &w->link);
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
