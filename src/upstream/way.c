#include "upstream/way.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

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
    if (w->own && why != FAILURE_CONNECTION_LIMIT_REACHED)
        way_unanswered(w, 0, true);
    if (why != FAILURE_CONNECTION_LIMIT_REACHED)
        circuit_failed(&w->circuit, why, detail, wall_ms(w));
    pool_queue_dial_failed(&w->queue, why, detail);
    on_room(owner);
}

/* ------------------------------------------------------------ waiters that move on */

void way_recall(struct way *w)
{
    MAGIC_CHECK(w, MAGIC);
    pool_queue_suspend(&w->queue);
    loop_defer(w->loop, &w->recall);
}

static void on_recall(struct task *t)
{
    struct way *w = self(container_of(t, struct way, recall));
    pool_queue_recall(&w->queue);
    if (w->outlet->leaving)
        gate_recall(w->gate);
    pool_queue_serve(&w->queue);
}

/* ----------------------------------------------------------------------- its life */

static void name_object(const struct way *w, const char *upstream, char *object, size_t size)
{
    const char *exit = w->outlet->name, *endpoint = w->own ? w->host->authority : NULL;
    snprintf(object, size, "upstream %.63s%s%s%s%s", upstream, exit ? " exit " : "",
             exit ? exit : "", endpoint ? " endpoint " : "", endpoint ? endpoint : "");
}

static void on_end(struct task *t)
{
    struct way *w = self(container_of(t, struct way, end));
    if (w->leaving && w->holders == 0)
        w->on_left(w->owner, w);
}

/* The settings that its lines are opened with. They replace `own`, which is to be freed when nothing
 * uses it any more. */
static const struct upstream_config *make_settings(struct way *w, const struct upstream_config *u,
                                                   const struct way_target *to)
{
    w->host = to->host;
    w->min_idle = u->min_idle;
    w->connector->exit = w->outlet->exit;
    w->own = NULL;
    if (to->is_only)
        return u;
    w->own = NEW(struct upstream_config);
    *w->own = *u;
    w->own->host = to->host->at.host;
    w->own->port = to->host->at.port;
    w->own->secure = to->host->at.secure;
    w->own->hosts = NULL;
    w->own->host_count = 0;
    w->own->min_idle = to->keeps_floor ? u->min_idle : 0;
    return w->own;
}

struct way *way_new(const struct way_common *c, const struct upstream_config *u,
                    struct outlet *outlet, const struct way_target *to)
{
    static const struct lines_events lines_events = {on_idle, on_failed, on_room};
    struct way *w = NEW(struct way);
    char object[LINES_OBJECT_SIZE];
    MAGIC_INIT(w, MAGIC);
    w->loop = c->loop;
    w->on_left = c->on_left;
    w->owner = c->owner;
    w->outlet = outlet;
    outlet_join(outlet, &w->beside);
    w->gate = outlet->gate;
    w->stats = outlet->stats;
    w->connector = c->maker.make(c->maker.context);
    w->connector->on_answer = on_answer;
    const struct upstream_config *settings = make_settings(w, u, to);
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
    lines_end(&w->lines);
    w->connector->ops->watch(w->connector, w->lines.settings, NULL);
    w->connector->ops->free(w->connector);
    outlet_leave(w->outlet, &w->beside);
    config_unref(w->snapshot);
    free(w->own);
    w->magic = 0;
    free(w);
}

void way_configure(struct way *w, const struct upstream_config *u, const struct way_target *to,
                   bool renew)
{
    MAGIC_CHECK(w, MAGIC);
    struct upstream_config *old = w->own;
    const struct upstream_config *settings = make_settings(w, u, to);
    pool_queue_configure(&w->queue, settings);
    lines_configure(&w->lines, settings, renew);
    pool_queue_serve(&w->queue);
    free(old);
}

void way_redirect(struct way *w, const struct upstream_config *u, const struct way_target *to)
{
    MAGIC_CHECK(w, MAGIC);
    w->connector->ops->watch(w->connector, w->lines.settings, NULL);
    struct upstream_config *old = w->own;
    const struct upstream_config *settings = make_settings(w, u, to);
    pool_queue_configure(&w->queue, settings);
    lines_redirect(&w->lines, settings);
    pool_queue_serve(&w->queue);
    free(old);
}

void way_keep_floor(struct way *w, bool keeps)
{
    MAGIC_CHECK(w, MAGIC);
    if (w->own == NULL || w->leaving || w->own->min_idle == (keeps ? w->min_idle : 0))
        return;
    w->own->min_idle = keeps ? w->min_idle : 0;
    lines_refill(&w->lines);
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
    if (w->outlet->first == w)
        w->outlet->first = NULL;
    if (w->outlet->fast == w)
        w->outlet->fast = NULL;
    way_recall(w);
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

void way_stand_as_endpoint(struct way *w, struct endpoint_standing *to)
{
    MAGIC_CHECK(w, MAGIC);
    bool is_open = breaker_is_open(&w->lines.breaker);
    *to = (struct endpoint_standing){
        .is_open = is_open,
        .may_probe = is_open && lines_dial_at(&w->lines, DIAL_FOR_WAITER) <= loop_now(w->loop),
        .is_warm = way_vouches(w),
        .pace = &w->pace,
    };
}

void way_answered(struct way *w, uint64_t took_us, unsigned status)
{
    MAGIC_CHECK(w, MAGIC);
    if (status < 500)
        endpoint_answered(&w->pace, took_us, loop_now(w->loop));
    else
        endpoint_erred(&w->pace, took_us, loop_now(w->loop));
}

void way_unanswered(struct way *w, uint64_t took_us, bool is_over)
{
    MAGIC_CHECK(w, MAGIC);
    if (is_over)
        endpoint_failed(&w->pace, took_us, loop_now(w->loop));
    else if (took_us > w->pace.mean_us)
        endpoint_answered(&w->pace, took_us, loop_now(w->loop));
}

void way_lent(struct way *w)
{
    MAGIC_CHECK(w, MAGIC);
    w->requests++;
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

void way_blame(const struct way *w, bool has_endpoint, struct verdict *v)
{
    struct verdict old = *v;
    const char *exit = w ? w->outlet->name : NULL;
    const char *endpoint = w && w->own && has_endpoint ? w->host->authority : NULL;
    if (exit || endpoint)
        snprintf(v->detail, sizeof v->detail, "%s%s%s%s%s%s%s", exit ? "exit " : "",
                 exit ? exit : "", exit ? ": " : "", endpoint ? "endpoint " : "",
                 endpoint ? endpoint : "", endpoint ? ": " : "", old.detail);
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
    view->exit = w->outlet->name;
    view->endpoint = w->own ? w->host : NULL;
    view->pace = w->pace;
    view->requests = w->requests;
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
