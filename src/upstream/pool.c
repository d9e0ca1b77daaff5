#include "upstream/pool.h"

#include <inttypes.h>

#include "base/log.h"
#include "upstream/pool_internal.h"

static const char *const state_names[] = {"up", "paused", "draining", "draining"};

uint64_t pool_pause_clock(const struct pool *p)
{
    bool paused = p->state == STATE_PAUSED;
    return p->paused_us + (paused ? loop_clock_us(p->loop) - p->pause_began_us : 0);
}

static void set_state(struct pool *p, enum pool_state to)
{
    p->paused_us = pool_pause_clock(p);
    p->pause_began_us = loop_clock_us(p->loop);
    p->state = to;
}

static void check_empty(struct pool *p)
{
    if (p->state == STATE_RETIRED && p->requests.count + p->fetches.count == 0)
        loop_defer(p->loop, &p->end);
}

static void on_end(struct task *t)
{
    struct pool *p = container_of(t, struct pool, end);
    MAGIC_CHECK(p, POOL_MAGIC);
    if (p->requests.count + p->fetches.count == 0)
        p->on_empty(p->owner, p);
}

static void on_answer(void *owner)
{
    struct pool *p = owner;
    MAGIC_CHECK(p, POOL_MAGIC);
    lines_check_addresses(&p->lines);
}

/* ----------------------------------------------------------------- its life */

void pool_enter(struct pool *p, struct link *request)
{
    MAGIC_CHECK(p, POOL_MAGIC);
    list_push_back(&p->requests, request);
}

void pool_leave(struct pool *p, struct link *request)
{
    MAGIC_CHECK(p, POOL_MAGIC);
    list_remove(request);
    check_empty(p);
}

void pool_hold(struct pool *p, struct link *fetch)
{
    MAGIC_CHECK(p, POOL_MAGIC);
    list_push_back(&p->fetches, fetch);
}

void pool_release(struct pool *p, struct link *fetch)
{
    MAGIC_CHECK(p, POOL_MAGIC);
    list_remove(fetch);
    check_empty(p);
}

void pool_add_tunnel(struct pool *p, struct link *tunnel)
{
    MAGIC_CHECK(p, POOL_MAGIC);
    list_push_back(&p->tunnels, tunnel);
    p->stats.tunnels_total++;
}

void pool_remove_tunnel(struct pool *p, struct link *tunnel)
{
    MAGIC_CHECK(p, POOL_MAGIC);
    list_remove(tunnel);
}

bool pool_vouches(const struct pool *p)
{
    return p->lines.idle.count + p->lines.shared.count > 0;
}

void pool_adopt(struct pool *p, struct stream *stream, const struct dial_report *report)
{
    MAGIC_CHECK(p, POOL_MAGIC);
    if (p->state == STATE_UP)
        lines_adopt(&p->lines, stream, report);
    else
        stream_close(stream);
}

void pool_warn_bypassed(struct pool *p)
{
    p->stats.tunnels_bypassing++;
    if (p->bypass_warned)
        return;
    p->bypass_warned = true;
    LOG(WARN, p->lines.object, "a client tunnels to it by CONNECT: what is inside is not pooled");
}

struct gate *pool_gate(struct pool *p)
{
    return p->gate;
}

struct serializer *pool_serializer(struct pool *p)
{
    return p->serializer;
}

struct pool *pool_new(struct loop *loop, struct connector *connector, struct config *snapshot,
                      const struct upstream_config *settings, const struct pool_origin *origin,
                      void (*on_empty)(void *owner, struct pool *), void *owner)
{
    static uint64_t made;
    struct pool *p = NEW(struct pool);
    p->magic = POOL_MAGIC;
    p->id = ++made;
    p->loop = loop;
    p->connector = connector;
    p->snapshot = config_ref(snapshot);
    p->settings = settings;
    p->origin = (struct pool_origin){must_strdup(origin->name), must_strdup(origin->origin),
                                     must_strdup(origin->authority), must_strdup(origin->next_hop),
                                     origin->listed};
    p->on_empty = on_empty;
    p->owner = owner;
    list_init(&p->waiters);
    list_init(&p->orders);
    list_init(&p->loners);
    list_init(&p->requests);
    list_init(&p->fetches);
    list_init(&p->tunnels);
    p->gate = gate_new(loop, settings);
    p->serializer = serializer_new(loop);
    task_init(&p->end, on_end);
    connector->on_answer = on_answer;
    lines_init(&p->lines, loop, connector, settings, origin->name, &p->stats, &pool_queue_events,
               p);
    lines_keep_floor(&p->lines);
    return p;
}

void pool_free(struct pool *p)
{
    MAGIC_CHECK(p, POOL_MAGIC);
    CHECK(p->requests.count + p->fetches.count + p->waiters.count == 0);
    task_forget(&p->end);
    gate_free(p->gate);
    serializer_free(p->serializer);
    lines_end(&p->lines);
    p->connector->ops->watch(p->connector, p->settings, NULL);
    p->connector->ops->free(p->connector);
    stats_free(&p->stats);
    config_unref(p->snapshot);
    free((char *)p->origin.name);
    free((char *)p->origin.origin);
    free((char *)p->origin.authority);
    free((char *)p->origin.next_hop);
    p->magic = 0;
    free(p);
}

void pool_configure(struct pool *p, struct config *snapshot, const struct upstream_config *settings,
                    bool renew)
{
    MAGIC_CHECK(p, POOL_MAGIC);
    struct config *old = p->snapshot;
    p->snapshot = config_ref(snapshot);
    p->settings = settings;
    lines_configure(&p->lines, settings, renew);
    gate_configure(p->gate, settings);
    pool_serve(p);
    config_unref(old);
}

