#include "upstream/pool.h"

#include <stdio.h>

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
    struct pool_origin origin;
    struct ways ways;
    char object[80];      /* "upstream NAME", for the log */
    bool ending;          /* the daemon drains */
    struct list requests; /* all under way, with a line or without */
    struct list fetches;  /* what goes on for them */
    struct list tunnels;
    bool bypass_warned;
    const struct pool_freeze *freeze; /* NULL: there is none */
    struct serializer *serializer;
    struct upstream_stats stats;
    struct clock_watch clock;
    struct standing standing;
    struct pool_looks *looks; /* what was last described of several ways */
    struct task end;
    void (*on_empty)(void *owner, struct pool *);
    void *owner;
};

static const char gone_text[] = "the upstream was paused, and is gone from the configuration";
static const char draining_text[] = "the upstream is draining";

static void enter(struct pool *p, enum pool_state to)
{
    STATE_ENTER(pool, &p->state, to, p->object, 0);
    EACH_WAY (&p->ways, w)
        pool_queue_pause(&w->queue, to == POOL_PAUSED);
    LIST_FOR (&p->ways.leaving, w, struct way, link)
        pool_queue_pause(&w->queue, to == POOL_PAUSED);
}

static int64_t wall_ms(const struct pool *p)
{
    struct timespec t = loop_wall(p->loop);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
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

/* ------------------------------------------------------------------ requests */

struct line *pool_acquire(struct pool *p, struct way *way, struct pool_waiter *w, uint64_t until_ms)
{
    MAGIC_CHECK(p, MAGIC);
    if (p->state != POOL_DRAINING && p->state != POOL_GONE)
        return pool_queue_ask(&way->queue, w, until_ms);
    struct verdict why =
        pool_queue_unavailable(&way->queue, p->state == POOL_GONE ? gone_text : draining_text);
    pool_queue_turn_away(&way->queue, w, &why);
    return NULL;
}

bool pool_admits(const struct pool *p, struct verdict *why)
{
    if (p->state == POOL_PAUSED)
        *why = pool_queue_unavailable(&p->ways.at[0]->queue, "the upstream is paused");
    else if (p->state == POOL_DRAINING)
        *why = pool_queue_unavailable(&p->ways.at[0]->queue, draining_text);
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

void pool_adopt(struct pool *p, struct way *w, struct stream *stream,
                const struct dial_report *report)
{
    MAGIC_CHECK(p, MAGIC);
    if (p->state == POOL_UP)
        way_adopt(w, stream, report);
    else
        stream_close(stream);
}

void pool_warn_bypassed(struct pool *p)
{
    p->stats.tunnels_bypassing++;
    if (p->bypass_warned)
        return;
    p->bypass_warned = true;
    LOG(WARN, p->object, "a client tunnels to it by CONNECT: what is inside is not pooled");
}

void pool_learn_clock(struct pool *p, const struct fields *fields, uint64_t sent_us)
{
    clock_watch_learn(&p->clock, p->loop, fields, sent_us, p->object);
}

struct serializer *pool_serializer(struct pool *p)
{
    return p->serializer;
}

/* ----------------------------------------------------------------- its life */

static void set_ways(struct pool *p, struct config *old, bool renew)
{
    const struct ways_mood mood = {p->state == POOL_PAUSED, p->ending || p->state == POOL_DRAINING};
    ways_set(&p->ways, p->settings, old, renew, mood);
    EACH_EXIT(&p->ways, w)
    gate_limit_bots(w->gate, p->snapshot);
}

struct pool *pool_new(struct loop *loop, const struct way_maker *maker, struct config *snapshot,
                      const struct upstream_config *settings, const struct pool_origin *origin,
                      void (*on_empty)(void *owner, struct pool *), void *owner)
{
    struct pool *p = NEW(struct pool);
    p->magic = MAGIC;
    p->id = loop_number(loop);
    p->loop = loop;
    p->snapshot = config_ref(snapshot);
    p->settings = settings;
    p->origin = (struct pool_origin){must_strdup(origin->name), must_strdup(origin->origin),
                                     must_strdup(origin->authority), must_strdup(origin->next_hop),
                                     origin->listed};
    snprintf(p->object, sizeof p->object, "upstream %s", origin->name);
    p->on_empty = on_empty;
    p->owner = owner;
    list_init(&p->requests);
    list_init(&p->fetches);
    list_init(&p->tunnels);
    p->serializer = serializer_new(loop);
    p->looks = pool_looks_new();
    task_init(&p->end, on_end);
    standing_commanded(&p->standing, wall_ms(p), false);
    recent_begin(&p->stats.recent, loop_clock_us(loop));
    ways_init(&p->ways,
              &(struct way_common){
                  .loop = loop, .upstream = p->origin.name, .maker = *maker, .stats = &p->stats});
    set_ways(p, snapshot, false);
    return p;
}

void pool_free(struct pool *p)
{
    MAGIC_CHECK(p, MAGIC);
    CHECK(p->requests.count + p->fetches.count == 0);
    task_forget(&p->end);
    ways_free(&p->ways);
    serializer_free(p->serializer);
    pool_looks_free(p->looks);
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
    set_ways(p, old, renew);
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
                   const struct pool_origin *origin, bool renew)
{
    MAGIC_CHECK(p, MAGIC);
    struct config *old = p->snapshot;
    LOG(INFO, p->object, "its origin is %s now, it was %s", origin->origin, p->origin.origin);
    set_origin(p, origin);
    p->snapshot = config_ref(snapshot);
    p->settings = settings;
    set_ways(p, old, renew);
    config_unref(old);
}

void pool_retire(struct pool *p)
{
    MAGIC_CHECK(p, MAGIC);
    enter(p, p->state == POOL_PAUSED ? POOL_GONE : POOL_RETIRED);
    standing_commanded(&p->standing, wall_ms(p), false);
    EACH_WAY (&p->ways, w) {
        struct verdict why = pool_queue_unavailable(&w->queue, gone_text);
        if (p->state == POOL_GONE)
            pool_queue_refuse_all(&w->queue, &why);
        lines_drain(&w->lines);
    }
    LIST_FOR (&p->ways.leaving, l, struct way, link) {
        struct verdict why = pool_queue_unavailable(&l->queue, gone_text);
        if (p->state == POOL_GONE)
            pool_queue_refuse_all(&l->queue, &why);
    }
    check_empty(p);
}

void pool_drain(struct pool *p)
{
    MAGIC_CHECK(p, MAGIC);
    p->ending = true;
    EACH_WAY (&p->ways, w)
        lines_drain(&w->lines);
}

/* -------------------------------------------------------------------- verbs */

static void obey(struct pool *p, enum pool_state to)
{
    if (p->state == to)
        return;
    enter(p, to);
    standing_commanded(&p->standing, wall_ms(p), to == POOL_UP);
    LOG(INFO, p->object, "now %s", pool_state_name(to));
}

static void pause_pool(struct pool *p)
{
    if (p->state != POOL_UP)
        return;
    obey(p, POOL_PAUSED);
    EACH_WAY (&p->ways, w)
        way_pause(w);
    LIST_FOR (&p->ways.leaving, w, struct way, link)
        way_pause(w);
}

static void resume_pool(struct pool *p)
{
    obey(p, POOL_UP);
    ways_resume(&p->ways, p->ending);
}

static void reconnect_pool(struct pool *p)
{
    LOG(INFO, p->object, "every connection is to be replaced");
    EACH_WAY (&p->ways, w)
        lines_renew(&w->lines);
}

/* Requests that waited in a pause are served. */
static void drain_pool(struct pool *p)
{
    obey(p, POOL_DRAINING);
    EACH_WAY (&p->ways, w)
        way_drain(w);
    LIST_FOR (&p->ways.leaving, w, struct way, link)
        way_drain(w);
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
    return !p->origin.listed && p->ways.at[0]->lines.breaker.failures > 0 && p->stats.opened == 0 &&
           p->stats.tunnels_total == 0;
}

void pool_ask_frozen(struct pool *p, const struct pool_freeze *freeze)
{
    MAGIC_CHECK(p, MAGIC);
    p->freeze = freeze;
}

static bool is_frozen(const struct pool *p, int64_t *since_ms, const char **by)
{
    return p->freeze && p->freeze->is_frozen(p->freeze->context, p->origin.name, since_ms, by);
}

void pool_look_frozen(struct pool *p)
{
    int64_t since_ms;
    const char *by;
    MAGIC_CHECK(p, MAGIC);
    standing_frozen(&p->standing, is_frozen(p, &since_ms, &by), wall_ms(p));
}

/* A retired pool drains. */
static void describe_standing(const struct pool *p, struct pool_view *view)
{
    struct standing_facts f = {.now_ms = wall_ms(p),
                               .loop_ms = loop_now(p->loop),
                               .removed = is_retired(p),
                               .draining = p->state == POOL_DRAINING,
                               .paused = p->state == POOL_PAUSED,
                               .unreached = is_unreached(p),
                               .gate = &view->gate,
                               .circuit = view->circuit};
    f.frozen = is_frozen(p, &f.frozen_since_ms, &f.frozen_by);
    standing_describe(&p->standing, &f, &view->standing);
    view->state = view->standing.state;
}

void pool_describe(const struct pool *p, struct pool_view *view)
{
    MAGIC_CHECK(p, MAGIC);
    *view = (struct pool_view){
        .name = p->origin.name,
        .origin = p->origin.origin,
        .clock = clock_watch_view(&p->clock, p->loop),
        .now_s = loop_wall_s(p->loop),
        .listed = p->origin.listed,
        .tls_verify = p->settings->tls_verify,
        .requests = p->requests.count,
        .tunnels = p->tunnels.count,
        .max_wait_us = recent_max_wait_us(&p->stats.recent, loop_clock_us(p->loop)),
        .recent = &p->stats.recent,
        .now_us = loop_clock_us(p->loop),
    };
    pool_view_ways(view, &p->ways, p->looks);
    describe_standing(p, view);
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

const struct recent *pool_recent(const struct pool *p)
{
    return &p->stats.recent;
}

const struct upstream_config *pool_settings(const struct pool *p)
{
    return p->settings;
}

const struct pool_origin *pool_origin(const struct pool *p)
{
    return &p->origin;
}

bool pool_floor_tried(const struct pool *p)
{
    EACH_WAY (&p->ways, w)
        if (!w->lines.floor_tried)
            return false;
    return true;
}

size_t pool_requests(const struct pool *p)
{
    return p->requests.count;
}

void pool_each_line(const struct pool *p, line_visit *visit, void *context)
{
    EACH_WAY (&p->ways, w)
        lines_each(&w->lines, visit, context);
    LIST_FOR (&p->ways.leaving, w, struct way, link)
        lines_each(&w->lines, visit, context);
}

size_t pool_lines(const struct pool *p)
{
    return ways_lines(&p->ways);
}

const struct ways *pool_ways_shown(const struct pool *p)
{
    return &p->ways;
}

struct ways *pool_ways(struct pool *p)
{
    return &p->ways;
}
