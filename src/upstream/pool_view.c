#include "upstream/pool_view.h"

#include <string.h>

struct pool_looks {
    struct way_view *ways;
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

static void add_way(struct pool_view *v, const struct way_view *w, bool is_first)
{
    static const char *const states[] = {"up", "held", "open", NULL};
    static const char *const breakers[] = {"closed", "half_open", "open", NULL};
    add_lines(v, w);
    add_gate(&v->gate, &w->gate, is_first);
    v->max_connections += w->max_connections;
    if (w->certificate_ends_s && (is_first || w->certificate_ends_s < v->certificate_ends_s))
        v->certificate_ends_s = w->certificate_ends_s;
    if (is_better(v->state, w->state, states)) {
        v->circuit = w->circuit;
        v->gate.turned_ms = w->gate.turned_ms;
    }
    v->learned_idle_ms = least_known(v->learned_idle_ms, w->learned_idle_ms);
    v->state = best(v->state, w->state, states);
    v->breaker = best(v->breaker, w->breaker, breakers);
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
    free(l->ways);
    *l = (struct pool_looks){0};
}

static void begin(struct pool_looks *l, const struct ways *ways)
{
    clear(l);
    l->ways = must_calloc(ways->count, sizeof *l->ways);
    l->sum = NEW(struct upstream_stats);
    stats_add(l->sum, ways->common.stats);
}

static void add_leaving(struct pool_view *v, struct pool_looks *l, const struct ways *ways)
{
    struct way_view leaving;
    LIST_FOR (&ways->leaving, w, struct way, link) {
        way_describe(w, &leaving);
        add_lines(v, &leaving);
        add_stats(l, ways, w);
    }
}

void pool_view_ways(struct pool_view *v, const struct ways *ways, struct pool_looks *l)
{
    struct way_view one;
    v->learned_idle_ms = -1;
    v->stats = v->own = ways->common.stats;
    v->ways = ways;
    if (ways->count == 1 && ways->leaving.count == 0 && ways->at[0]->exit == NULL) {
        way_describe(ways->at[0], &one);
        add_way(v, &one, true);
        return;
    }
    begin(l, ways);
    for (size_t i = 0; i < ways->count; i++) {
        way_describe(ways->at[i], &l->ways[i]);
        add_way(v, &l->ways[i], i == 0);
        add_stats(l, ways, ways->at[i]);
    }
    add_leaving(v, l, ways);
    v->stats = l->sum;
    if (ways->at[0]->exit == NULL)
        return;
    v->exits = l->ways;
    v->exit_count = ways->count;
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
