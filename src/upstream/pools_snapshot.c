#include "upstream/pools_snapshot.h"

#include "upstream/pool_sum.h"

struct stop {
    struct pool *pool;
    struct link held;
};

/* Pools that are shown alone are at the front of `stops`, those of the sum at its end. */
struct pools_snapshot {
    bool named;
    struct stop *stops;
    size_t room, told, first_of_rest,
        gathered; /* gathered: those from first_of_rest to this one are in the sum */
    struct pool_sum rest;
    const char *rest_name;
};

static void visit(void *context, struct pool *pool, enum pools_label label)
{
    struct pools_snapshot *w = context;
    bool is_told = label == POOLS_LABEL_OWN || (!w->named && label == POOLS_LABEL_SHARED);
    if (!is_told && !w->named)
        return;
    CHECK(w->told < w->first_of_rest);
    struct stop *s = &w->stops[is_told ? w->told++ : --w->first_of_rest];
    s->pool = pool;
    pool_hold(pool, &s->held);
}

static struct pools_snapshot *begin(const struct pools *pools, bool named)
{
    struct pools_snapshot *w = NEW(struct pools_snapshot);
    w->named = named;
    w->room = w->first_of_rest = pools_count(pools);
    w->stops = must_calloc(w->room + 1, sizeof *w->stops);
    pools_each_label(pools, visit, w);
    w->gathered = w->first_of_rest;
    return w;
}

struct pools_snapshot *pools_snapshot_all(const struct pools *pools)
{
    return begin(pools, false);
}

struct pools_snapshot *pools_snapshot_named(const struct pools *pools)
{
    struct pools_snapshot *w = begin(pools, true);
    const struct pool_sum *gone = pools_gone(pools);
    w->rest_name = pools_rest_name(pools);
    if (gone->count == 0)
        return w;
    struct pool_view view = pool_sum_view(gone, w->rest_name);
    pool_sum_add(&w->rest, &view);
    return w;
}

bool pools_snapshot_gather(struct pools_snapshot *w)
{
    struct pool_view view;
    if (w->gathered == w->room)
        return false;
    pool_describe(w->stops[w->gathered++].pool, &view);
    pool_sum_add(&w->rest, &view);
    return true;
}

size_t pools_snapshot_count(const struct pools_snapshot *w)
{
    return w->told + (w->rest.count > 0);
}

void pools_snapshot_view(const struct pools_snapshot *w, size_t at, struct pool_view *view)
{
    CHECK(at < pools_snapshot_count(w));
    if (at < w->told)
        pool_describe(w->stops[at].pool, view);
    else
        *view = pool_sum_view(&w->rest, w->rest_name);
}

void pools_snapshot_lines(const struct pools_snapshot *w, size_t at, line_visit *visit_line,
                          void *context)
{
    if (at < w->told)
        pool_each_line(w->stops[at].pool, visit_line, context);
}

void pools_snapshot_free(struct pools_snapshot *w)
{
    for (size_t i = 0; i < w->room; i++)
        if (w->stops[i].pool)
            pool_release(w->stops[i].pool, &w->stops[i].held);
    pool_sum_clear(&w->rest);
    free(w->stops);
    free(w);
}
