#include "upstream/pool.h"

#include <inttypes.h>

#include "base/duration.h"
#include "base/log.h"

#define MAGIC 0x706f6f6c

enum pool_state { STATE_UP, STATE_PAUSED, STATE_DRAINING, STATE_RETIRED };

static const char *const state_names[] = {"up", "paused", "draining", "draining"};

struct pool {
    unsigned magic;
    enum pool_state state;
    struct loop *loop;
    struct config *snapshot;
    const struct upstream_config *settings;
    struct connector *connector;
    struct pool_origin origin;
    struct lines lines;
    struct list waiters;  /* for a line, first come first served */
    struct list requests; /* all under way, with a line or without */
    struct list fetches;  /* what goes on for them */
    struct list tunnels;
    bool bypass_warned;
    struct gate *gate;
    struct turns *turns;
    struct upstream_stats stats;
    struct task end;
    void (*on_empty)(void *owner, struct pool *);
    void *owner;
};

static size_t established(const struct pool *p)
{
    return p->lines.idle.count + p->lines.busy.count;
}

/* ------------------------------------------------------------------ waiters */

static struct pool_waiter *waiter_of(struct link *link)
{
    return LIST_ENTRY(link, struct pool_waiter, link);
}

static void note_wait(struct pool *p, const struct pool_waiter *w)
{
    uint64_t waited = clock_us() - w->since_us;
    if (waited > p->stats.max_wait_us)
        p->stats.max_wait_us = waited;
}

static void leave_queue(struct pool *p, struct pool_waiter *w)
{
    list_remove(&w->link);
    deadline_stop(&w->deadline);
    note_wait(p, w);
}

static void refuse(struct pool *p, struct pool_waiter *w, const struct verdict *why)
{
    leave_queue(p, w);
    w->on_refused(w->owner, why);
}

static void on_refusal(struct task *t)
{
    struct pool_waiter *w = container_of(t, struct pool_waiter, refusal);
    w->on_refused(w->owner, &w->why);
}

static void refuse_later(struct pool *p, struct pool_waiter *w, struct verdict why)
{
    w->why = why;
    loop_defer(p->loop, &w->refusal);
}

/* A dial is under way for it: as many as there are connecting lines, from the
 * front of the queue. */
static bool is_dialled_for(const struct pool *p, const struct pool_waiter *w)
{
    size_t place = 0;
    for (struct link *k = list_first(&p->waiters); k && k != &w->link; k = list_next(k))
        place++;
    return place < p->lines.connecting.count;
}

static struct verdict unavailable(const struct pool *p, const char *why)
{
    struct verdict v = verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "%s", why);
    v.retry_after = breaker_retry_after(&p->lines.breaker, loop_now(p->loop));
    return v;
}

static struct verdict waited_too_long(const struct pool *p, const struct pool_waiter *w)
{
    char waited[DURATION_TEXT_SIZE];
    duration_text(waited, (clock_us() - w->since_us) / 1000);
    if (p->state == STATE_PAUSED)
        return unavailable(p, "the upstream is paused");
    if (is_dialled_for(p, w))
        return verdict_make(FAILURE_CONNECTION_TIMEOUT, SENT_NO, "no connection within %s", waited);
    return verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO,
                        "all %u connections are busy, none came free within %s",
                        p->settings->max_connections, waited);
}

/* queue_timeout is about lines that are all taken: one that is being dialled
 * has its own timeouts, and only the request's own deadline beside them. */
static void on_deadline(struct deadline *d)
{
    struct pool_waiter *w = container_of(d, struct pool_waiter, deadline);
    struct pool *p = w->pool;
    MAGIC_CHECK(p, MAGIC);
    if (loop_now(p->loop) < w->until_ms && is_dialled_for(p, w)) {
        deadline_at(&w->deadline, w->until_ms);
        return;
    }
    struct verdict why = waited_too_long(p, w);
    refuse(p, w, &why);
}

/* ------------------------------------------------------------------ lending */

static void serve(struct pool *p)
{
    struct pool_waiter *w;
    while (p->state != STATE_PAUSED && (w = waiter_of(list_first(&p->waiters)))) {
        struct line *line = lines_take(&p->lines, w->is_order);
        if (line == NULL)
            return;
        leave_queue(p, w);
        w->on_line(w->owner, line);
    }
}

/* While the circuit is open and nothing is established, waiting is in vain for
 * all but those a probe is under way for. */
