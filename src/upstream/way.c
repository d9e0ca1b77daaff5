#include "upstream/way.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/exits.h"

#define MAGIC 0x77617900

/* ------------------------------------------------------------ what its lines tell */

static struct way *self(void *owner)
{
    struct way *w = owner;
    MAGIC_CHECK(w, MAGIC);
    return w;
}

static void on_answer(void *owner)
{
    lines_check_addresses(&self(owner)->lines);
}

static int64_t wall_ms(const struct way *w)
{
    struct timespec t = loop_wall(w->loop);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void look_reached(struct way *w)
{
    const struct breaker *b = &w->lines.breaker;
    if (w->circuit.open != breaker_is_open(b))
        circuit_turned(&w->circuit, breaker_is_open(b), wall_ms(w));
    if (b->failures == 0)
        circuit_connected(&w->circuit);
}

static void on_idle(void *owner)
{
    look_reached(self(owner));
    pool_queue_serve(&self(owner)->queue);
}

/* The addresses are kept fresh as long as there are lines to compare with them. */
static void on_room(void *owner)
{
    struct way *w = self(owner);
    look_reached(w);
    pool_queue_dial(&w->queue);
    bool open = lines_open(&w->lines) > 0;
    w->connector->ops->watch(w->connector, w->lines.settings, open ? w : NULL);
}

static void on_failed(void *owner, enum failure why, const char *detail)
{
    struct way *w = self(owner);
    if (why != FAILURE_CONNECTION_LIMIT_REACHED)
        circuit_failed(&w->circuit, why, detail, wall_ms(w));
    pool_queue_dial_failed(&w->queue, why, detail);
    on_room(owner);
}

/* ------------------------------------------------------------ waiters that move on */

/* Told outside the call that began the hold. Until then nothing is lent to a waiter that may have
 * to choose again. */
static void on_hold(void *owner)
{
    struct way *w = self(owner);
    pool_queue_suspend(&w->queue);
    loop_defer(w->loop, &w->recall);
}

static void on_recall(struct task *t)
{
    struct way *w = self(container_of(t, struct way, recall));
    pool_queue_recall(&w->queue);
    if (w->leaving)
        gate_recall(w->gate);
    pool_queue_serve(&w->queue);
}

/* ----------------------------------------------------------------------- its life */

static void name_object(const struct way *w, const char *upstream, char *object, size_t size)
{
    snprintf(object, size, "upstream %.63s%s%s", upstream, w->exit ? " exit " : "",
             w->exit ? w->name : "");
}

static void on_end(struct task *t)
{
    struct way *w = self(container_of(t, struct way, end));
    if (w->leaving && w->holders == 0)
        w->on_left(w->owner, w);
}

static void set_exit(struct way *w, const struct way_exit *exit)
{
    w->exit = w->connector->exit = exit->at;
    w->name = exit->name;
    gate_watch(w->gate, w->name, on_hold, w);
}

struct way *way_new(const struct way_common *c, const struct upstream_config *settings,
                    const struct way_exit *exit)
{
    static const struct lines_events lines_events = {on_idle, on_failed, on_room};
    struct way *w = NEW(struct way);
    char object[LINES_OBJECT_SIZE];
    MAGIC_INIT(w, MAGIC);
    w->loop = c->loop;
    w->on_left = c->on_left;
    w->owner = c->owner;
    w->connector = c->maker.make(c->maker.context);
    w->connector->on_answer = on_answer;
    w->gate = gate_new(c->loop, settings);
    set_exit(w, exit);
    w->hash = exit->at ? exits_hash(exit->at) : 0;
    w->stats = exit->at ? NEW(struct upstream_stats) : c->stats;
    task_init(&w->recall, on_recall);
    task_init(&w->end, on_end);
    name_object(w, c->upstream, object, sizeof object);
    lines_init(&w->lines, c->loop, w->connector, settings, object, w->stats, &lines_events, w);
    pool_queue_init(&w->queue, c->loop, &w->lines, settings, &c->stats->recent);
    lines_keep_floor(&w->lines);
    return w;
}

void way_free(struct way *w)
{
    MAGIC_CHECK(w, MAGIC);
    CHECK(w->holders == 0 && w->queue.waiters.count == 0);
    task_forget(&w->recall);
    task_forget(&w->end);
    gate_free(w->gate);
    lines_end(&w->lines);
    w->connector->ops->watch(w->connector, w->lines.settings, NULL);
    w->connector->ops->free(w->connector);
    if (w->exit) {
        stats_free(w->stats);
        free(w->stats);
    }
    config_unref(w->snapshot);
    w->magic = 0;
    free(w);
}

void way_configure(struct way *w, const struct upstream_config *settings,
                   const struct way_exit *exit, bool renew)
{
    MAGIC_CHECK(w, MAGIC);
    set_exit(w, exit);
    pool_queue_configure(&w->queue, settings);
    lines_configure(&w->lines, settings, renew);
    gate_configure(w->gate, settings);
    pool_queue_serve(&w->queue);
}

void way_redirect(struct way *w, const struct upstream_config *settings,
                  const struct way_exit *exit)
{
    MAGIC_CHECK(w, MAGIC);
    w->connector->ops->watch(w->connector, w->lines.settings, NULL);
    set_exit(w, exit);
    pool_queue_configure(&w->queue, settings);
    gate_configure(w->gate, settings);
    lines_redirect(&w->lines, settings);
    pool_queue_serve(&w->queue);
}

static void check_empty(struct way *w)
{
    if (w->leaving && w->holders == 0)
        loop_defer(w->loop, &w->end);
}

void way_leave(struct way *w, struct config *snapshot)
{
    MAGIC_CHECK(w, MAGIC);
    w->snapshot = config_ref(snapshot);
    LOG(INFO, w->lines.object, "gone from the configuration: it ends with what it carries");
    w->leaving = true;
    on_hold(w);
    lines_drain(&w->lines);
    check_empty(w);
}

void way_hold(struct way *w)
{
    w->holders++;
}

void way_release(struct way *w)
{
    MAGIC_CHECK(w, MAGIC);
    CHECK(w->holders > 0);
    w->holders--;
    check_empty(w);
}

void way_stand(const struct way *w, const struct gate_waiter *kind, struct way_standing *to)
{
    struct gate_standing gate;
    const struct lines *s = &w->lines;
    size_t open = lines_open(s), most = s->settings->max_connections;
    gate_stand(w->gate, kind, &gate);
    *to = (struct way_standing){
        .is_held = gate.is_held,
        .is_open = breaker_is_open(&s->breaker),
        .pass_ms = gate.pass_ms,
        .tokens = gate.tokens,
        .weight_share = gate.weight_share,
        .free_lines = (int64_t)(s->idle.count + (most > open ? most - open : 0)) -
                      (int64_t)w->queue.waiters.count,
    };
}

void way_probe(struct way *w)
{
    if (breaker_is_open(&w->lines.breaker))
        lines_dial(&w->lines, DIAL_FOR_WAITER);
}

bool way_vouches(const struct way *w)
{
    return w->lines.idle.count + w->lines.shared.count > 0;
}

void way_adopt(struct way *w, struct stream *stream, const struct dial_report *report)
{
    MAGIC_CHECK(w, MAGIC);
    lines_adopt(&w->lines, stream, report);
}

/* -------------------------------------------------------------------------- verbs */

void way_pause(struct way *w)
{
    lines_pause(&w->lines, true);
}

void way_resume(struct way *w, bool ending)
{
    gate_resume(w->gate);
    lines_pause(&w->lines, false);
    look_reached(w);
    if (!ending)
        lines_undrain(&w->lines);
    pool_queue_serve(&w->queue);
}

void way_drain(struct way *w)
{
    lines_pause(&w->lines, false);
    pool_queue_serve(&w->queue);
    lines_drain(&w->lines);
}

/* ------------------------------------------------------------------------ looking */

void way_blame(const struct way *w, struct verdict *v)
{
    struct verdict old = *v;
    if (w && w->exit)
        snprintf(v->detail, sizeof v->detail, "exit %s: %s", w->name, old.detail);
}

static const char *state_word(const struct way *w, const struct gate_view *gate)
{
    if (w->leaving)
        return "draining";
    return gate->held_ms ? "held" : breaker_is_open(&w->lines.breaker) ? "open" : "up";
}

void way_describe(const struct way *w, struct way_view *view)
{
    MAGIC_CHECK(w, MAGIC);
    gate_describe(w->gate, &view->gate);
    view->exit = w->name;
    view->state = state_word(w, &view->gate);
    view->breaker = breaker_word(&w->lines.breaker, w->lines.connecting.count);
    view->idle = w->lines.idle.count;
    view->active = w->lines.shared.count + w->lines.busy.count;
    view->connecting = w->lines.connecting.count;
    view->waiting = w->queue.waiters.count;
    view->max_connections = w->lines.settings->max_connections;
    view->learned_idle_ms = lines_learned_ms(&w->lines);
    view->circuit = &w->circuit;
    view->certificate_ends_s = w->lines.certificate_ends_s;
    view->stats = w->stats;
}
