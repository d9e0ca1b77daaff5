#include "pools_fixture.h"

void pools_each(const struct pools *p, void (*visit)(void *, const struct pool *), void *context)
{
    for (size_t i = 0; i < p->count; i++)
        visit(context, &p->at[i]);
}

void pool_describe(const struct pool *p, struct pool_view *view)
{
    *view = p->view;
}

const struct recent *pool_recent(const struct pool *p)
{
    return p->view.recent;
}

/* A snapshot consists of the pools themselves. */
static struct pools_snapshot *snapshot_of(const struct pools *p)
{
    return (struct pools_snapshot *)(uintptr_t)p;
}

static const struct pools *pools_of(const struct pools_snapshot *s)
{
    return (const void *)s;
}

struct pools_snapshot *pools_snapshot_all(const struct pools *p)
{
    return snapshot_of(p);
}

struct pools_snapshot *pools_snapshot_named(const struct pools *p)
{
    return snapshot_of(p);
}

bool pools_snapshot_gather(struct pools_snapshot *s)
{
    (void)s;
    return false;
}

size_t pools_snapshot_count(const struct pools_snapshot *s)
{
    return pools_of(s)->count;
}

void pools_snapshot_view(const struct pools_snapshot *s, size_t at, struct pool_view *view)
{
    *view = pools_of(s)->at[at].view;
}

void pools_snapshot_lines(const struct pools_snapshot *s, size_t at, line_visit *visit,
                          void *context)
{
    (void)s;
    (void)at;
    (void)visit;
    (void)context;
}

void pools_snapshot_free(struct pools_snapshot *s)
{
    (void)s;
}
