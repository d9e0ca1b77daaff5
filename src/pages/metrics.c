#include "pages/metrics.h"

#include <stddef.h>
#include <stdio.h>

#include "pages/endpoint_series.h"
#include "pages/metric_series.h"
#include "upstream/pools_snapshot.h"

/* ------------------------------------------------------- the rows of stats.def */

static const struct {
    const char *family, *label;
    size_t offset;
} counters[] = {
#define COUNTER(member, path, metric, label, meaning)                                              \
    {#metric, label, offsetof(struct upstream_stats, member)},
#include "upstream/stats.def"
};

static void add_counters(struct series *s, const struct pool_view *v)
{
    for (size_t i = 0; i < COUNT_OF(counters); i++) {
        if (strcmp(counters[i].family, s->family) != 0)
            continue;
        const char *at = (const char *)v->stats + counters[i].offset;
        series_sample(s, v, counters[i].label, NULL, *(const uint64_t *)(const void *)at);
    }
}

/* ------------------------------------------------------------------ durations */

/* Upper bounds of the buckets, from a response over loopback to the longest total_timeout. */
#define BOUNDS(X)                                                                                  \
    X(100, "0.0001")                                                                               \
    X(250, "0.00025")                                                                              \
    X(500, "0.0005")                                                                               \
    X(1000, "0.001")                                                                               \
    X(2500, "0.0025")                                                                              \
    X(5000, "0.005")                                                                               \
    X(10000, "0.01")                                                                               \
    X(25000, "0.025")                                                                              \
    X(50000, "0.05")                                                                               \
    X(100000, "0.1")                                                                               \
    X(250000, "0.25")                                                                              \
    X(500000, "0.5")                                                                               \
    X(1000000, "1")                                                                                \
    X(2500000, "2.5")                                                                              \
    X(5000000, "5")                                                                                \
    X(10000000, "10")                                                                              \
    X(30000000, "30")

static const uint64_t bounds_us[] = {
#define BOUND(us, seconds) us,
    BOUNDS(BOUND)
#undef BOUND
};
static const char *const bounds_s[] = {
#define BOUND(us, seconds) seconds,
    BOUNDS(BOUND)
#undef BOUND
};

/* Most of the page is made here, so what its lines begin with is put together once. */
static void add_buckets(struct series *s, const struct pool_view *v, const char *phase,
                        const struct histogram *h)
{
    uint64_t counts[COUNT_OF(bounds_us)];
    struct text line = {0};
    struct series own = *s;
    own.to = &line;
    histogram_cumulate(h, bounds_us, counts, COUNT_OF(counts));
    series_name(&own, "_bucket");
    series_upstream(&own, v->name);
    text_printf(&line, ",phase=\"%s\",le=\"", phase);
    for (size_t i = 0; i <= COUNT_OF(counts); i++) {
        bool last = i == COUNT_OF(counts);
        text_add(s->to, text_span(&line));
        text_add_str(s->to, last ? "+Inf" : bounds_s[i]);
        text_add(s->to, SPAN("\"} "));
        series_end(s, last ? h->count : counts[i]);
    }
    text_free(&line);
}

static void add_histogram(struct series *s, const struct pool_view *v, const char *phase,
                          const struct histogram *h)
{
    add_buckets(s, v, phase, h);
    series_name(s, "_sum");
    series_labels(s, v->name, "phase", phase);
    text_printf(s->to, "%ju.%06ju\n", (uintmax_t)(h->sum_us / 1000000),
                (uintmax_t)(h->sum_us % 1000000));
    series_name(s, "_count");
    series_labels(s, v->name, "phase", phase);
    series_end(s, h->count);
}

static void add_durations(struct series *s, const struct pool_view *v)
{
#define PHASE(member, key, meaning) add_histogram(s, v, key, &v->stats->member);
#include "upstream/stats.def"
}

/* ------------------------------------------------------ what is not in stats.def */

static void add_requests(struct series *s, const struct pool_view *v)
{
    static const char *const classes[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    for (size_t i = 0; i < COUNT_OF(classes); i++)
        series_sample(s, v, "status", classes[i], v->stats->ended[i]);
}

static void add_active(struct series *s, const struct pool_view *v)
{
    series_sample(s, v, "", NULL, v->requests);
}

/* An error that never occurred has no series, as in /stats. */
static void add_errors(struct series *s, const struct pool_view *v)
{
    for (int f = FAILURE_NONE + 1; f < FAILURE_COUNT; f++)
        if (v->stats->errors[f])
            series_sample(s, v, "error", failure_name((enum failure)f), v->stats->errors[f]);
}

static void add_connections(struct series *s, const struct pool_view *v)
{
    series_sample(s, v, "state", "idle", v->idle);
    series_sample(s, v, "state", "active", v->active);
    series_sample(s, v, "state", "connecting", v->connecting);
}

static void add_closed(struct series *s, const struct pool_view *v)
{
    for (int reason = 0; reason < CLOSE_REASON_COUNT; reason++)
        series_sample(s, v, "reason", close_reason_name((enum close_reason)reason),
                      v->stats->closed[reason]);
}

static void add_handshakes(struct series *s, const struct pool_view *v)
{
    series_sample(s, v, "resumed", "false", v->stats->handshakes - v->stats->resumed);
    series_sample(s, v, "resumed", "true", v->stats->resumed);
}

static void add_waiting(struct series *s, const struct pool_view *v)
{
    series_sample(s, v, "", NULL, v->waiting);
}

static void add_tunnels(struct series *s, const struct pool_view *v)
{
    series_sample(s, v, "", NULL, v->tunnels);
}

static void add_state(struct series *s, const struct pool_view *v)
{
    static const char *const states[] = {"up", "frozen", "paused", "draining", "held", "open"};
    for (size_t i = 0; v->state && i < COUNT_OF(states); i++)
        series_sample(s, v, "state", states[i], strcmp(states[i], v->state) == 0);
}

static void count_bot(void *context, const struct freeze *z)
{
    (void)z;
    ++*(uint64_t *)context;
}

static void add_frozen_bots(struct series *s, const struct pool_view *v)
{
    uint64_t count = 0;
    freezes_each_bot(s->freezes, v->name, count_bot, &count);
    series_sample(s, v, "", NULL, count);
}

static void add_label(struct series *s, const char *name, const char *value)
{
    text_printf(s->to, ",%s=\"", name);
    series_escape(s->to, value);
    text_add(s->to, SPAN("\""));
}

static void add_since(struct series *s, const struct pool_view *v)
{
    if (v->standing.state == NULL)
        return;
    series_name(s, "");
    series_upstream(s, v->name);
    add_label(s, "state", v->standing.state);
    add_label(s, "reason", v->standing.cause);
    text_printf(s->to, "} %jd.%03d\n", (intmax_t)(v->standing.since_ms / 1000),
                (int)(v->standing.since_ms % 1000));
}

static void add_certificate(struct series *s, const struct pool_view *v)
{
    if (v->certificate_ends_s == 0)
        return;
    series_name(s, "");
    series_labels(s, v->name, "", NULL);
    text_printf(s->to, "%jd\n", (intmax_t)(v->certificate_ends_s - v->now_s));
}

static void add_addresses(struct series *s, const struct pool_view *v)
{
    struct way_address all[64];
    size_t count = v->ways ? ways_addresses(v->ways, all, COUNT_OF(all)) : 0;
    for (size_t i = 0; i < count; i++)
        series_sample(s, v, "address", all[i].text, all[i].count);
}

static void add_limited(struct series *s, const struct pool_view *v)
{
    series_sample(s, v, "result", "held", v->gate.rate_held);
    series_sample(s, v, "result", "refused", v->gate.rate_refused);
}

static void add_weight(struct series *s, const struct pool_view *v)
{
    if (v->gate.weight_used >= 0)
        series_sample(s, v, "", NULL, (uint64_t)v->gate.weight_used);
}

static void end_with_ms(struct series *s, uint64_t ms)
{
    text_printf(s->to, "%ju.%03ju\n", (uintmax_t)(ms / 1000), (uintmax_t)(ms % 1000));
}

static void add_budget_daemons(struct series *s, const struct pool_view *v)
{
    if (v->gate.shared.daemons)
        series_sample(s, v, "", NULL, v->gate.shared.daemons);
}

static void add_budget_tokens(struct series *s, const struct pool_view *v)
{
    if (v->gate.shared.key)
        series_sample(s, v, "", NULL, v->gate.shared.ahead);
}

/* The n-th bot that an upstream knows and limits; NULL: there are no more. */
static const struct bot_share *bot_at(const struct pool_view *v, size_t *n)
{
    const struct bot_shares *all = v->gate.bots;
    while (all && all->settings_count && *n < all->count) {
        const struct bot_share *b = all->at[(*n)++];
        if (*b->bot)
            return b;
    }
    return NULL;
}

static void bot_sample(struct series *s, const struct pool_view *v, const struct bot_share *b,
                       const char *label, uint64_t n)
{
    series_name(s, "");
    series_upstream(s, v->name);
    text_add_str(s->to, ",bot=\"");
    series_escape(s->to, b->bot);
    text_printf(s->to, "\"%s} ", label);
    series_end(s, n);
}

static void add_bot_weight(struct series *s, const struct pool_view *v)
{
    const struct bot_share *b;
    for (size_t n = 0; (b = bot_at(v, &n));)
        bot_sample(s, v, b, "", bot_share_weight(b, v->gate.now_ms));
}

static void add_bot_limited(struct series *s, const struct pool_view *v)
{
    const struct bot_share *b;
    for (size_t n = 0; (b = bot_at(v, &n));) {
        bot_sample(s, v, b, ",result=\"held\"", b->held);
        bot_sample(s, v, b, ",result=\"refused\"", b->refused);
    }
}

static void add_held(struct series *s, const struct pool_view *v)
{
    series_name(s, "");
    series_labels(s, v->name, "", NULL);
    end_with_ms(s, v->gate.held_ms);
}

static void add_learned(struct series *s, const struct pool_view *v)
{
    if (v->learned_idle_ms < 0)
        return;
    series_name(s, "");
    series_labels(s, v->name, "", NULL);
    end_with_ms(s, (uint64_t)v->learned_idle_ms);
}

static void add_weight_limit(struct series *s, const struct pool_view *v)
{
    if (v->gate.weight_limit)
        series_sample(s, v, "", NULL, v->gate.weight_limit);
}

static bool same_labels(const struct gate_hold *a, const struct gate_hold *b)
{
    return strcmp(a->held, b->held) == 0 && a->status == b->status && strcmp(a->bot, b->bot) == 0 &&
           strcmp(a->path, b->path) == 0;
}

/* Those of several credentials may have the same labels: they are one, with the latest end. */
static bool merge_hold(const struct gate_view *g, size_t at, uint64_t *left_ms)
{
    *left_ms = g->holds[at].left_ms;
    for (size_t i = 0; i < g->hold_count; i++) {
        if (i == at || !same_labels(&g->holds[i], &g->holds[at]))
            continue;
        if (i < at)
            return false;
        if (g->holds[i].left_ms > *left_ms)
            *left_ms = g->holds[i].left_ms;
    }
    return true;
}

static void add_holds(struct series *s, const struct pool_view *v)
{
    char status[16];
    uint64_t left_ms;
    for (size_t i = 0; i < v->gate.hold_count; i++) {
        const struct gate_hold *h = &v->gate.holds[i];
        if (!merge_hold(&v->gate, i, &left_ms))
            continue;
        snprintf(status, sizeof status, "%u", h->status);
        series_name(s, "");
        series_upstream(s, v->name);
        add_label(s, "held", h->held);
        add_label(s, "status", status);
        add_label(s, "bot", h->bot);
        add_label(s, "path", h->path);
        text_add(s->to, SPAN("} "));
        end_with_ms(s, left_ms);
    }
}

static void add_seconds(struct series *s, const struct pool_view *v, int64_t us)
{
    series_name(s, "");
    series_labels(s, v->name, "", NULL);
    text_printf(s->to, "%.4f\n", (double)us / 1e6);
}

static void add_clock_offset(struct series *s, const struct pool_view *v)
{
    if (v->clock.samples)
        add_seconds(s, v, v->clock.offset_us);
}

static void add_clock_error(struct series *s, const struct pool_view *v)
{
    if (v->clock.samples)
        add_seconds(s, v, v->clock.error_us);
}

static const struct {
    const char *name, *type, *meaning;
    void (*add)(struct series *, const struct pool_view *);
} families[] = {
#define FAMILY(name, type, add, meaning) {#name, type, meaning, add},
#include "pages/metrics.def"
#define METRIC(name, meaning) {#name, "counter", meaning, add_counters},
#include "upstream/stats.def"
};

/* ------------------------------------------------------------------- the page */

static void add_family(struct text *to, const char *family, const char *type, const char *meaning)
{
    text_printf(to, "# HELP trunkline_%s %s\n# TYPE trunkline_%s %s\n", family, meaning, family,
                type);
}

static void add_own(struct text *to, const char *family, const char *type, const char *meaning,
                    uint64_t n)
{
    add_family(to, family, type, meaning);
    text_printf(to, "trunkline_%s %ju\n", family, (uintmax_t)n);
}

static void add_own_seconds(struct text *to, const char *family, const char *type,
                            const char *meaning, uint64_t us)
{
    add_family(to, family, type, meaning);
    text_printf(to, "trunkline_%s %ju.%06ju\n", family, (uintmax_t)(us / 1000000),
                (uintmax_t)(us % 1000000));
}

static void add_daemon(struct text *to, const struct metrics *m)
{
    add_family(to, "build_info", "gauge", "1; the label tells the version.");
    text_add_str(to, "trunkline_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
#define OWN(name, type, value, meaning) add_own(to, #name, type, meaning, value);
#define SECONDS(name, type, us, meaning) add_own_seconds(to, #name, type, meaning, us);
#include "pages/metrics.def"
}

/* ------------------------------------------------------------------- bots */

struct bot_series {
    struct text *to;
    const char *family;
    size_t offset; /* of the number in struct bot */
};

static void add_bot(void *context, const struct bot *b)
{
    const struct bot_series *s = context;
    const char *at = (const char *)b + s->offset;
    text_printf(s->to, "trunkline_%s{bot=\"", s->family);
    series_escape(s->to, b->name);
    text_printf(s->to, "\"} %ju\n", (uintmax_t) * (const uint64_t *)(const void *)at);
}

static void add_bots(struct text *to, const struct bots *bots)
{
    static const struct {
        const char *family, *meaning;
        size_t offset;
    } rows[] = {
#define BOT(name, member, meaning) {#name, meaning, offsetof(struct bot, member)},
#include "pages/metrics.def"
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct bot_series s = {to, rows[i].family, rows[i].offset};
        add_family(to, rows[i].family, "counter", rows[i].meaning);
        bots_each(bots, add_bot, &s);
    }
}

/* --------------------------------------------------------- the page in pieces */

/* The format demands that the lines of a family stand together, so all pools are gone through
 * for each. */
struct source {
    struct page_source base;
    struct metrics metrics;
    struct pools_snapshot *snapshot;
    bool begun;
    size_t family, pool; /* what comes next */
};

static struct source *source_of(struct page_source *base)
{
    return container_of(base, struct source, base);
}

/* What is kept per exit: whether the upstream as a whole has a sample too, which a sum over exits would
 * count twice. */
static const struct {
    const char *family;
    bool has_whole;
} by_exit[] = {
    {"connections", false},
    {"connections_closed_total", false},
    {"connections_opened_total", false},
    {"connections_reused_total", false},
    {"connections_drained_total", false},
    {"connections_negotiated_total", false},
    {"connections_failed_total", false},
    {"handshakes_total", false},
    {"bytes_total", false},
    {"queue_waiting", false},
    {"rate_limited_total", false},
    {"weight_used", false},
    {"upstream_state", true},
    {"held_seconds", true},
};

static int place_by_exit(const char *family)
{
    for (size_t i = 0; i < COUNT_OF(by_exit); i++)
        if (strcmp(by_exit[i].family, family) == 0)
            return (int)i;
    return -1;
}

/* What no exit that there is has counted: exits that are gone did. */
static struct pool_view rest_of(const struct pool_view *v)
{
    return (struct pool_view){
        .name = v->name, .stats = v->own, .gate.weight_used = -1, .learned_idle_ms = -1};
}

static void view_exit(const struct way_view *w, const char *upstream, struct pool_view *view)
{
    *view = (struct pool_view){.name = upstream,
                               .idle = w->idle,
                               .active = w->active,
                               .connecting = w->connecting,
                               .waiting = w->waiting,
                               .gate = w->gate,
                               .stats = w->stats};
    view->state = w->state;
}

static void add_all(struct series *s, void (*add)(struct series *, const struct pool_view *),
                    const struct pool_view *v)
{
    int place = v->exit_count ? place_by_exit(s->family) : -1;
    struct pool_view part = place >= 0 && !by_exit[place].has_whole ? rest_of(v) : *v;
    add(s, &part);
    for (size_t i = 0; place >= 0 && i < v->exit_count; i++) {
        view_exit(&v->exits[i], v->name, &part);
        s->exit = v->exits[i].exit;
        add(s, &part);
        s->exit = NULL;
    }
}

static void add_next(struct source *s, struct text *to)
{
    struct series series = {
        .family = families[s->family].name, .to = to, .freezes = s->metrics.freezes};
    struct pool_view view;
    if (s->pool == 0)
        add_family(to, families[s->family].name, families[s->family].type,
                   families[s->family].meaning);
    if (s->pool < pools_snapshot_count(s->snapshot)) {
        pools_snapshot_view(s->snapshot, s->pool, &view);
        add_all(&series, families[s->family].add, &view);
    }
    if (++s->pool < pools_snapshot_count(s->snapshot))
        return;
    s->pool = 0;
    s->family++;
}

static bool next(struct page_source *base, struct text *to)
{
    struct source *s = source_of(base);
    if (!s->begun) {
        s->begun = true;
        add_daemon(to, &s->metrics);
        add_bots(to, s->metrics.bots);
    } else if (!pools_snapshot_gather(s->snapshot)) {
        add_next(s, to);
    }
    return s->family < COUNT_OF(families);
}

static void free_source(struct page_source *base)
{
    struct source *s = source_of(base);
    pools_snapshot_free(s->snapshot);
    free(s);
}

struct page_source *metrics_new(const struct metrics *m)
{
    struct source *s = NEW(struct source);
    s->base = (struct page_source){next, free_source};
    s->metrics = *m;
    s->snapshot = pools_snapshot_named(m->pools);
    return &s->base;
}
