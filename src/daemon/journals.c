#include "daemon/journals.h"

#include <string.h>

static struct order_journal_rules rules_of(const struct config *c)
{
    return (struct order_journal_rules){.required = c->order_journal_required,
                                        .sync = c->order_journal_sync,
                                        .nowait = c->order_journal_nowait};
}

void journals_init(struct journals *j, struct loop *loop, struct proxy *proxy, const char *life)
{
    *j = (struct journals){.loop = loop, .proxy = proxy, .life = life};
    list_init(&j->leaving);
}

static bool is_leaving(const struct journals *j, const struct order_journal *which)
{
    for (struct link *k = list_first(&j->leaving); k; k = list_next(k))
        if (order_journal_of(k) == which)
            return true;
    return false;
}

/* One in which orders are still to end has the lock of this life on its file, so that a second one
 * could not be opened. */
static struct order_journal *find_leaving(struct journals *j, const char *path)
{
    for (struct link *k = list_first(&j->leaving); k; k = list_next(k)) {
        struct order_journal *of = order_journal_of(k);
        if (strcmp(order_journal_path(of), path) == 0 && order_journal_is_at_path(of))
            return of;
    }
    return NULL;
}

static struct order_journal *open_next(struct journals *j, const struct config *c, char *error,
                                       size_t size)
{
    const char *path = c->order_journal;
    if (j->now && strcmp(order_journal_path(j->now), path) == 0)
        return j->now;
    struct order_journal *back = find_leaving(j, path);
    if (back)
        return order_journal_take_back(back, error, size) ? back : NULL;
    return order_journal_new(j->loop, path, j->life, rules_of(c), error, size);
}

bool journals_open(struct journals *j, const struct config *c, struct text *errors)
{
    char error[300];
    const char *path = c->order_journal;
    j->next = NULL;
    if (strcmp(path, "off") == 0)
        return true;
    j->next = open_next(j, c, error, sizeof error);
    if (j->next == NULL)
        text_printf(errors, "%s:%d: order_journal = %s: %s\n", c->path, c->order_journal_line, path,
                    error);
    return j->next != NULL;
}

void journals_use(struct journals *j, const struct config *c)
{
    if (j->now && j->now != j->next)
        order_journal_leave(j->now, &j->leaving);
    if (j->next && is_leaving(j, j->next))
        order_journal_stay(j->next);
    j->now = j->next;
    j->next = NULL;
    if (j->now)
        order_journal_configure(j->now, rules_of(c));
    proxy_journal(j->proxy, j->now);
}

void journals_drop(struct journals *j)
{
    if (j->next && is_leaving(j, j->next))
        order_journal_give_up(j->next);
    else if (j->next && j->next != j->now)
        order_journal_leave(j->next, &j->leaving);
    j->next = NULL;
}

void journals_reopen(struct journals *j)
{
    if (j->now)
        order_journal_reopen(j->now);
}

void journals_give_up(struct journals *j)
{
    if (j->now)
        order_journal_give_up(j->now);
}

void journals_end(struct journals *j)
{
    if (j->now)
        order_journal_end(j->now);
    while (j->leaving.count)
        order_journal_end(order_journal_of(list_first(&j->leaving)));
}
