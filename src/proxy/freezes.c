#include "proxy/freezes.h"

#include <string.h>

struct record {
    struct freeze freeze; /* its texts are owned */
    struct link link;
};

struct freezes {
    struct loop *loop;
    struct list records;
    struct list waiting; /* entries */
    void (*on_change)(void *owner);
    void *owner;
};

/* ---------------------------------------------------------------------- records */

static const struct freeze *freeze_of(const struct link *l)
{
    return &container_of((struct link *)(uintptr_t)l, struct record, link)->freeze;
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static char *copy(const char *text)
{
    return text ? must_strdup(text) : NULL;
}

static struct record *find(const struct freezes *f, const char *upstream, const char *bot)
{
    LIST_FOR (&f->records, r, struct record, link)
        if (same(r->freeze.upstream, upstream) && same(r->freeze.bot, bot))
            return r;
    return NULL;
}

static bool add(struct freezes *f, const struct freeze *from)
{
    if (f->records.count == FREEZES_MAX)
        return false;
    struct record *r = NEW(struct record);
    r->freeze = (struct freeze){.upstream = copy(from->upstream),
                                .bot = copy(from->bot),
                                .by = must_strdup(from->by),
                                .since_ms = from->since_ms,
                                .lifted = from->lifted};
    list_push_back(&f->records, &r->link);
    return true;
}

static void drop(struct record *r)
{
    list_remove(&r->link);
    free((char *)r->freeze.upstream);
    free((char *)r->freeze.bot);
    free((char *)r->freeze.by);
    free(r);
}

struct freezes *freezes_new(struct loop *loop)
{
    struct freezes *f = NEW(struct freezes);
    f->loop = loop;
    list_init(&f->records);
    list_init(&f->waiting);
    return f;
}

void freezes_free(struct freezes *f)
{
    CHECK(f->waiting.count == 0);
    LIST_FOR (&f->records, r, struct record, link)
        drop(r);
    free(f);
}

void freezes_watch(struct freezes *f, void (*on_change)(void *owner), void *owner)
{
    f->on_change = on_change;
    f->owner = owner;
}

static void changed(struct freezes *f)
{
    if (f->on_change)
        f->on_change(f->owner);
}

/* --------------------------------------------------------------------- what waits */

void freezes_enter(struct freezes *f, struct freezes_entry *e)
{
    list_push_back(&f->waiting, &e->link);
}

void freezes_leave(struct freezes_entry *e)
{
    list_remove(&e->link);
}

/* Those that leave, and those that enter meanwhile, change the list: each entry of now is told
 * once. */
static void tell(struct freezes *f)
{
    struct list now;
    struct link *l;
    list_init(&now);
    while ((l = list_first(&f->waiting))) {
        list_remove(l);
        list_push_back(&now, l);
    }
    while ((l = list_first(&now))) {
        struct freezes_entry *e = container_of(l, struct freezes_entry, link);
        list_remove(l);
        list_push_back(&f->waiting, l);
        e->on_freeze(e->owner);
    }
}

/* ------------------------------------------------------------------- begin and end */

static int64_t now_ms(const struct freezes *f)
{
    struct timespec now = loop_wall(f->loop);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* True: one of them was a freeze. */
static bool drop_of_bot(struct freezes *f, const char *bot, bool exceptions_only)
{
    bool any = false;
    LIST_FOR (&f->records, r, struct record, link) {
        if (!same(r->freeze.bot, bot) || (exceptions_only && !r->freeze.lifted))
            continue;
        any |= !r->freeze.lifted;
        drop(r);
    }
    return any;
}

bool freezes_begin(struct freezes *f, const char *upstream, const char *bot, const char *by)
{
    if (upstream == NULL)
        drop_of_bot(f, bot, true);
    struct record *r = find(f, upstream, bot);
    if (r && r->freeze.lifted) {
        drop(r);
        r = NULL;
    }
    if (r == NULL && !add(f, &(struct freeze){upstream, bot, by, now_ms(f), false}))
        return false;
    tell(f);
    changed(f);
    return true;
}

static bool lift_all(struct freezes *f, const char *bot)
{
    bool any = drop_of_bot(f, bot, false);
    if (any)
        changed(f);
    return any;
}

bool freezes_lift(struct freezes *f, const char *upstream, const char *bot)
{
    if (upstream == NULL)
        return lift_all(f, bot);
    struct record *r = find(f, upstream, bot), *all = find(f, NULL, bot);
    if (r ? r->freeze.lifted : all == NULL)
        return false;
    if (r)
        drop(r);
    if (all) {
        struct freeze exception = all->freeze;
        exception.upstream = upstream;
        exception.lifted = true;
        if (!add(f, &exception))
            return false;
    }
    changed(f);
    return true;
}

void freezes_restore(struct freezes *f, const struct freeze *from)
{
    if (find(f, from->upstream, from->bot) == NULL)
        (void)add(f, from);
}

/* ------------------------------------------------------------------------ looking */

static bool is_bot(const struct freeze *z, struct span bot)
{
    return z->bot == NULL || span_is(span_of(z->bot), bot);
}

/* Does it hold for this upstream? A freeze of all does not where there is an exception. */
static bool holds_for(const struct freezes *f, const struct freeze *z, const char *upstream)
{
    if (z->lifted)
        return false;
    return z->upstream ? same(z->upstream, upstream) : find(f, upstream, z->bot) == NULL;
}

const struct freeze *freezes_find(const struct freezes *f, const char *upstream, struct span bot)
{
    for (const struct link *l = list_first(&f->records); l; l = list_next(l))
        if (is_bot(freeze_of(l), bot) && holds_for(f, freeze_of(l), upstream))
            return freeze_of(l);
    return NULL;
}

void freezes_each(const struct freezes *f, freezes_visit *visit, void *context)
{
    for (const struct link *l = list_first(&f->records); l; l = list_next(l))
        visit(context, freeze_of(l));
}

/* Was a freeze of the same bot visited before this one? */
static bool is_repeated(const struct freezes *f, const struct link *at)
{
    for (const struct link *l = list_first(&f->records); l != at; l = list_next(l))
        if (!freeze_of(l)->lifted && same(freeze_of(l)->bot, freeze_of(at)->bot))
            return true;
    return false;
}

void freezes_each_bot(const struct freezes *f, const char *upstream, freezes_visit *visit,
                      void *context)
{
    for (const struct link *l = list_first(&f->records); l; l = list_next(l)) {
        const struct freeze *z = freeze_of(l);
        if (z->bot && (upstream ? holds_for(f, z, upstream) : !z->lifted && !is_repeated(f, l)))
            visit(context, z);
    }
}

struct verdict freezes_verdict(void)
{
    return verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "frozen");
}
