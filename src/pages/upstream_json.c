#include "pages/upstream_json.h"

#include "pages/budget_json.h"
#include "pages/frozen_json.h"
#include "pages/json.h"
#include "pages/recent_json.h"

static json_t *closed_json(const struct upstream_stats *s)
{
    json_t *o = json_object();
    for (int reason = 0; reason < CLOSE_REASON_COUNT; reason++)
        json_place(o, close_reason_name((enum close_reason)reason), json_count(s->closed[reason]));
    return o;
}

static json_t *status_json(const struct upstream_stats *s)
{
    static const char *const classes[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    json_t *o = json_object();
    for (size_t i = 0; i < COUNT_OF(classes); i++)
        json_place(o, classes[i], json_count(s->status[i]));
    return o;
}

static json_t *errors_json(const struct upstream_stats *s)
{
    json_t *o = json_object();
    for (int f = FAILURE_NONE + 1; f < FAILURE_COUNT; f++)
        if (s->errors[f])
            json_place(o, failure_name((enum failure)f), json_count(s->errors[f]));
    return o;
}

static json_t *histogram_json(const struct histogram *h)
{
    json_t *o = json_object();
#define TIMES(key, value, meaning) json_place(o, key, value);
#include "pages/stats_page.def"
    return o;
}

static json_t *latency_json(const struct upstream_stats *s)
{
    json_t *o = json_object();
#define PHASE(member, key, meaning) json_place(o, key, histogram_json(&s->member));
#include "upstream/stats.def"
    return o;
}

static json_t *hold_json(const struct gate_hold *h)
{
    json_t *o = json_object();
#define HOLD(key, value, meaning) json_place(o, key, value);
#include "pages/stats_page.def"
    return o;
}

static json_t *holds_json(const struct gate_view *g)
{
    json_t *all = json_array();
    for (size_t i = 0; i < g->hold_count; i++)
        CHECK(json_array_append_new(all, hold_json(&g->holds[i])) == 0);
    return all;
}

/* In tenths of a day. */
static json_t *certificate_days(const struct pool_view *v)
{
    int64_t left_s = v->certificate_ends_s - v->now_s;
    return v->certificate_ends_s ? json_real((double)(left_s / 8640) / 10) : json_null();
}

#define ADDRESSES_SHOWN 64

static json_t *addresses_json(const struct ways *ways)
{
    struct way_address all[ADDRESSES_SHOWN];
    size_t count = ways ? ways_addresses(ways, all, COUNT_OF(all)) : 0;
    json_t *o = json_array();
    for (size_t i = 0; i < count; i++)
        CHECK(json_array_append_new(o, json_text(all[i].text)) == 0);
    return o;
}

/* In tenths of a millisecond, which the clocks of two machines hardly agree to. */
static json_t *clock_ms(const struct origin_clock_view *c, int64_t us)
{
    return c->samples ? json_real((double)(us / 100) / 10) : json_null();
}

static json_t *exit_json(const struct way_view *w)
{
    const struct upstream_stats *s = w->stats;
    json_t *o = json_object();
#define EXIT(place, value, meaning) json_place(o, place, value);
#include "pages/stats_page.def"
    return o;
}

static json_t *exits_json(const struct pool_view *v)
{
    json_t *all = json_array();
    for (size_t i = 0; i < v->exit_count; i++)
        CHECK(json_array_append_new(all, exit_json(&v->exits[i])) == 0);
    return all;
}

static json_t *endpoint_json(const struct way_view *w)
{
    json_t *o = json_object();
#define ENDPOINT(place, value, meaning) json_place(o, place, value);
#include "pages/stats_page.def"
    return o;
}

static json_t *endpoints_json(const struct pool_view *v)
{
    json_t *all = json_array();
    for (size_t i = 0; i < v->endpoint_count; i++)
        CHECK(json_array_append_new(all, endpoint_json(&v->endpoints[i])) == 0);
    return all;
}

json_t *upstream_json(const struct pool_view *v, const struct freezes *freezes)
{
    const struct upstream_stats *s = v->stats;
    struct recent_sum sum;
    recent_sum(v->recent, v->now_us, &sum);
    const struct recent_sum *last = &sum;
    json_t *o = json_object();
#define UPSTREAM(place, value, meaning) json_place(o, place, value);
#include "pages/stats_page.def"
#define COUNTER(member, path, metric, label, meaning) json_place(o, path, json_count(s->member));
#include "upstream/stats.def"
    return o;
}
