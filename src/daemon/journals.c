#include "daemon/journals.h"

#include <string.h>

static struct order_journal_rules rules_of(const struct config *c)
{
    return (struct order_journal_rules){c->order_journal_required, c->order_journal_sync};
}

void journals_init(struct journals *j, struct loop *loop, struct proxy *proxy, const char *life)
{
    *j = (struct journals){.loop = loop, .proxy = proxy, .life = life};
    list_init(&j->leaving);
}

bool journals_open(struct journals *j, const struct config *c, struct text *errors)
{
    char error[300];
    const char *path = c->order_journal;
    j->next = NULL;
    if (strcmp(path, "off") == 0)
        return true;
    if (j->now && strcmp(order_journal_path(j->now), path) == 0)
        j->next = j->now;
    else
        j->next = order_journal_new(j->loop, path, j->life, rules_of(c), error, sizeof error);
    if (j->next == NULL)
        text_printf(errors, "%s:%d: order_journal = %s: %s\n", c->path, c->order_journal_line, path,
                    error);
    return j->next != NULL;
}

void journals_use(struct journals *j, const struct config *c)
{
    if (j->now && j->now != j->next)
        order_journal_leave(j->now, &j->leaving);
    j->now = j->next;
    j->next = NULL;
    if (j->now)
        order_journal_configure(j->now, rules_of(c));
    proxy_journal(j->proxy, j->now);
}

void journals_drop(struct journals *j)
{
    if (j->next && j->next != j->now)
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
