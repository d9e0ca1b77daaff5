#include "upstream/pool.h"

#include <inttypes.h>

#include "base/log.h"

#define MAGIC 0x706f6f6c

#define POOL_STATES(S)                                                                             \
    S(POOL_UP, "up", TO(POOL_PAUSED) | TO(POOL_DRAINING) | TO(POOL_RETIRED))                       \
    S(POOL_PAUSED, "paused", TO(POOL_UP) | TO(POOL_DRAINING) | TO(POOL_GONE))                      \
    S(POOL_DRAINING, "draining", TO(POOL_UP) | TO(POOL_RETIRED))                                   \
    S(POOL_RETIRED, "retired", 0)                                                                  \
    S(POOL_GONE, "gone", 0)
STATE_TYPE(pool, POOL_STATES)

struct pool {
    unsigned magic;
    uint64_t id;
    enum pool_state state;
    struct loop *loop;
    struct config *snapshot;
    const struct upstream_config *settings;
    struct connector *connector;
    struct pool_origin origin;
    struct lines lines;
    struct pool_queue queue;
    bool ending;          /* the daemon drains */
    struct list requests; /* all under way, with a line or without */
    struct list fetches;  /* what goes on for them */
    struct list tunnels;
    bool bypass_warned;
    const struct pool_freeze *freeze; /* NULL: there is none */
    struct gate *gate;
    struct serializer *serializer;
    struct upstream_stats stats;
    struct clock_watch clock;
    struct task end;
    void (*on_empty)(void *owner, struct pool *);
    void *owner;
};

static const char gone_text[] = "the upstream was paused, and is gone from the configuration";
static const char draining_text[] = "the upstream is draining";

static void enter(struct pool *p, enum pool_state to)
{
    STATE_ENTER(pool, &p->state, to, p->lines.object, 0);
    pool_queue_pause(&p->queue, to == POOL_PAUSED);
}

static bool is_retired(const struct pool *p)
{
    return p->state == POOL_RETIRED || p->state == POOL_GONE;
}

static void check_empty(struct pool *p)
{
    if (is_retired(p) && p->requests.count + p->fetches.count == 0)
        loop_defer(p->loop, &p->end);
}

static void on_end(struct task *t)
{
    struct pool *p = container_of(t, struct pool, end);
    MAGIC_CHECK(p, MAGIC);
    if (p->requests.count + p->fetches.count == 0)
        p->on_empty(p->owner, p);
}

static void on_answer(void *owner)
{
    struct pool *p = owner;
    MAGIC_CHECK(p, MAGIC);
    lines_check_addresses(&p->lines);
}

/* -------------------------------------------------------- what its lines tell */

static void on_idle(void *owner)
{
    struct pool *p = owner;
    MAGIC_CHECK(p, MAGIC);
    pool_queue_serve(&p->queue);
}

/* The addresses are kept fresh as long as there are lines to compare with them. */
static void on_room(void *owner)
{
    struct pool *p = owner;
    MAGIC_CHECK(p, MAGIC);
    pool_queue_dial(&p->queue);
    bool open = lines_open(&p->lines) > 0;
    p->connector->ops->watch(p->connector, p->settings, open ? p : NULL);
}

static void on_failed(void *owner, enum failure why, const char *detail)
{
    struct pool *p = owner;
    MAGIC_CHECK(p, MAGIC);
    pool_queue_dial_failed(&p->queue, why, detail);
    on_room(p);
}

/* ------------------------------------------------------------------ requests */

struct line *pool_acquire(struct pool *p, struct pool_waiter *w, uint64_t until_ms)
{
    MAGIC_CHECK(p, MAGIC);
    if (p->state != POOL_DRAINING && p->state != POOL_GONE)
        return pool_queue_ask(&p->queue, w, until_ms);
    struct verdict why =
        pool_queue_unavailable(&p->queue, p->state == POOL_GONE ? gone_text : draining_text);
    pool_queue_turn_away(&p->queue, w, &why);
    return NULL;
}

uint64_t pool_patience(const struct pool *p)
{
    MAGIC_CHECK(p, MAGIC);
    return pool_queue_patience(&p->queue);
}

void pool_gave_way(struct pool *p)
{
    MAGIC_CHECK(p, MAGIC);
    pool_queue_gave_way(&p->queue);
}

