#include <inttypes.h>

#include "base/duration.h"
#include "base/log.h"
#include "base/rare.h"
#include "upstream/pool_internal.h"

static size_t established(const struct pool *p)
{
    return p->lines.idle.count + p->lines.shared.count + p->lines.busy.count;
}

/* How long a reader may take nothing while others wait for its line. */
#define PATIENCE_MS 2000
#define PATIENCE_ORDER_MS 500
#define PATIENCE_LEAST_MS 100

/* ------------------------------------------------------------------ waiters */

static struct pool_waiter *waiter_of(struct link *link)
{
    return LIST_ENTRY(link, struct pool_waiter, link);
}

uint64_t pool_paused_us(const struct pool_waiter *w)
{
    return w->pool ? pool_pause_clock(w->pool) - w->unpaused_us : 0;
}

static void note_wait(struct pool *p, const struct pool_waiter *w)
{
    uint64_t now = loop_clock_us(p->loop);
    recent_waited(&p->stats.recent, now, now - w->since_us - pool_paused_us(w));
}

static void stand_in_queue(struct pool *p, struct pool_waiter *w)
{
    list_push_back(&p->waiters, &w->link);
    if (w->rides_alone) {
        list_push_back(&p->orders, &w->order);
        list_push_back(&p->loners, &w->alone);
    }
    p->want_new += w->wants_new;
}

static void step_out(struct pool *p, struct pool_waiter *w)
{
    if (w->link.on)
        p->want_new -= w->wants_new;
    list_remove(&w->link);
    list_remove(&w->order);
    list_remove(&w->alone);
    deadline_stop(&w->deadline);
}

static void leave_queue(struct pool *p, struct pool_waiter *w)
{
    step_out(p, w);
    note_wait(p, w);
}

static void refuse(struct pool *p, struct pool_waiter *w, const struct verdict *why)
{
    leave_queue(p, w);
    w->on_refused(w->owner, why);
}

static struct verdict unavailable(const struct pool *p, const char *why)
{
    struct verdict v = verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "%s", why);
    v.retry_after = breaker_retry_after(&p->lines.breaker, loop_now(p->loop));
    return v;
}

static const char gone_text[] = "the upstream was paused, and is gone from the configuration";

void pool_refuse_all(struct pool *p)
{
    struct pool_waiter *w;
    while ((w = waiter_of(list_first(&p->waiters)))) {
        struct verdict v = unavailable(p, gone_text);
        refuse(p, w, &v);
    }
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

/* How many waiters the lines under way will serve, and those that may be dead, or not:
 * nobody while it is paused. */
static size_t dialled_for(const struct pool *p)
{
    if (p->state == STATE_PAUSED)
        return 0;
    return (p->lines.connecting.count + lines_doubted(&p->lines)) *
           origin_traits_streams(&p->lines.traits, p->settings);
}

/* A dial is under way for it: for as many as the connecting lines will carry, from
 * the front of the queue. */
static bool is_dialled_for(const struct pool *p, const struct pool_waiter *w)
{
    size_t left = dialled_for(p);
    for (struct link *k = list_first(&p->waiters); k && left; k = list_next(k), left--)
        if (k == &w->link)
            return true;
    return false;
}

/* Those who gave way a short while ago count as well: who waits behind many others waits
 * for several rounds of slow readers. A paused pool lends nothing, whatever comes free. */
uint64_t pool_patience(const struct pool *p)
{
    MAGIC_CHECK(p, POOL_MAGIC);
    size_t served = dialled_for(p), waiting = p->waiters.count;
    size_t room = established(p) * origin_traits_streams(&p->lines.traits, p->settings);
    if (p->state == STATE_PAUSED || waiting <= served || room == 0)
        return UINT64_MAX;
    uint64_t all = p->orders.count ? PATIENCE_ORDER_MS : PATIENCE_MS;
    size_t gave_way = loop_now(p->loop) - p->gave_way_ms < PATIENCE_MS ? p->gave_way : 0;
    size_t rounds = (gave_way + waiting - served + room - 1) / room;
    return all / rounds > PATIENCE_LEAST_MS ? all / rounds : PATIENCE_LEAST_MS;
}

void pool_gave_way(struct pool *p)
{
    uint64_t now = loop_now(p->loop);
    MAGIC_CHECK(p, POOL_MAGIC);
    if (now - p->gave_way_ms >= PATIENCE_MS) {
        p->gave_way = 0;
        p->gave_way_ms = now;
    }
    rare_note(RARE_READER_GAVE_WAY);
    p->gave_way++;
}

static struct verdict waited_too_long(const struct pool *p, const struct pool_waiter *w)
{
    char waited[DURATION_TEXT_SIZE];
    duration_text(waited, (loop_clock_us(p->loop) - w->since_us) / 1000);
    if (p->state == STATE_PAUSED)
        return unavailable(p, "the upstream is paused");
    if (is_dialled_for(p, w))
        return verdict_make(FAILURE_CONNECTION_TIMEOUT, SENT_NO, "no connection within %s", waited);
    return verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO,
                        "all %u connections are busy, none came free within %s",
                        p->settings->max_connections, waited);
}

