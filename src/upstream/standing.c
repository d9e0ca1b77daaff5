#include "upstream/standing.h"

#include <stdio.h>

const char *const standing_states[STANDING_STATES] = {"up",   "paused", "draining",
                                                      "held", "open",   "frozen"};

/* ------------------------------------------------------------------ what happens */

void standing_commanded(struct standing *s, int64_t now_ms, bool resumed)
{
    s->commanded_ms = now_ms;
    s->resumed = resumed;
}

void circuit_failed(struct circuit *c, enum failure why, const char *detail, int64_t now_ms)
{
    if (c->failing_ms == 0)
        c->failing_ms = now_ms;
    c->failure = why;
    snprintf(c->detail, sizeof c->detail, "%s", detail);
}

void circuit_connected(struct circuit *c)
{
    c->failing_ms = 0;
}

void circuit_turned(struct circuit *c, bool open, int64_t now_ms)
{
    if (c->open != open)
        c->changed_ms = now_ms;
    c->open = open;
}

void standing_frozen(struct standing *s, bool frozen, int64_t now_ms)
{
    if (s->frozen && !frozen)
        s->thawed_ms = now_ms;
    s->frozen = frozen;
}

/* -------------------------------------------------------------------- what it is */

static void tell(struct standing_view *v, const char *state, int64_t since_ms, const char *cause,
                 const char *reason)
{
    v->state = state;
    v->since_ms = since_ms;
    snprintf(v->cause, sizeof v->cause, "%s", cause);
    snprintf(v->reason, sizeof v->reason, "%s", reason);
}

static int64_t wall_of(const struct standing_facts *f, uint64_t loop_ms)
{
    return f->now_ms - (int64_t)(f->loop_ms - loop_ms);
}

static const struct gate_hold *hold_of_public(const struct gate_view *g)
{
    for (size_t i = 0; i < g->hold_count; i++)
        if (strcmp(g->holds[i].held, "credential") != 0)
            return &g->holds[i];
    return NULL;
}

static void describe_hold(const struct standing_facts *f, struct standing_view *v)
{
    const struct gate_view *g = f->gate;
    const struct gate_hold *h = hold_of_public(g);
    tell(v, "held", wall_of(f, g->turned_ms), "weight", "");
    if (h) {
        snprintf(v->cause, sizeof v->cause, "status_%u", h->status);
        snprintf(v->reason, sizeof v->reason, "the exchange answered %u%s%s%s%s", h->status,
                 *h->bot ? " to " : "", h->bot, *h->path ? " for " : "", h->path);
    } else {
        snprintf(v->reason, sizeof v->reason, "used weight %lld of %u", (long long)g->weight_used,
                 g->weight_limit);
    }
}

static void describe_open(const struct circuit *c, struct standing_view *v)
{
    const char *name = failure_name(c->failure);
    tell(v, "open", c->open ? c->changed_ms : c->failing_ms, name, "");
    snprintf(v->reason, sizeof v->reason, "%s: %s", name, c->detail);
}

/* Since whatever ended last. */
static void describe_up(const struct standing *s, const struct standing_facts *f,
                        struct standing_view *v)
{
    int64_t freed_ms = f->gate->turned_ms ? wall_of(f, f->gate->turned_ms) : 0;
    tell(v, "up", s->commanded_ms, s->resumed ? "resume" : "start",
         s->resumed ? "an operator resumed it" : "it is up since the start");
    if (freed_ms > v->since_ms)
        tell(v, "up", freed_ms, "hold_ended", "a hold ended");
    if (f->circuit->changed_ms > v->since_ms)
        tell(v, "up", f->circuit->changed_ms, "connected", "it was reached again");
    if (s->thawed_ms > v->since_ms)
        tell(v, "up", s->thawed_ms, "unfreeze", "a freeze ended");
}

void standing_describe(const struct standing *s, const struct standing_facts *f,
                       struct standing_view *v)
{
    if (f->frozen) {
        tell(v, "frozen", f->frozen_since_ms, "freeze", "");
        snprintf(v->reason, sizeof v->reason, "frozen by %s", f->frozen_by);
    } else if (f->removed) {
        tell(v, "draining", s->commanded_ms, "removed", "it is gone from the configuration");
    } else if (f->draining) {
        tell(v, "draining", s->commanded_ms, "operator", "an operator drained it");
    } else if (f->paused) {
        tell(v, "paused", s->commanded_ms, "operator", "an operator paused it");
    } else if (f->gate->held_ms) {
        describe_hold(f, v);
    } else if (f->circuit->open || f->unreached) {
        describe_open(f->circuit, v);
    } else {
        describe_up(s, f, v);
    }
}
