#include "proxy/under_way.h"

void under_way_init(struct under_way *u, under_way_describer *describe)
{
    u->describe = describe;
    list_init(&u->all);
    list_init(&u->requests);
    list_init(&u->walks);
}

void under_way_enter(struct under_way *u, struct under_way_entry *e, bool is_request)
{
    list_push_back(&u->all, &e->all);
    if (is_request)
        list_push_back(&u->requests, &e->request);
}

/* A walk steps over the one that leaves; if that was its last, the one before is. */
static void step_over(struct under_way_walk *w, struct link *gone)
{
    bool was_last = w->last == gone;
    if (was_last)
        w->last = gone == w->next ? NULL : gone->prev;
    if (w->next == gone)
        w->next = was_last ? NULL : list_next(gone);
}

void under_way_leave(struct under_way *u, struct under_way_entry *e)
{
    if (e->all.on)
        LIST_FOR (&u->walks, w, struct under_way_walk, link)
            step_over(w, &e->all);
    list_remove(&e->all);
    list_remove(&e->request);
}

void under_way_walk_begin(struct under_way *u, struct under_way_walk *w)
{
    *w = (struct under_way_walk){.next = list_first(&u->all), .last = list_last(&u->all)};
    list_push_back(&u->walks, &w->link);
}

struct under_way_entry *under_way_next(struct under_way_walk *w)
{
    struct link *at = w->next;
    if (at)
        w->next = at == w->last ? NULL : list_next(at);
    return LIST_ENTRY(at, struct under_way_entry, all);
}

void under_way_walk_end(struct under_way_walk *w)
{
    list_remove(&w->link);
}
