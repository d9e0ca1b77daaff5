#include "proxy/fetch_order.h"

#include "proxy/api_key.h"
#include "proxy/order_rules.h"

/* The value of the header that serialize_by names; empty: it is not there, or not set. */
static struct span serialize_value(const struct rewrite *w)
{
    const char *name = w->settings->serialize_by;
    const struct field *f = name ? fields_find(&w->request->fields, span_of(name)) : NULL;
    return f ? f->value : (struct span){0};
}

static uint64_t credential(const struct rewrite *w)
{
    return w->is_private ? request_api_key(w->settings, &w->request->fields, w->route->path) : 0;
}

static struct conn_request conn_request_of(const struct rewrite *w)
{
    const struct request *r = w->request;
    return (struct conn_request){.method = r->method,
                                 .target = w->route->path,
                                 .fields = rewrite_request(w),
                                 .framing = r->framing,
                                 .length = r->length,
                                 .is_head = r->is_head,
                                 .upgrades = r->upgrades,
                                 .header_limit = w->config->max_header_size};
}

/* Only a bot's order_rate asks. */
static bool places(const struct rewrite *w)
{
    return w->config->bot_count &&
           order_class(w->settings, w->request->method, w->route->path) == ORDER_PLACES;
}

struct fetch_order fetch_order_of(const struct rewrite *w, struct loop *loop, struct pool *pool,
                                  struct freezes *freezes, struct record *record, uint64_t total_ms)
{
    const struct request *r = w->request;
    return (struct fetch_order){.loop = loop,
                                .pool = pool,
                                .settings = w->settings,
                                .timing = &record->timing,
                                .request = conn_request_of(w),
                                .is_safe = r->is_safe,
                                .is_order = r->is_order,
                                .places = r->is_order && places(w),
                                .is_private = w->is_private,
                                .credential = credential(w),
                                .id = r->id,
                                .freezes = freezes,
                                .bot_said = record->bot_said,
                                .bot = record->bot,
                                .serialize_value = serialize_value(w),
                                .total_ms = total_ms,
                                .client = record->client,
                                .entry = record->entry,
                                .arena = r->arena,
                                .order_ids = &record->order_ids,
                                .digest = &record->digest,
                                .invites = r->expects_continue};
}

void fetch_order_is_gated(const struct fetch_order *o, struct gate_waiter *w)
{
    w->is_order = o->is_order;
    w->is_private = o->is_private;
    w->places = o->places;
    w->credential = o->credential;
    w->bot = o->bot;
    w->yields = o->yields;
}

void fetch_order_waits(const struct fetch_order *o, struct pool_waiter *w)
{
    w->is_order = o->is_order || o->is_private;
    w->rides_alone = o->is_order;
    w->yields = o->yields;
    w->id = &o->id;
}