bool pool_connects_for(const struct pool_waiter *w)
{
    return w->pool && w->link.on && is_dialled_for(w->pool, w);
}

struct verdict pool_refusal(const struct pool_waiter *w)
{
    return waited_too_long(w->pool, w);
}

static void serve(struct pool *p);

static uint64_t due_of(const struct pool_waiter *w)
{
    uint64_t timeout = w->pool->settings->queue_timeout;
    uint64_t at = w->since_ms + timeout;
    return timeout && at < w->until_ms ? at : w->until_ms;
}

/* queue_timeout is about lines that are all taken: one that is being dialled
 * has its own timeouts, and only the request's own deadline beside them. */
static void on_deadline(struct deadline *d)
{
    struct pool_waiter *w = container_of(d, struct pool_waiter, deadline);
    struct pool *p = w->pool;
    MAGIC_CHECK(p, POOL_MAGIC);
    if (w->alone.on) { /* it has hoped long enough */
        rare_note(RARE_ORDER_SHARES);
        list_remove(&w->alone);
        deadline_at(&w->deadline, due_of(w));
        serve(p);
        return;
    }
    if (loop_now(p->loop) < w->until_ms && is_dialled_for(p, w)) {
        rare_note(RARE_QUEUE_CONNECTS);
        deadline_at(&w->deadline, w->until_ms);
        return;
    }
    struct verdict why = waited_too_long(p, w);
    refuse(p, w, &why);
}

/* ------------------------------------------------------------------ lending */

/* Who wants a line of its own shares one only if none may come for it: `before`
 * others hope for one too. */
static bool hopes(const struct pool *p, const struct pool_waiter *w, size_t before)
{
    bool settles = w->link.on && !w->alone.on; /* it has hoped long enough */
    return w->wants_new || (w->rides_alone && !settles && before < lines_coming(&p->lines));
}

static struct line *take(struct pool *p, const struct pool_waiter *w, size_t before)
{
    const struct lines_wish wish = {w->is_order, w->rides_alone, !hopes(p, w, before),
                                    w->wants_new};
    return lines_take(&p->lines, &wish);
}

/* The first in the queue who can have a line. Those that hope for one of their
 * own keep nobody else from sharing what there is. */
static struct pool_waiter *find_next(struct pool *p, struct line **line)
{
    size_t hoping = 0;
    for (struct link *k = list_first(&p->waiters); k; k = list_next(k)) {
        struct pool_waiter *w = waiter_of(k);
        if ((*line = take(p, w, hoping)))
            return w;
        if (!hopes(p, w, hoping))
            return NULL;
        hoping++;
    }
    return NULL;
}

static void serve(struct pool *p)
{
    struct pool_waiter *w;
    struct line *line;
    while (p->state != STATE_PAUSED && !p->serving && (w = find_next(p, &line))) {
        leave_queue(p, w);
        p->serving = true; /* who comes meanwhile is last */
        w->on_line(w->owner, line);
        p->serving = false;
    }
}

/* An open circuit and nothing established: waiting is in vain. A paused pool waits for
 * its operator, whatever its origin does. */
static bool is_cut_off(const struct pool *p)
{
    return p->state != STATE_PAUSED && p->lines.breaker.open && established(p) == 0;
}

/* All are refused but those a probe is under way for. */
static void refuse_behind_breaker(struct pool *p)
{
    struct pool_waiter *w;
    while (is_cut_off(p) && p->waiters.count > dialled_for(p) &&
           (w = waiter_of(list_last(&p->waiters)))) {
        struct verdict why = unavailable(p, "connecting failed too often; the circuit is open");
        refuse(p, w, &why);
    }
}

/* One for each who wants a new line, in the place of an idle one at the cap. */
static void dial_new(struct pool *p)
{
    while (p->state != STATE_PAUSED && p->want_new > lines_unused(&p->lines))
        if (!lines_dial(&p->lines, DIAL_FOR_WAITER) && !lines_make_room(&p->lines))
            return;
}

/* Idle lines count too: a paused pool's wait for its waiters. Orders dial for themselves,
 * though a line under way may turn out to carry them as well. */
static void dial(struct pool *p)
{
    struct lines *s = &p->lines;
    size_t waiters = p->waiters.count, loners = p->loners.count, have;
    size_t wanted = waiters ? origin_traits_lines(&s->traits, p->settings, waiters, loners) : 0;
    size_t at_once = loners + (waiters > loners), awaited = waiters ? lines_awaited(s) : 0;
    if (p->want_new)
        dial_new(p);
    while ((have = s->connecting.count + lines_ready(s) + awaited) < wanted &&
           lines_dial(s, have < at_once ? DIAL_FOR_WAITER : DIAL_FOR_BURST))
        continue;
    refuse_behind_breaker(p);
}

/* The line may have been found unfit: then who waits needs another. */
void pool_serve(struct pool *p)
{
    if (p->want_new)
        dial_new(p);
    serve(p);
    dial(p);
}

static void on_idle(void *owner)
{
    struct pool *p = owner;
    MAGIC_CHECK(p, POOL_MAGIC);
    pool_serve(p);
}