bool pool_admits(const struct pool *p, struct verdict *why)
{
    if (p->state == POOL_PAUSED)
        *why = pool_queue_unavailable(&p->queue, "the upstream is paused");
    else if (p->state == POOL_DRAINING)
        *why = pool_queue_unavailable(&p->queue, draining_text);
    else
        return true;
    return false;
}

void pool_enter(struct pool *p, struct link *request)
{
    MAGIC_CHECK(p, MAGIC);
    list_push_back(&p->requests, request);
}

void pool_leave(struct pool *p, struct link *request)
{
    MAGIC_CHECK(p, MAGIC);
    list_remove(request);
    check_empty(p);
}

void pool_hold(struct pool *p, struct link *fetch)
{
    MAGIC_CHECK(p, MAGIC);
    list_push_back(&p->fetches, fetch);
}

void pool_release(struct pool *p, struct link *fetch)
{
    MAGIC_CHECK(p, MAGIC);
    list_remove(fetch);
    check_empty(p);
}

void pool_add_tunnel(struct pool *p, struct link *tunnel)
{
    MAGIC_CHECK(p, MAGIC);
    list_push_back(&p->tunnels, tunnel);
    p->stats.tunnels_total++;
}

void pool_remove_tunnel(struct pool *p, struct link *tunnel)
{
    MAGIC_CHECK(p, MAGIC);
    list_remove(tunnel);
}

bool pool_vouches(const struct pool *p)
{
    return p->lines.idle.count + p->lines.shared.count > 0;
}

