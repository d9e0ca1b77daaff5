#include "proxy/proxy.h"

#include <string.h>

#include "base/log.h"
#include "cache/coalescer.h"
#include "config/dump.h"
#include "http/reply.h"
#include "proxy/dedupe.h"
#include "proxy/fetch.h"
#include "proxy/journaled.h"
#include "proxy/order_recall.h"
#include "proxy/order_rules.h"
#include "proxy/rewrite.h"
#include "proxy/tally.h"
#include "proxy/transaction.h"
#include "proxy/unknown_watch.h"

struct proxy {
    struct loop *loop;
    struct pools *pools;
    struct coalescer *coalescer;
    struct dedupe *dedupe;
    struct config *config;
    struct totals totals;
    struct freezes *freezes;
    struct unknown_watch *unknown;
    struct order_journal *journal; /* NULL: none */
    struct list followed;          /* transactions whose client has disconnected */
    record_listener *on_record;
    uint64_t record_least_us;
    void *context;
};

/* How the cache, which ranks below, has its requests sent to the origin. */
static const struct origin_fetch_ops origin_fetch = {
    .open = fetch_open, .drain = fetch_follow, .extend = fetch_extend, .late = fetch_late};

static bool is_frozen(const void *freezes, const char *upstream, int64_t *since_ms, const char **by)
{
    const struct freeze *f = freezes_find(freezes, upstream, SPAN(""));
    *since_ms = f ? f->since_ms : 0;
    *by = f ? f->by : "";
    return f != NULL;
}

struct proxy *proxy_new(struct loop *loop, struct pools *pools)
{
    struct proxy *p = NEW(struct proxy);
    p->loop = loop;
    p->pools = pools;
    p->coalescer = coalescer_new(loop, &origin_fetch);
    p->freezes = freezes_new(loop);
    p->unknown = unknown_watch_new(loop, p->freezes);
    pools_ask_frozen(pools, &(struct pool_freeze){is_frozen, p->freezes});
    p->dedupe = dedupe_new(loop);
    list_init(&p->followed);
    under_way_init(&p->totals.under_way, transaction_describe);
    recent_begin(&p->totals.unrouted, loop_clock_us(loop));
    return p;
}

void proxy_record(struct proxy *p, record_listener *on_record, uint64_t least_us, void *context)
{
    p->on_record = on_record;
    p->record_least_us = least_us;
    p->context = context;
}

/* Every record of an order of unknown fate comes here. */
static void on_record(void *context, const struct record *r)
{
    struct proxy *p = context;
    const struct upstream_config *u =
        r->upstream ? config_find(p->config, r->upstream, strlen(r->upstream)) : NULL;
    if (r->unknown && r->upstream)
        unknown_watch_note(p->unknown, r->upstream,
                           u ? &u->freeze_on_unknown : &p->config->defaults.freeze_on_unknown);
    if (p->on_record)
        p->on_record(p->context, r);
}

static void on_other(void *context, const struct order_other *o)
{
    struct proxy *p = context;
    order_recall_other(p->dedupe, p->loop, p->config, o);
}

void proxy_journal(struct proxy *p, struct order_journal *journal)
{
    p->journal = journal;
    if (journal)
        order_journal_listen(journal, on_other, p);
}

void proxy_settle(struct proxy *p, const struct verdict *why)
{
    for (struct link *k = list_first(&p->followed); k; k = list_next(k))
        exchange_refuse(transaction_of(k), why);
}

void proxy_stop(struct proxy *p)
{
    struct link *k;
    while ((k = list_first(&p->followed)))
        exchange_cancel(transaction_of(k));
    coalescer_stop(p->coalescer);
}

void proxy_free(struct proxy *p)
{
    CHECK(p->totals.under_way.all.count == 0);
    recent_free(&p->totals.unrouted);
    coalescer_free(p->coalescer);
    unknown_watch_free(p->unknown);
    freezes_free(p->freezes);
    dedupe_free(p->dedupe);
    config_unref(p->config);
    free(p);
}

/* The pools whose upstream has the settings it had. */
struct unchanged {
    const struct config *old, *new;
    bool defaults; /* those of unlisted hosts */
    uint64_t *ids;
    size_t count;
};

static bool is_unchanged(const struct unchanged *u, const struct pool_origin *o)
{
    if (!o->listed)
        return u->defaults;
    const struct upstream_config *old = config_find(u->old, o->name, strlen(o->name));
    const struct upstream_config *now = config_find(u->new, o->name, strlen(o->name));
    return old && now && config_same_settings(old, now);
}

static void note_unchanged(void *context, const struct pool *p)
{
    struct unchanged *u = context;
    if (!is_unchanged(u, pool_origin(p)))
        return;
    u->ids = must_realloc(u->ids, (u->count + 1) * sizeof *u->ids);
    u->ids[u->count++] = pool_id(p);
}

/* Responses that were stored under other settings are not served under the new ones. */
static void renew(struct proxy *p, const struct config *new)
{
    struct unchanged u = {.old = p->config, .new = new};
    u.defaults = config_same_settings(&u.old->defaults, &new->defaults);
    pools_each(p->pools, note_unchanged, &u);
    coalescer_renew(p->coalescer, u.ids, u.count);
    free(u.ids);
}

/* A bot with limits has an entry of its own, however many names there are. */
static void know_bots(struct proxy *p, const struct config *c)
{
    for (size_t i = 0; i < c->bot_count; i++)
        (void)bots_find(&p->totals.bots, span_of(c->bots[i].name));
}