static void on_room(void *owner)
{
    struct pool *p = owner;
    MAGIC_CHECK(p, POOL_MAGIC);
    dial(p);
    bool open = lines_open(&p->lines) > 0;
    p->connector->ops->watch(p->connector, p->settings, open ? p : NULL);
}

/* Where lines are established, one of them will come free, or is shared. Want of a
 * descriptor says nothing of the dials that have one: their lines will come free too. */
static bool fails_waiters(const struct pool *p, enum failure why)
{
    bool ours = why == FAILURE_CONNECTION_LIMIT_REACHED;
    return p->state != STATE_PAUSED && established(p) == 0 &&
           !(ours && p->lines.connecting.count > 0) && p->waiters.count > dialled_for(p);
}

/* A failed dial fails those who waited for it, if there is nothing else to wait for. */
static void on_failed(void *owner, enum failure why, const char *detail)
{
    struct pool *p = owner;
    MAGIC_CHECK(p, POOL_MAGIC);
    if (why != FAILURE_CONNECTION_LIMIT_REACHED) /* said already, and not so often */
        LOG(INFO, p->lines.object, "no connection: %s: %s", failure_name(why), detail);
    struct verdict v = verdict_make(why, SENT_NO, "%s", detail);
    for (size_t n = origin_traits_streams(&p->lines.traits, p->settings); n; n--)
        if (fails_waiters(p, why))
            refuse(p, waiter_of(list_first(&p->waiters)), &v);
    serve(p);
    on_room(p);
}

const struct lines_events pool_queue_events = {on_idle, on_failed, on_room};

/* ------------------------------------------------------------------ asking */

/* Whom a line that could still be opened will serve does not count as waiting. */
static bool queue_is_full(const struct pool *p)
{
    size_t most = p->settings->max_connections, lines = established(p);
    size_t room = most > lines ? most - lines : 0;
    room *= origin_traits_streams(&p->lines.traits, p->settings);
    return p->waiters.count >= (size_t)p->settings->queue_limit + room;
}

/* A line that has room for more has nobody waiting for it but those who hope for
 * one of their own. */
static struct line *take_at_once(struct pool *p, const struct pool_waiter *w)
{
    if (p->state == STATE_PAUSED || p->serving)
        return NULL;
    if (p->waiters.count == p->want_new) /* who want none of what is here */
        return take(p, w, 0);
    return w->rides_alone || p->lines.shared.count == 0 ? NULL : take(p, w, 0);
}

/* Orders give up hoping for a line of their own half-way. */
static uint64_t first_due(const struct pool *p, const struct pool_waiter *w)
{
    uint64_t now = loop_now(p->loop), due = due_of(w);
    return w->rides_alone && due > now ? now + (due - now) / 2 : due;
}

/* With the circuit open. Who has another answer lets the probe be made without him. */
static bool may_wait_for_probe(struct pool *p, const struct pool_waiter *w)
{
    if (lines_dial_at(&p->lines, DIAL_FOR_WAITER) > loop_now(p->loop))
        return false;
    if (w->yields)
        lines_dial(&p->lines, DIAL_FOR_WAITER);
    return !w->yields;
}

struct line *pool_acquire(struct pool *p, struct pool_waiter *w, uint64_t until_ms)
{
    MAGIC_CHECK(p, POOL_MAGIC);
    uint64_t now = loop_now(p->loop);
    *w = (struct pool_waiter){.pool = p,
                              .since_us = loop_clock_us(p->loop),
                              .unpaused_us = pool_pause_clock(p),
                              .since_ms = now,
                              .until_ms = until_ms,
                              .is_order = w->is_order,
                              .rides_alone = w->rides_alone,
                              .wants_new = w->wants_new,
                              .yields = w->yields,
                              .id = w->id,
                              .owner = w->owner,
                              .on_line = w->on_line,
                              .on_refused = w->on_refused};
    task_init(&w->refusal, on_refusal);
    deadline_init(&w->deadline, p->loop, on_deadline);
    if (p->state == STATE_DRAINING || p->gone_paused) {
        refuse_later(p, w, unavailable(p, p->gone_paused ? gone_text : "the upstream is draining"));
        return NULL;
    }
    struct line *line = take_at_once(p, w);
    if (line)
        return line;
    if (queue_is_full(p)) {
        refuse_later(p, w,
                     verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO,
                                  "%zu requests wait already (queue_limit)", p->waiters.count));
        return NULL;
    }
    if (is_cut_off(p) && !may_wait_for_probe(p, w)) {
        refuse_later(p, w, unavailable(p, "connecting failed too often; the circuit is open"));
        return NULL;
    }
    LOG(DEBUG, p->lines.object, "%zu requests wait for a connection before this one id=%s",
        p->waiters.count, request_id_text(w->id));
    stand_in_queue(p, w);
    deadline_at(&w->deadline, first_due(p, w));
    dial(p);
    return NULL;
}

void pool_forget(struct pool_waiter *w)
{
    task_forget(&w->refusal);
    if (w->pool)
        step_out(w->pool, w);
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
