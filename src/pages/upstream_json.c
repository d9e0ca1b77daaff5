#include "pages/upstream_json.h"

static json_t *count_json(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *ms_json(uint64_t us)
{
    return json_real((double)us / 1000);
}

static void set(json_t *object, const char *key, json_t *value)
{
    CHECK(json_object_set_new(object, key, value) == 0);
}

static json_t *rate_json(uint64_t succeeded, uint64_t failed)
{
    if (succeeded + failed == 0)
        return json_null();
    return json_real((double)succeeded / (double)(succeeded + failed));
}

json_t *requests_json(uint64_t active, uint64_t succeeded, uint64_t failed, uint64_t abandoned)
{
    json_t *o = json_object();
    set(o, "active", count_json(active));
    set(o, "total", count_json(active + succeeded + failed + abandoned));
    set(o, "succeeded", count_json(succeeded));
    set(o, "failed", count_json(failed));
    set(o, "success_rate", rate_json(succeeded, failed));
    return o;
}

/* Puts a counter at its dotted path of two keys; a key already there keeps its
 * place. */
static void set_path(json_t *upstream, const char *path, uint64_t n)
{
    struct span whole = span_of(path);
    size_t dot = span_find(whole, '.');
    char outer[32];
    CHECK(dot < whole.len && dot < sizeof outer);
    memcpy(outer, path, dot);
    outer[dot] = '\0';
    json_t *object = json_object_get(upstream, outer);
    CHECK(object != NULL);
    set(object, path + dot + 1, count_json(n));
}

static void set_counters(json_t *upstream, const struct upstream_stats *s)
{
#define COUNTER(member, path, metric, label, meaning) set_path(upstream, path, s->member);
#include "upstream/stats.def"
}

static json_t *connections_json(const struct pool_view *v)
{
    json_t *o = json_object();
    set(o, "open", count_json(v->idle + v->active + v->connecting));
    set(o, "idle", count_json(v->idle));
    set(o, "active", count_json(v->active));
    set(o, "connecting", count_json(v->connecting));
    set(o, "max", count_json(v->max_connections));
    set(o, "streams", count_json(v->stats->traffic.streams));
    set(o, "streams_peak", count_json(v->stats->traffic.streams_peak));
    return o;
}

static json_t *closed_json(const struct upstream_stats *s)
{
    json_t *o = json_object();
    for (int reason = 0; reason < CLOSE_REASON_COUNT; reason++)
        set(o, close_reason_name((enum close_reason)reason), count_json(s->closed[reason]));
    return o;
}

static json_t *status_json(const struct upstream_stats *s)
{
    static const char *const classes[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    json_t *o = json_object();
    for (size_t i = 0; i < COUNT_OF(classes); i++)
        set(o, classes[i], count_json(s->status[i]));
    return o;
}

static json_t *errors_json(const struct upstream_stats *s)
{
    json_t *o = json_object();
    for (int f = FAILURE_NONE + 1; f < FAILURE_COUNT; f++)
        if (s->errors[f])
            set(o, failure_name((enum failure)f), count_json(s->errors[f]));
    return o;
}

static json_t *histogram_json(const struct histogram *h)
{
    static const struct {
        const char *key;
        double share;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
    json_t *o = json_object();
    set(o, "count", count_json(h->count));
    set(o, "mean", ms_json(h->count ? (h->sum_us + h->count / 2) / h->count : 0));
    for (size_t i = 0; i < COUNT_OF(quantiles); i++)
        set(o, quantiles[i].key, ms_json(histogram_percentile(h, quantiles[i].share)));
    set(o, "max", ms_json(h->max_us));
    return o;
}

static json_t *latency_json(const struct upstream_stats *s)
{
    json_t *o = json_object();
#define PHASE(member, key, meaning) set(o, key, histogram_json(&s->member));
#include "upstream/stats.def"
    return o;
}

static json_t *queue_json(const struct pool_view *v)
{
    json_t *o = json_object();
    set(o, "waiting", count_json(v->waiting));
    set(o, "max_wait_ms", ms_json(v->max_wait_us));
    return o;
}

static json_t *text_json(const char *text)
{
    return *text ? json_string(text) : json_null();
}

static json_t *holds_json(const struct gate_view *g)
{
    json_t *all = json_array();
    for (size_t i = 0; i < g->hold_count; i++) {
        const struct gate_hold *h = &g->holds[i];
        json_t *o = json_object();
        set(o, "status", count_json(h->status));
        set(o, "bot", text_json(h->bot));
        set(o, "path", text_json(h->path));
        set(o, "held", json_string(h->held));
        set(o, "left_ms", count_json(h->left_ms));
        CHECK(json_array_append_new(all, o) == 0);
    }
    return all;
}

static json_t *limits_json(const struct gate_view *g)
{
    json_t *o = json_object();
    set(o, "rate_held", count_json(g->rate_held));
    set(o, "rate_refused", count_json(g->rate_refused));
    set(o, "weight_used", g->weight_used < 0 ? json_null() : json_integer(g->weight_used));
    set(o, "held_ms", count_json(g->held_ms));
    set(o, "holds", holds_json(g));
    return o;
}

json_t *upstream_json(const struct pool_view *v)
{
    const struct upstream_stats *s = v->stats;
    json_t *o = json_object();
    set(o, "name", json_string(v->name));
    set(o, "origin", json_string(v->origin));
    set(o, "listed", json_boolean(v->listed));
    set(o, "tls_verify", json_boolean(v->tls_verify));
    set(o, "state", json_string(v->state));
    set(o, "connections", connections_json(v));
    set(o, "tunnels", json_pack("{s:I}", "open", (json_int_t)v->tunnels));
    set(o, "queue", queue_json(v));
    set(o, "requests", requests_json(v->requests, s->succeeded, s->failed, s->abandoned));
    set(o, "bytes", json_object());
    set(o, "latency_ms", latency_json(s));
    set(o, "cache", json_object());
    set_counters(o, s);
    set(json_object_get(o, "connections"), "closed", closed_json(s));
    set(json_object_get(o, "requests"), "status", status_json(s));
    set(json_object_get(o, "requests"), "errors", errors_json(s));
    set(o, "limits", limits_json(&v->gate));
    set(o, "breaker", json_string(v->breaker));
    set(o, "learned_idle_ms",
        v->learned_idle_ms < 0 ? json_null() : json_integer(v->learned_idle_ms));
    return o;
}