/* Orders that are under way, or wait, and that began when `dedupe` was off. */
static void guard_open(struct proxy *p)
{
    for (struct link *k = list_first(&p->totals.under_way.all); k; k = list_next(k))
        transaction_guard(container_of(k, struct under_way_entry, all), p->config);
}

void proxy_configure(struct proxy *p, struct config *c)
{
    struct config *old = p->config;
    if (old)
        renew(p, c);
    coalescer_configure(p->coalescer, c->cache_size);
    know_bots(p, c);
    p->config = config_ref(c);
    config_unref(old);
    guard_open(p);
}

struct config *proxy_config(const struct proxy *p)
{
    return p->config;
}

void proxy_recall(struct proxy *p, const char *journal)
{
    size_t count = order_recall(p->dedupe, p->loop, p->config, journal);
    if (count)
        log_write(LOG_LEVEL_INFO, "order journal", "%zu orders are remembered (dedupe)", count);
}

struct store_counts proxy_stored(const struct proxy *p)
{
    return (struct store_counts){coalescer_entries(p->coalescer), coalescer_bytes(p->coalescer)};
}

const struct totals *proxy_totals(const struct proxy *p)
{
    return &p->totals;
}

size_t proxy_active(const struct proxy *p)
{
    return p->totals.under_way.requests.count;
}

struct freezes *proxy_freezes(struct proxy *p)
{
    return p->freezes;
}

struct under_way *proxy_under_way(struct proxy *p)
{
    return &p->totals.under_way;
}

static bool is_journaled(const struct proxy *p, const struct request *r, const struct route *route)
{
    const struct upstream_config *u = route->listed ? route->listed : &p->config->defaults;
    bool goes = route->kind == ROUTE_UPSTREAM && !route->answers_first && !r->upgrades;
    return goes && order_is_accounted(u, r->method, route->path);
}

static struct exchange *begin(struct proxy *p, const struct request *r, const struct ingress *in,
                              const struct route *route, const struct verdict *refusal,
                              const struct exchange_events *events, void *owner)
{
    struct transaction_order order = {
        .loop = p->loop,
        .pools = p->pools,
        .coalescer = p->coalescer,
        .dedupe = p->dedupe,
        .config = p->config,
        .totals = &p->totals,
        .followed = &p->followed,
        .freezes = p->freezes,
        .on_record = on_record,
        .record_least_us = p->on_record ? p->record_least_us : UINT64_MAX,
        .record_context = p,
        .request = r,
        .ingress = in,
        .route = route,
        .refusal = refusal,
    };
    if (p->journal && refusal == NULL && is_journaled(p, r, route))
        return journaled_open(p->journal, &order, events, owner);
    return transaction_open(&order, events, owner);
}

/* RFC 9110 9.3.8 and 7.6.2: the final recipient of a TRACE answers with what it received. */
static struct exchange *answer_here(struct proxy *p, const struct request *r,
                                    const struct ingress *in, const struct route *route,
                                    const struct exchange_events *events, void *owner)
{
    const struct upstream_config *u = route->listed ? route->listed : &p->config->defaults;
    struct rewrite rewrite = {p->config, u, in, r, route, false};
    struct response *head = arena_alloc(r->arena, sizeof *head);
    struct span body = SPAN("");
    *head = (struct response){.status = 200, .reason = SPAN("OK"), .framing = FRAMING_LENGTH};
    if (span_is(r->method, SPAN("TRACE"))) {
        body = rewrite_trace(&rewrite);
        fields_add(&head->fields, r->arena, SPAN("Content-Type"), SPAN("message/http"));
    }
    head->has_length = true;
    head->length = body.len;
    return reply_open(p->loop, head, body, events, owner);
}

struct exchange *proxy_open(struct proxy *p, const struct request *r, const struct ingress *in,
                            const struct route *route, const struct exchange_events *events,
                            void *owner)
{
    if (rewrite_ends_here(r))
        return answer_here(p, r, in, route, events, owner);
    return begin(p, r, in, route, NULL, events, owner);
}

struct exchange *proxy_refuse(struct proxy *p, const struct request *r, const struct ingress *in,
                              const struct route *route, const struct verdict *why,
                              const struct exchange_events *events, void *owner)
{
    return begin(p, r, in, route, why, events, owner);
}

void proxy_note_refusal(struct proxy *p, const struct request *r, const struct ingress *in,
                        const struct verdict *why)
{
    struct tally t;
    tally_begin(&t, p->loop, &p->totals, r, in->client);
    tally_fail(&t, why, false);
    if (p->on_record && t.record.total_us >= p->record_least_us)
        p->on_record(p->context, &t.record);
}

/* Most likely the client does not trust our CA: its user sees nothing but connection errors,
 * so the first one of each upstream is a warning. */
void proxy_note_unsecured(struct proxy *p, const struct ingress *in, const struct verdict *why)
{
    const struct upstream_config *u =
        config_find_origin(p->config, true, in->tunnel, strlen(in->tunnel), in->tunnel_port);
    struct pool *pool = u ? pools_find(p->pools, u, NULL) : NULL;
    bool first = pool && pool_stats(pool)->tls_failed++ == 0;
    recent_errors_add(&p->totals.recent_errors, u ? u->name : NULL, why, 0, loop_wall_s(p->loop));
    log_write(first ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, in->client, "no TLS for %s: %s%s",
              in->tunnel, why->detail, first ? " (does it trust ca_cert?)" : "");
}