static void refuse_behind_breaker(struct pool *p)
{
    struct pool_waiter *w;
    while (p->lines.breaker.open && established(p) == 0 &&
           p->waiters.count > p->lines.connecting.count &&
           (w = waiter_of(list_last(&p->waiters)))) {
        struct verdict why = unavailable(p, "connecting failed too often; the circuit is open");
        refuse(p, w, &why);
    }
}

/* Idle lines count too: a paused pool's wait for its waiters. */
static void dial(struct pool *p)
{
    while (p->lines.connecting.count + p->lines.idle.count < p->waiters.count &&
           lines_dial(&p->lines, established(p) == 0))
        continue;
    refuse_behind_breaker(p);
}

static void check_empty(struct pool *p)
{
    if (p->state == STATE_RETIRED && p->requests.count + p->fetches.count == 0)
        loop_defer(p->loop, &p->end);
}

static void on_end(struct task *t)
{
    struct pool *p = container_of(t, struct pool, end);
    MAGIC_CHECK(p, MAGIC);
    if (p->requests.count + p->fetches.count == 0)
        p->on_empty(p->owner, p);
}

/* The line may have been found unfit: then who waits needs another. */
static void on_idle(void *owner)
{
    struct pool *p = owner;
    MAGIC_CHECK(p, MAGIC);
    serve(p);
    dial(p);
}

static void on_room(void *owner)
{
    struct pool *p = owner;
    MAGIC_CHECK(p, MAGIC);
    dial(p);
    bool open = lines_open(&p->lines) > 0;
    p->connector->ops->watch(p->connector, p->settings, open ? p : NULL);
}

/* A failed dial fails the one who waited for it; where lines are established,
 * one of them will come free for him. */
static void on_failed(void *owner, enum failure why, const char *detail)
{
    struct pool *p = owner;
    MAGIC_CHECK(p, MAGIC);
    LOG(INFO, p->lines.object, "no connection: %s: %s", failure_name(why), detail);
    if (established(p) == 0 && p->waiters.count > p->lines.connecting.count) {
        struct verdict v = verdict_make(why, SENT_NO, "%s", detail);
        refuse(p, waiter_of(list_first(&p->waiters)), &v);
    }
    on_room(p);
}

static void on_answer(void *owner)
{
    struct pool *p = owner;
    MAGIC_CHECK(p, MAGIC);
    lines_check_addresses(&p->lines);
}

/* Whom a line that could still be opened will serve does not count as waiting. */
static bool queue_is_full(const struct pool *p)
{
    size_t most = p->settings->max_connections, lines = established(p);
    size_t room = most > lines ? most - lines : 0;
    return p->waiters.count >= (size_t)p->settings->queue_limit + room;
}

struct line *pool_acquire(struct pool *p, struct pool_waiter *w, uint64_t until_ms)
{
    MAGIC_CHECK(p, MAGIC);
    uint64_t now = loop_now(p->loop);
    *w = (struct pool_waiter){.pool = p,
                              .since_us = clock_us(),
                              .until_ms = until_ms,
                              .is_order = w->is_order,
                              .owner = w->owner,
                              .on_line = w->on_line,
                              .on_refused = w->on_refused};
    task_init(&w->refusal, on_refusal);
    deadline_init(&w->deadline, p->loop, on_deadline);
    if (p->state == STATE_DRAINING) {
        refuse_later(p, w, unavailable(p, "the upstream is draining"));
        return NULL;
    }
    struct line *line = NULL;
    if (p->waiters.count == 0 && p->state != STATE_PAUSED)
        line = lines_take(&p->lines, w->is_order);
    if (line)
        return line;
    if (queue_is_full(p)) {
        refuse_later(p, w,
                     verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO,
                                  "%zu requests wait already (queue_limit)", p->waiters.count));
        return NULL;
    }
    if (p->lines.breaker.open && established(p) == 0 &&
        !breaker_allows(&p->lines.breaker, now, p->lines.connecting.count)) {
        refuse_later(p, w, unavailable(p, "connecting failed too often; the circuit is open"));
        return NULL;
    }
    list_push_back(&p->waiters, &w->link);
    uint64_t timeout = p->settings->queue_timeout;
    deadline_at(&w->deadline, timeout && now + timeout < until_ms ? now + timeout : until_ms);
    dial(p);
    return NULL;
}

void pool_forget(struct pool_waiter *w)
{
    task_forget(&w->refusal);
    deadline_stop(&w->deadline);
    list_remove(&w->link);
}

/* ----------------------------------------------------------------- its life */

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

