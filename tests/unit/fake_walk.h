/* Walks over pools that a test made up, in place of pools_walk.c: of its `struct pools`
 * it tells all, by VIEW_AT(pools, i), which the test defines before it includes this once. */
#pragma once

#include "upstream/pools_walk.h"

static struct pools_walk *walk_of(const struct pools *p)
{
    return (struct pools_walk *)(uintptr_t)p;
}

struct pools_walk *pools_walk_all(const struct pools *p)
{
    return walk_of(p);
}

struct pools_walk *pools_walk_named(const struct pools *p)
{
    return walk_of(p);
}

bool pools_walk_gather(struct pools_walk *w)
{
    (void)w;
    return false;
}

size_t pools_walk_count(const struct pools_walk *w)
{
    return ((const struct pools *)(const void *)w)->count;
}

void pools_walk_view(const struct pools_walk *w, size_t at, struct pool_view *view)
{
    *view = VIEW_AT((const struct pools *)(const void *)w, at);
}

void pools_walk_free(struct pools_walk *w)
{
    (void)w;
}