static void set_origin(struct pool *p, const struct pool_origin *to)
{
    struct pool_origin old = p->origin;
    p->origin.origin = must_strdup(to->origin);
    p->origin.authority = must_strdup(to->authority);
    p->origin.next_hop = must_strdup(to->next_hop);
    free((char *)old.origin);
    free((char *)old.authority);
    free((char *)old.next_hop);
}

void pool_redirect(struct pool *p, struct config *snapshot, const struct upstream_config *settings,
                   const struct pool_origin *origin)
{
    MAGIC_CHECK(p, POOL_MAGIC);
    struct config *old = p->snapshot;
    LOG(INFO, p->lines.object, "its origin is %s now, it was %s", origin->origin, p->origin.origin);
    p->connector->ops->watch(p->connector, p->settings, NULL);
    set_origin(p, origin);
    p->snapshot = config_ref(snapshot);
    p->settings = settings;
    gate_configure(p->gate, settings);
    lines_redirect(&p->lines, settings);
    pool_serve(p);
    config_unref(old);
}

void pool_retire(struct pool *p)
{
    MAGIC_CHECK(p, POOL_MAGIC);
    p->gone_paused = p->state == STATE_PAUSED;
    set_state(p, STATE_RETIRED);
    if (p->gone_paused)
        pool_refuse_all(p);
    lines_drain(&p->lines);
    check_empty(p);
}

void pool_drain(struct pool *p)
{
    MAGIC_CHECK(p, POOL_MAGIC);
    p->ending = true;
    lines_drain(&p->lines);
}

/* -------------------------------------------------------------------- verbs */

static void enter(struct pool *p, enum pool_state to)
{
    if (p->state == to)
        return;
    set_state(p, to);
    LOG(INFO, p->lines.object, "now %s", state_names[to]);
}

static void resume(struct pool *p)
{
    enter(p, STATE_UP);
    gate_resume(p->gate);
    lines_pause(&p->lines, false);
    if (!p->ending)
        lines_undrain(&p->lines);
    pool_serve(p);
}

void pool_command(struct pool *p, enum pool_verb verb)
{
    MAGIC_CHECK(p, POOL_MAGIC);
    if (p->state == STATE_RETIRED)
        return;
    switch (verb) {
    case POOL_PAUSE:
        if (p->state == STATE_UP) {
            enter(p, STATE_PAUSED);
            lines_pause(&p->lines, true);
        }
        break;
    case POOL_RESUME: resume(p); break;
    case POOL_RECONNECT:
        LOG(INFO, p->lines.object, "every line is to be replaced");
        lines_renew(&p->lines);
        break;
    case POOL_DRAIN:
        enter(p, STATE_DRAINING);
        lines_pause(&p->lines, false);
        pool_serve(p); /* it may have been paused */
        lines_drain(&p->lines);
        break;
    case POOL_VERB_COUNT: break;
    }
}

/* ------------------------------------------------------------------ looking */

/* A host without a block that was never reached: there may be no such host. */
static bool is_unreached(const struct pool *p)
{
    return !p->origin.listed && p->lines.breaker.failures > 0 && p->stats.opened == 0 &&
           p->stats.tunnels_total == 0;
}

void pool_describe(const struct pool *p, struct pool_view *view)
{
    MAGIC_CHECK(p, POOL_MAGIC);
    struct gate_view gate;
    gate_describe(p->gate, &gate);
    bool is_up = p->state == STATE_UP;
    const char *breaker = breaker_state(&p->lines.breaker, p->lines.connecting.count);
    *view = (struct pool_view){
        .name = p->origin.name,
        .origin = p->origin.origin,
        .state = is_up && (p->lines.breaker.open || is_unreached(p)) ? "open"
                 : is_up && gate.held_ms                             ? "held"
                                                                     : state_names[p->state],
        .gate = gate,
        .breaker = breaker,
        .listed = p->origin.listed,
        .tls_verify = p->settings->tls_verify,
        .idle = p->lines.idle.count,
        .active = p->lines.shared.count + p->lines.busy.count,
        .connecting = p->lines.connecting.count,
        .waiting = p->waiters.count,
        .requests = p->requests.count,
        .tunnels = p->tunnels.count,
        .max_connections = p->settings->max_connections,
        .max_wait_us = recent_max_wait_us(&p->stats.recent, loop_clock_us(p->loop)),
        .learned_idle_ms = lines_learned_ms(&p->lines),
        .stats = &p->stats,
    };
}

uint64_t pool_id(const struct pool *p)
{
    return p->id;
}

bool pool_is_draining(const struct pool *p)
{
    return p->state == STATE_DRAINING;
}

bool pool_is_stopped(const struct pool *p)
{
    return p->state == STATE_PAUSED || p->state == STATE_DRAINING;
}

struct upstream_stats *pool_stats(struct pool *p)
{
    return &p->stats;
}

const struct upstream_config *pool_settings(const struct pool *p)
{
    return p->settings;
}

const struct pool_origin *pool_origin(const struct pool *p)
{
    return &p->origin;
}

struct connector *pool_connector(struct pool *p)
{
    return p->connector;
}

bool pool_floor_tried(const struct pool *p)
{
    return p->lines.floor_tried;
}

size_t pool_requests(const struct pool *p)
{
    return p->requests.count;
}

size_t pool_waiting(const struct pool *p)
{
    return p->waiters.count;
}

size_t pool_lines(const struct pool *p)
{
    return lines_open(&p->lines);
}
