#include "upstream/outlet.h"

#include "config/exits.h"

#define MAGIC 0x6f75746c

static void on_hold(void *owner)
{
    struct outlet *o = owner;
    MAGIC_CHECK(o, MAGIC);
    for (struct link *k = list_first(&o->ways); k; k = list_next(k))
        o->recall(k);
}

static void set_exit(struct outlet *o, const struct way_exit *exit)
{
    o->exit = exit->at;
    o->name = exit->name;
    gate_watch(o->gate, o->name, on_hold, o);
}

struct outlet *outlet_new(struct loop *loop, const struct upstream_config *settings,
                          const struct way_exit *exit, struct upstream_stats *pool_stats,
                          void (*recall)(struct link *way))
{
    struct outlet *o = NEW(struct outlet);
    MAGIC_INIT(o, MAGIC);
    o->gate = gate_new(loop, settings);
    o->hash = exit->at ? exits_hash(exit->at) : 0;
    o->stats = exit->at ? NEW(struct upstream_stats) : pool_stats;
    list_init(&o->ways);
    o->recall = recall;
    set_exit(o, exit);
    return o;
}

void outlet_configure(struct outlet *o, const struct upstream_config *settings,
                      const struct way_exit *exit)
{
    MAGIC_CHECK(o, MAGIC);
    set_exit(o, exit);
    gate_configure(o->gate, settings);
}

void outlet_end(struct outlet *o, struct config *snapshot)
{
    MAGIC_CHECK(o, MAGIC);
    CHECK(!o->leaving);
    o->leaving = true;
    o->snapshot = config_ref(snapshot);
}

void outlet_join(struct outlet *o, struct link *way)
{
    MAGIC_CHECK(o, MAGIC);
    list_push_back(&o->ways, way);
}

void outlet_leave(struct outlet *o, struct link *way)
{
    MAGIC_CHECK(o, MAGIC);
    list_remove(way);
    if (o->ways.count)
        return;
    gate_free(o->gate);
    config_unref(o->snapshot);
    if (o->exit) {
        stats_free(o->stats);
        free(o->stats);
    }
    o->magic = 0;
    free(o);
}