bool pool_admits(const struct pool *p, struct verdict *why)
{
    if (p->state == STATE_PAUSED)
        *why = unavailable(p, "the upstream is paused");
    else if (p->state == STATE_DRAINING)
        *why = unavailable(p, "the upstream is draining");
    else
        return true;
    return false;
}

bool pool_vouches(const struct pool *p)
{
    return p->lines.idle.count > 0;
}

void pool_adopt(struct pool *p, struct stream *stream, const struct dial_report *report)
{
    MAGIC_CHECK(p, MAGIC);
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

struct turns *pool_turns(struct pool *p)
{
    return p->turns;
}

struct pool *pool_new(struct loop *loop, struct connector *connector, struct config *snapshot,
                      const struct upstream_config *settings, const struct pool_origin *origin,
                      void (*on_empty)(void *owner, struct pool *), void *owner)
{
    static const struct lines_events events = {on_idle, on_failed, on_room};
    struct pool *p = NEW(struct pool);
    p->magic = MAGIC;
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
    list_init(&p->requests);
    list_init(&p->fetches);
    list_init(&p->tunnels);
    p->gate = gate_new(loop, settings);
    p->turns = turns_new(loop);
    task_init(&p->end, on_end);
    connector->on_answer = on_answer;
    lines_init(&p->lines, loop, connector, settings, origin->name, &p->stats, &events, p);
    lines_keep_floor(&p->lines);
    return p;
}

void pool_free(struct pool *p)
{
    MAGIC_CHECK(p, MAGIC);
    CHECK(p->requests.count + p->fetches.count + p->waiters.count == 0);
    task_forget(&p->end);
    gate_free(p->gate);
    turns_free(p->turns);
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
    lines_configure(&p->lines, settings, renew);
    gate_configure(p->gate, settings);
    dial(p);
    config_unref(old);
}

void pool_retire(struct pool *p)
{
    MAGIC_CHECK(p, MAGIC);
    p->state = STATE_RETIRED;
    lines_drain(&p->lines);
    check_empty(p);
}

void pool_drain(struct pool *p)
{
    MAGIC_CHECK(p, MAGIC);
    lines_drain(&p->lines);
}

/* -------------------------------------------------------------------- verbs */

static void enter(struct pool *p, enum pool_state to)
{
    if (p->state == to)
        return;
    p->state = to;
    LOG(INFO, p->lines.object, "now %s", state_names[to]);
}

static void resume(struct pool *p)
{
    enter(p, STATE_UP);
    lines_undrain(&p->lines);
    serve(p);
    dial(p);
}

void pool_command(struct pool *p, enum pool_verb verb)
{
    MAGIC_CHECK(p, MAGIC);
    if (p->state == STATE_RETIRED)
        return;
    switch (verb) {
    case POOL_PAUSE:
        if (p->state == STATE_UP)
            enter(p, STATE_PAUSED);
        break;
    case POOL_RESUME: resume(p); break;
    case POOL_RECONNECT:
        LOG(INFO, p->lines.object, "every line is to be replaced");
        lines_renew(&p->lines);
        break;
    case POOL_DRAIN:
        enter(p, STATE_DRAINING);
        serve(p); /* it may have been paused */
        dial(p);
        lines_drain(&p->lines);
        break;
    case POOL_VERB_COUNT: break;
    }
}

/* ------------------------------------------------------------------ looking */

void pool_describe(const struct pool *p, struct pool_view *view)
{
    MAGIC_CHECK(p, MAGIC);
    struct gate_view gate;
    gate_describe(p->gate, &gate);
    bool is_up = p->state == STATE_UP;
    const char *breaker = breaker_state(&p->lines.breaker, p->lines.connecting.count);
    *view = (struct pool_view){
        .name = p->origin.name,
        .origin = p->origin.origin,
        .state = is_up && p->lines.breaker.open ? "open"
                 : is_up && gate.held_ms        ? "held"
                                                : state_names[p->state],
        .gate = gate,
        .breaker = breaker,
        .listed = p->origin.listed,
        .tls_verify = p->settings->tls_verify,
        .idle = p->lines.idle.count,
        .active = p->lines.busy.count,
        .connecting = p->lines.connecting.count,
        .waiting = p->waiters.count,
        .requests = p->requests.count,
        .tunnels = p->tunnels.count,
        .max_connections = p->settings->max_connections,
        .learned_idle_ms = lines_learned_ms(&p->lines),
        .stats = &p->stats,
    };
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

size_t pool_lines(const struct pool *p)
{
    return lines_open(&p->lines);
}
