#include "upstream/stats.h"

void stats_free(struct upstream_stats *s)
{
#define PHASE(member, key, meaning) histogram_free(&s->member);
#include "upstream/stats.def"
    recent_free(&s->recent);
}

static void add_all(uint64_t *to, const uint64_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] += from[i];
}

void stats_add(struct upstream_stats *to, const struct upstream_stats *from)
{
#define COUNTER(member, path, metric, label, meaning) to->member += from->member;
#define PHASE(member, key, meaning) histogram_add_all(&to->member, &from->member);
#include "upstream/stats.def"
    add_all(to->closed, from->closed, COUNT_OF(to->closed));
    add_all(to->status, from->status, COUNT_OF(to->status));
    add_all(to->ended, from->ended, COUNT_OF(to->ended));
    add_all(to->errors, from->errors, COUNT_OF(to->errors));
}
