#include "upstream/pool_view.h"

#include <string.h>

struct pool_looks {
    struct way_view *exits, *endpoints;
    struct upstream_stats *sum;
};

/* ------------------------------------------------------------------ the best of two */

static size_t place_of(const char *word, const char *const *words)
{
    size_t i = 0;
    while (words[i] && strcmp(words[i], word) != 0)
        i++;
    return i;
}

/* Does `b` come before `a` in that order? */
static bool is_better(const char *a, const char *b, const char *const *words)
{
    return a == NULL || place_of(b, words) < place_of(a, words);
}

static const char *best(const char *a, const char *b, const char *const *words)
{
    return is_better(a, b, words) ? b : a;
}

static int64_t least_known(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* --------------------------------------------------------------------------- the sum */

static void add_holds(struct gate_view *to, const struct gate_view *g)
{
    for (size_t i = 0; i < g->hold_count && to->hold_count < GATE_HOLDS_SHOWN; i++)
        to->holds[to->hold_count++] = g->holds[i];
}

/* Public requests are held only while every exit holds them. */
static void add_gate(struct gate_view *to, const struct gate_view *g, bool is_first)
{
    if (is_first) {
        *to = *g;
        return;
    }
    to->bots = NULL; /* each gate has its own */
    to->rate_held += g->rate_held;
    to->rate_refused += g->rate_refused;
    if (g->weight_used >= 0)
        to->weight_used = (to->weight_used < 0 ? 0 : to->weight_used) + g->weight_used;
    if (g->held_ms < to->held_ms)
        to->held_ms = g->held_ms;
    add_holds(to, g);
}

static void add_lines(struct pool_view *v, const struct way_view *w)
{
    v->idle += w->idle;
    v->active += w->active;
    v->connecting += w->connecting;
    v->waiting += w->waiting;
}

static const char *const states[] = {"up", "held", "open", NULL};
static const char *const breakers[] = {"closed", "half_open", "open", NULL};

/* Its gate is that of all ways of its exit, and is added once. */
static void add_way(struct pool_view *v, const struct way_view *w, bool is_first, bool has_gate)
{
    add_lines(v, w);
    if (has_gate)
        add_gate(&v->gate, &w->gate, is_first);
    v->max_connections += w->max_connections;
    if (w->certificate_ends_s &&
        (v->certificate_ends_s == 0 || w->certificate_ends_s < v->certificate_ends_s))
        v->certificate_ends_s = w->certificate_ends_s;
    if (is_better(v->state, w->state, states)) {
        v->circuit = w->circuit;
        v->gate.turned_ms = w->gate.turned_ms;
    }
    v->learned_idle_ms = least_known(v->learned_idle_ms, w->learned_idle_ms);
    v->state = best(v->state, w->state, states);
    v->breaker = best(v->breaker, w->breaker, breakers);
}

/* Several ways of one exit, or to one endpoint, as one. */
static void merge(struct way_view *v, const struct way_view *w, bool is_first)
{
    if (is_first) {
        *v = *w;
        return;
    }
    v->state = best(v->state, w->state, states);
    v->breaker = best(v->breaker, w->breaker, breakers);
    v->idle += w->idle;
    v->active += w->active;
    v->connecting += w->connecting;
    v->waiting += w->waiting;
    v->max_connections += w->max_connections;
    v->learned_idle_ms = least_known(v->learned_idle_ms, w->learned_idle_ms);
    if (w->pace.mean_us && (v->pace.mean_us == 0 || w->pace.mean_us < v->pace.mean_us))
        v->pace.mean_us = w->pace.mean_us;
    v->requests += w->requests;
    v->is_first |= w->is_first;
    v->is_fast |= w->is_fast;
}

/* ----------------------------------------------------------------------- the looks */

static void add_stats(struct pool_looks *l, const struct ways *ways, const struct way *w)
{
    if (w->stats != ways->common.stats)
        stats_add(l->sum, w->stats);
}

static void clear(struct pool_looks *l)
{
    if (l->sum)
        stats_free(l->sum);
    free(l->sum);
    free(l->exits);
    free(l->endpoints);
    *l = (struct pool_looks){0};
}

static void begin(struct pool_looks *l, const struct ways *ways)
{
    clear(l);
    l->exits = must_calloc(ways->count / ways->hosts, sizeof *l->exits);
    l->endpoints = must_calloc(ways->hosts, sizeof *l->endpoints);
    l->sum = NEW(struct upstream_stats);
    stats_add(l->sum, ways->common.stats);
}

static void add_leaving(struct pool_view *v, struct pool_looks *l, const struct ways *ways)
{
    struct way_view leaving;
    LIST_FOR (&ways->leaving, w, struct way, link) {
        way_describe(w, &leaving);
        add_lines(v, &leaving);
        if (w->outlet->leaving && list_first(&w->outlet->ways) == &w->beside)
            add_stats(l, ways, w);
    }
}

static void add_in_use(struct pool_view *v, struct pool_looks *l, const struct ways *ways)
{
    struct way_view one;
    struct ways_roles roles = {SIZE_MAX, SIZE_MAX};
    for (size_t i = 0; i < ways->count; i++) {
        size_t exit = i / ways->hosts, endpoint = i % ways->hosts;
        if (endpoint == 0)
            roles = ways_roles(ways, exit);
        way_describe(ways->at[i], &one);
        one.is_first = endpoint == roles.orders;
        one.is_fast = endpoint == roles.public;
        add_way(v, &one, i == 0, endpoint == 0);
        merge(&l->exits[exit], &one, endpoint == 0);
        merge(&l->endpoints[endpoint], &one, exit == 0);
        if (endpoint == 0)
            add_stats(l, ways, ways->at[i]);
    }
}

void pool_view_ways(struct pool_view *v, const struct ways *ways, struct pool_looks *l)
{
    struct way_view one;
    const struct way *first = ways->at[0];
    v->learned_idle_ms = -1;
    v->stats = v->own = ways->common.stats;
    v->ways = ways;
    if (ways->count == 1 && ways->leaving.count == 0 && first->outlet->exit == NULL) {
        way_describe(first, &one);
        add_way(v, &one, true, true);
        return;
    }
    begin(l, ways);
    add_in_use(v, l, ways);
    add_leaving(v, l, ways);
    v->stats = l->sum;
    if (first->outlet->exit) {
        v->exits = l->exits;
        v->exit_count = ways->count / ways->hosts;
    }
    if (ways->hosts > 1) {
        v->endpoints = l->endpoints;
        v->endpoint_count = ways->hosts;
    }
}

struct pool_looks *pool_looks_new(void)
{
    return NEW(struct pool_looks);
}

void pool_looks_free(struct pool_looks *l)
{
    clear(l);
    free(l);
}
