#include "upstream/pool_sum.h"

void pool_sum_add(struct pool_sum *s, const struct pool_view *v)
{
    s->count++;
    s->view.idle += v->idle;
    s->view.active += v->active;
    s->view.connecting += v->connecting;
    s->view.waiting += v->waiting;
    s->view.requests += v->requests;
    s->view.tunnels += v->tunnels;
    if (v->max_wait_us > s->view.max_wait_us)
        s->view.max_wait_us = v->max_wait_us;
    s->view.gate.rate_held += v->gate.rate_held;
    s->view.gate.rate_refused += v->gate.rate_refused;
    stats_add(&s->stats, v->stats);
}

struct pool_view pool_sum_view(const struct pool_sum *s, const char *name)
{
    struct pool_view v = s->view;
    v.name = name;
    v.stats = &s->stats;
    v.recent = &s->stats.recent;
    v.exits = NULL;
    v.exit_count = 0;
    v.endpoints = NULL;
    v.endpoint_count = 0;
    v.gate.weight_used = -1;
    v.learned_idle_ms = -1;
    return v;
}

void pool_sum_clear(struct pool_sum *s)
{
    stats_free(&s->stats);
    *s = (struct pool_sum){0};
}