void pool_adopt(struct pool *p, struct stream *stream, const struct dial_report *report)
{
    MAGIC_CHECK(p, MAGIC);
    if (p->state == POOL_UP)
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

void pool_learn_clock(struct pool *p, const struct fields *fields, uint64_t sent_us)
{
    clock_watch_learn(&p->clock, p->loop, fields, sent_us, p->lines.object);
}

struct gate *pool_gate(struct pool *p)
{
    return p->gate;
}

const struct holds *pool_limits(const struct pool *p)
{
    return gate_limits(p->gate);
}

struct serializer *pool_serializer(struct pool *p)
{
    return p->serializer;
}

/* ----------------------------------------------------------------- its life */

struct pool *pool_new(struct loop *loop, struct connector *connector, struct config *snapshot,
                      const struct upstream_config *settings, const struct pool_origin *origin,
                      void (*on_empty)(void *owner, struct pool *), void *owner)
{
    static const struct lines_events lines_events = {on_idle, on_failed, on_room};
    struct pool *p = NEW(struct pool);
    p->magic = MAGIC;
    p->id = loop_number(loop);
    p->loop = loop;
    p->connector = connector;
    p->snapshot = config_ref(snapshot);
    p->settings = settings;
    p->origin = (struct pool_origin){must_strdup(origin->name), must_strdup(origin->origin),
                                     must_strdup(origin->authority), must_strdup(origin->next_hop),
                                     origin->listed};
    p->on_empty = on_empty;
    p->owner = owner;
    list_init(&p->requests);
    list_init(&p->fetches);
    list_init(&p->tunnels);
    p->gate = gate_new(loop, settings);
    gate_limit_bots(p->gate, snapshot);
    p->serializer = serializer_new(loop);
    task_init(&p->end, on_end);
    connector->on_answer = on_answer;
    lines_init(&p->lines, loop, connector, settings, origin->name, &p->stats, &lines_events, p);
    pool_queue_init(&p->queue, loop, &p->lines, settings, &p->stats.recent);
    lines_keep_floor(&p->lines);
    return p;
}

void pool_free(struct pool *p)
{
    MAGIC_CHECK(p, MAGIC);
    CHECK(p->requests.count + p->fetches.count + p->queue.waiters.count == 0);
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
    MAGIC_CHECK(p, MAGIC);
    struct config *old = p->snapshot;
    p->snapshot = config_ref(snapshot);
    p->settings = settings;
    pool_queue_configure(&p->queue, settings);
    lines_configure(&p->lines, settings, renew);
    gate_configure(p->gate, settings);
    gate_limit_bots(p->gate, snapshot);
    pool_queue_serve(&p->queue);
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
    MAGIC_CHECK(p, MAGIC);
    struct config *old = p->snapshot;
    LOG(INFO, p->lines.object, "its origin is %s now, it was %s", origin->origin, p->origin.origin);
    p->connector->ops->watch(p->connector, p->settings, NULL);
    set_origin(p, origin);
    p->snapshot = config_ref(snapshot);
    p->settings = settings;
    pool_queue_configure(&p->queue, settings);
    gate_configure(p->gate, settings);
    gate_limit_bots(p->gate, snapshot);
    lines_redirect(&p->lines, settings);
    pool_queue_serve(&p->queue);
    config_unref(old);
}

void pool_retire(struct pool *p)
{
    MAGIC_CHECK(p, MAGIC);
    enter(p, p->state == POOL_PAUSED ? POOL_GONE : POOL_RETIRED);
    if (p->state == POOL_GONE) {
        struct verdict why = pool_queue_unavailable(&p->queue, gone_text);
        pool_queue_refuse_all(&p->queue, &why);
    }
    lines_drain(&p->lines);
    check_empty(p);
}

void pool_drain(struct pool *p)
{
    MAGIC_CHECK(p, MAGIC);
    p->ending = true;
    lines_drain(&p->lines);
}

/* -------------------------------------------------------------------- verbs */

static void obey(struct pool *p, enum pool_state to)
{
    if (p->state == to)
        return;
    enter(p, to);
    LOG(INFO, p->lines.object, "now %s", pool_state_name(to));
}

static void pause_pool(struct pool *p)
{
    if (p->state != POOL_UP)
        return;
    obey(p, POOL_PAUSED);
    lines_pause(&p->lines, true);
}

static void resume_pool(struct pool *p)
{
    obey(p, POOL_UP);
    gate_resume(p->gate);
    lines_pause(&p->lines, false);
    if (!p->ending)
        lines_undrain(&p->lines);
    pool_queue_serve(&p->queue);
}

static void reconnect_pool(struct pool *p)
{
    LOG(INFO, p->lines.object, "every connection is to be replaced");
    lines_renew(&p->lines);
}

/* Requests that waited in a pause are served. */
static void drain_pool(struct pool *p)
{
    obey(p, POOL_DRAINING);
    lines_pause(&p->lines, false);
    pool_queue_serve(&p->queue);
    lines_drain(&p->lines);
}

void pool_command(struct pool *p, enum pool_verb verb)
{
    MAGIC_CHECK(p, MAGIC);
    if (is_retired(p))
        return;
    switch (verb) {
    case POOL_PAUSE: pause_pool(p); break;
    case POOL_RESUME: resume_pool(p); break;
    case POOL_RECONNECT: reconnect_pool(p); break;
    case POOL_DRAIN: drain_pool(p); break;
    case POOL_FREEZE:
    case POOL_UNFREEZE: /* it does not keep what is frozen */
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

void pool_ask_frozen(struct pool *p, const struct pool_freeze *freeze)
{
    MAGIC_CHECK(p, MAGIC);
    p->freeze = freeze;
}

/* In the words of /stats (contract 6 and 12): a retired pool drains. */
static const char *state_word(const struct pool *p, const struct gate_view *gate)
{
    if (p->freeze && p->freeze->is_frozen(p->freeze->context, p->origin.name))
        return "frozen";
    if (p->state != POOL_UP)
        return pool_state_name(is_retired(p) ? POOL_DRAINING : p->state);
    if (gate->held_ms)
        return "held";
    return breaker_is_open(&p->lines.breaker) || is_unreached(p) ? "open" : "up";
}

void pool_describe(const struct pool *p, struct pool_view *view)
{
    MAGIC_CHECK(p, MAGIC);
    struct gate_view gate;
    gate_describe(p->gate, &gate);
    *view = (struct pool_view){
        .name = p->origin.name,
        .origin = p->origin.origin,
        .state = state_word(p, &gate),
        .gate = gate,
        .clock = clock_watch_view(&p->clock, p->loop),
        .breaker = breaker_word(&p->lines.breaker, p->lines.connecting.count),
        .listed = p->origin.listed,
        .tls_verify = p->settings->tls_verify,
        .idle = p->lines.idle.count,
        .active = p->lines.shared.count + p->lines.busy.count,
        .connecting = p->lines.connecting.count,
        .waiting = p->queue.waiters.count,
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
    return p->state == POOL_DRAINING;
}

bool pool_is_stopped(const struct pool *p)
{
    return p->state == POOL_PAUSED || p->state == POOL_DRAINING;
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

const struct line_env *pool_line_env(const struct pool *p)
{
    return &p->lines.env;
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
    return p->queue.waiters.count;
}

void pool_each_line(const struct pool *p, line_visit *visit, void *context)
{
    lines_each(&p->lines, visit, context);
}

size_t pool_lines(const struct pool *p)
{
    return lines_open(&p->lines);
}
