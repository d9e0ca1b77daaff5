/* An intrusive doubly linked list that knows its count. The list owns nothing; a link lives inside
 * its element, and is on one list or on none. The state of an object is often the list it is
 * on, so that totals are the counts of lists and are never kept a second time. */
#pragma once

#include "base/alloc.h"

struct list;

struct link {
    struct link *prev, *next;
    struct list *on; /* NULL: on no list */
};

struct list {
    struct link head;
    size_t count;
};

static inline void list_init(struct list *l)
{
    l->head.prev = l->head.next = &l->head;
    l->head.on = l;
    l->count = 0;
}

static inline void list_insert_(struct list *l, struct link *before, struct link *n)
{
    CHECK(n->on == NULL);
    n->next = before;
    n->prev = before->prev;
    before->prev->next = n;
    before->prev = n;
    n->on = l;
    l->count++;
}

static inline void list_push_back(struct list *l, struct link *n)
{
    list_insert_(l, &l->head, n);
}

static inline void list_push_front(struct list *l, struct link *n)
{
    list_insert_(l, l->head.next, n);
}

/* `at` is on the list; NULL: at its front. */
static inline void list_insert_behind(struct list *l, struct link *at, struct link *n)
{
    list_insert_(l, at ? at->next : l->head.next, n);
}

/* Removes `n` from the list that it is on, if any. */
static inline void list_remove(struct link *n)
{
    if (n->on == NULL)
        return;
    n->prev->next = n->next;
    n->next->prev = n->prev;
    n->on->count--;
    n->on = NULL;
}

/* Moves all elements of `from` behind those of `to`; `from` is empty then. */
static inline void list_append(struct list *to, struct list *from)
{
    if (from->count == 0)
        return;
    for (struct link *n = from->head.next; n != &from->head; n = n->next)
        n->on = to;
    from->head.next->prev = to->head.prev;
    to->head.prev->next = from->head.next;
    from->head.prev->next = &to->head;
    to->head.prev = from->head.prev;
    to->count += from->count;
    list_init(from);
}

/* First, last and neighbours: NULL at the end of the list. */
static inline struct link *list_first(const struct list *l)
{
    return l->count ? l->head.next : NULL;
}

static inline struct link *list_last(const struct list *l)
{
    return l->count ? l->head.prev : NULL;
}

static inline struct link *list_next(const struct link *n)
{
    return n->next == &n->on->head ? NULL : n->next;
}

static inline struct link *list_prev(const struct link *n)
{
    return n->prev == &n->on->head ? NULL : n->prev;
}

/* Walks the list; the current element may be removed inside the loop. */
#define LIST_FOR(list, it, type, member)                                                           \
    for (struct link *it##_l = (list)->head.next, *it##_n = it##_l->next; it##_l != &(list)->head; \
         it##_l = it##_n, it##_n = it##_l->next)                                                   \
        for (type *it = container_of(it##_l, type, member); it != NULL; it = NULL)

#define LIST_ENTRY(link, type, member) ((link) ? container_of(link, type, member) : NULL)
