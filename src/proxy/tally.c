#include "proxy/tally.h"

#include "proxy/order_rules.h"

static void count_cache(struct upstream_stats *s, enum cache_result result)
{
    s->cache_hits += result == CACHE_HIT;
    s->cache_misses += result == CACHE_MISS;
    s->cache_stale += result == CACHE_STALE;
    s->cache_collapsed += result == CACHE_COLLAPSED;
}

/* Where its end is counted as recent. */
static struct recent *recent(const struct tally *t)
{
    return t->stats ? &t->stats->recent : &t->totals->unrouted;
}

static uint64_t ended_us(const struct tally *t)
{
    return t->began_us + t->record.total_us;
}

static void end(struct tally *t)
{
    if (t->stats)
        count_cache(t->stats, t->record.cache.result);
    t->ended = true;
    under_way_leave(&t->totals->under_way, &t->under_way);
    t->record.total_us = loop_event_us(t->loop) - t->began_us;
}

/* Ends it as a request. A CONNECT whose tunnel was opened is not one. */
static void end_request(struct tally *t)
{
    end(t);
    if (t->bot)
        t->bot->weight += t->record.timing.weight;
    recent_ended(recent(t), ended_us(t));
    if (t->record.cache.result == CACHE_STALE)
        recent_stale(recent(t), ended_us(t));
    if (t->stats == NULL)
        return;
    t->stats->duplicates += t->record.duplicate;
    t->stats->ended[t->record.status < 600 ? t->record.status / 100 : 5]++;
}

static void count_status(struct tally *t, unsigned status)
{
    if (t->stats && status >= 100 && status < 600)
        t->stats->status[status / 100 - 1]++;
}

static void count_failed(struct tally *t)
{
    t->totals->failed++;
    if (t->bot)
        t->bot->failed++;
    if (t->stats)
        t->stats->failed++;
    recent_failed(recent(t), ended_us(t));
}

/* A copy of an order is counted with the order. */
static void count_unknown(struct tally *t)
{
    if (t->stats == NULL || t->record.duplicate || t->record.sent == SENT_NO ||
        !order_is_accounted(t->settings, t->record.method, t->path))
        return;
    t->record.unknown = true;
    t->stats->unknown++;
    recent_unknown(recent(t), ended_us(t));
}

/* Does the origin's own response leave it open whether the order was carried out? Binance
 * documents that a 5xx does, and on its futures API a 408. */
static bool leaves_open(const struct record *r)
{
    return (r->status >= 500 || r->status == 408) && !r->timing.known_refusal;
}

void tally_begin(struct tally *t, struct loop *loop, struct totals *totals, const struct request *r,
                 const char *client)
{
    *t = (struct tally){.loop = loop, .totals = totals, .began_us = loop_event_us(loop)};
    t->is_connect = span_is(r->method, SPAN("CONNECT"));
    under_way_enter(&totals->under_way, &t->under_way, !t->is_connect);
    t->record.client = client;
    t->record.id = &r->id;
    t->record.method = r->method;
    const struct field *name = fields_find(&r->fields, SPAN("Trunkline-Client"));
    if (name == NULL)
        return;
    t->record.bot_said = name->value;
    if (t->is_connect)
        return;
    t->bot = bots_find(&totals->bots, name->value);
    t->bot->requests++;
    t->record.bot = t->bot->name;
}

void tally_upstream(struct tally *t, struct upstream_stats *stats, const char *name,
                    const struct upstream_config *settings, struct span path)
{
    t->stats = stats;
    t->settings = settings;
    t->path = path;
    t->record.upstream = name;
}

void tally_interim(struct tally *t)
{
    count_status(t, 100);
}

void tally_head(struct tally *t, unsigned status)
{
    t->record.status = status;
    t->record.sent = t->record.cache.result == CACHE_NONE ? SENT_YES : t->record.cache.sent;
    count_status(t, status);
}

void tally_succeed(struct tally *t)
{
    if (t->ended)
        return;
    end_request(t);
    histogram_add(&t->stats->total, t->record.total_us);
    recent_answered(&t->stats->recent, ended_us(t), t->record.total_us);
    if (t->record.status >= 500 || t->record.timing.refused) {
        recent_errors_add_status(&t->totals->recent_errors, t->record.upstream, t->record.status,
                                 loop_wall_s(t->loop));
        count_failed(t);
    } else {
        t->totals->succeeded++;
        t->stats->succeeded++;
    }
    if (leaves_open(&t->record))
        count_unknown(t);
}

void tally_switch(struct tally *t, unsigned status)
{
    if (t->is_connect) {
        end(t);
        t->record.status = status;
        return;
    }
    tally_head(t, status);
    tally_succeed(t);
}

void tally_fail(struct tally *t, const struct verdict *v, bool answered)
{
    if (t->ended)
        return;
    if (!answered) {
        t->record.status = (unsigned)verdict_status(v);
        count_status(t, t->record.status);
    }
    end_request(t);
    t->record.error = v->error;
    t->record.sent = v->sent;
    count_failed(t);
    count_unknown(t);
    recent_errors_add(&t->totals->recent_errors, t->record.upstream, v, t->record.status,
                      loop_wall_s(t->loop));
    if (t->stats)
        t->stats->errors[v->error]++;
}

void tally_leave(struct tally *t, enum sent sent)
{
    if (t->ended)
        return;
    end_request(t);
    t->record.sent = sent;
    if (sent != SENT_NO) {
        count_failed(t);
        if (t->record.status == 0 || leaves_open(&t->record))
            count_unknown(t);
        return;
    }
    t->totals->abandoned++;
    if (t->stats)
        t->stats->abandoned++;
}

void tally_tell(struct tally *t, record_listener *on_record, void *context, struct span target)
{
    t->record.target = target;
    on_record(context, &t->record);
    t->record.target = (struct span){0};
}
