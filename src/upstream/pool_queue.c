/* Which requests wait for a line, and for what.
 *
 * A request that asks gets a line at once if none waits before it (take_at_once()); else it
 * is queued, at the end of `waiters`. Orders are on `orders` as well; those that still hope
 * for a line of their own are on `loners` too, until half of their time has passed. Both are
 * lists beside the queue, so that nothing has to walk it.
 *
 * serve() runs after every change. It goes through the queue from the front, and gives the
 * first waiter that can have a line one (find_next()). It is first come, first served since it
 * stops at the first waiter that gets none, with one exception: a waiter that hopes for a line
 * of its own (hopes(): one may come for it) keeps none behind it from sharing a line that
 * has room, which it does not want. A waiter that is told of its line may ask again from
 * within that event; meanwhile `serving` is set, so that it is queued at the end.
 *
 * dial() runs after that, and whenever another line may be dialled (on_room). It compares the
 * lines that the waiters need with those that connect, are idle or will be known to be alive
 * in a moment, and dials the difference, as far as lines_dial_at() allows.
 *
 * What ends a wait: a line; its deadline (queue_timeout, or the request's own time), which
 * only a line that connects for it prolongs (on_deadline()); a failed dial with nothing else
 * to wait for (pool_queue_dial_failed()); a circuit that opens (refuse_behind_breaker()).
 * Lines under way count for as many waiters from the front as they will carry
 * (dialled_for()). */
#include "upstream/pool_queue.h"

#include <inttypes.h>

#include "base/duration.h"
#include "base/log.h"
#include "base/rare.h"

#define MAGIC 0x71756575

/* How long a reader may take nothing while others wait for its line. */
#define PATIENCE_MS 2000
#define PATIENCE_ORDER_MS 500
#define PATIENCE_LEAST_MS 100

static size_t established(const struct pool_queue *q)
{
    return q->lines->idle.count + q->lines->shared.count + q->lines->busy.count;
}

/* ------------------------------------------------------------------ waiters */

static struct pool_waiter *waiter_of(struct link *link)
{
    return LIST_ENTRY(link, struct pool_waiter, link);
}

/* A clock that goes in pauses only: how long it was paused in all. */
static uint64_t pause_clock(const struct pool_queue *q)
{
    return q->paused_us + (q->paused ? loop_clock_us(q->loop) - q->pause_began_us : 0);
}

void pool_queue_pause(struct pool_queue *q, bool paused)
{
    MAGIC_CHECK(q, MAGIC);
    q->paused_us = pause_clock(q);
    q->pause_began_us = loop_clock_us(q->loop);
    q->paused = paused;
}

void pool_queue_suspend(struct pool_queue *q)
{
    MAGIC_CHECK(q, MAGIC);
    q->suspended = true;
}

/* Each of them removes at most itself, and may queue again: at the end, behind those to be told. */
void pool_queue_recall(struct pool_queue *q)
{
    MAGIC_CHECK(q, MAGIC);
    size_t left = q->waiters.count;
    for (struct link *k = list_first(&q->waiters), *next; k && left; k = next, left--) {
        struct pool_waiter *w = waiter_of(k);
        next = list_next(k);
        w->on_recall(w->owner);
    }
    q->suspended = false;
}

uint64_t pool_waiter_paused_us(const struct pool_waiter *w)
{
    return w->queue ? pause_clock(w->queue) - w->unpaused_us : 0;
}

static void note_wait(struct pool_queue *q, const struct pool_waiter *w)
{
    uint64_t now = loop_clock_us(q->loop);
    recent_waited(q->recent, now, now - w->since_us - pool_waiter_paused_us(w));
}

/* At debug, with the id of the request behind the words. */
#define TELL(q, w, format, ...)                                                                    \
    LOG(DEBUG, (q)->lines->object, format " id=%s", __VA_ARGS__, request_id_text((w)->id))

static uint64_t waited_ms(const struct pool_queue *q, const struct pool_waiter *w)
{
    return (loop_clock_us(q->loop) - w->since_us) / 1000;
}

static void tell_line(const struct pool_queue *q, const struct pool_waiter *w,
                      const struct line *line)
{
    TELL(q, w, "request gets a connection after %" PRIu64 " ms line=%" PRIu64, waited_ms(q, w),
         line_number(line));
}

static void join(struct pool_queue *q, struct pool_waiter *w)
{
    TELL(q, w, "queues for a connection at place %zu", q->waiters.count + 1);
    list_push_back(&q->waiters, &w->link);
    if (w->rides_alone) {
        list_push_back(&q->orders, &w->order);
        list_push_back(&q->loners, &w->alone);
    }
    q->want_new += w->wants_new;
}

static void leave(struct pool_queue *q, struct pool_waiter *w)
{
    if (w->link.on)
        q->want_new -= w->wants_new;
    list_remove(&w->link);
    list_remove(&w->order);
    list_remove(&w->alone);
    deadline_stop(&w->deadline);
}

static void end_wait(struct pool_queue *q, struct pool_waiter *w)
{
    leave(q, w);
    note_wait(q, w);
}

static void refuse(struct pool_queue *q, struct pool_waiter *w, const struct verdict *why)
{
    TELL(q, w, "request refused after %" PRIu64 " ms: %s", waited_ms(q, w), why->detail);
    end_wait(q, w);
    w->on_refused(w->owner, why);
}

struct verdict pool_queue_unavailable(const struct pool_queue *q, const char *why)
{
    struct verdict v = verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "%s", why);
    v.retry_after = breaker_retry_after(&q->lines->breaker, loop_now(q->loop));
    return v;
}

void pool_queue_refuse_all(struct pool_queue *q, const struct verdict *why)
{
    struct pool_waiter *w;
    MAGIC_CHECK(q, MAGIC);
    while ((w = waiter_of(list_first(&q->waiters))))
        refuse(q, w, why);
}

static void on_refusal(struct task *t)
{
    struct pool_waiter *w = container_of(t, struct pool_waiter, refusal);
    w->on_refused(w->owner, &w->why);
}

static void refuse_later(struct pool_queue *q, struct pool_waiter *w, struct verdict why)
{
    TELL(q, w, "request refused at once: %s", why.detail);
    w->why = why;
    loop_defer(q->loop, &w->refusal);
}

/* How many waiters the lines that connect will serve, and those in doubt, if they are alive.
 * A paused pool serves none. */
static size_t dialled_for(const struct pool_queue *q)
{
    if (q->paused)
        return 0;
    return (q->lines->connecting.count + lines_doubted(q->lines)) *
           origin_traits_streams(&q->lines->traits, q->settings);
}

/* Is a line connecting for it? They connect for as many as they will carry, from the front of
 * the queue. */
static bool is_dialled_for(const struct pool_queue *q, const struct pool_waiter *w)
{
    size_t left = dialled_for(q);
    for (struct link *k = list_first(&q->waiters); k && left; k = list_next(k), left--)
        if (k == &w->link)
            return true;
    return false;
}

static struct verdict waited_too_long(const struct pool_queue *q, const struct pool_waiter *w)
{
    char waited[DURATION_TEXT_SIZE];
    duration_text(waited, waited_ms(q, w));
    if (q->paused)
        return pool_queue_unavailable(q, "the upstream is paused");
    if (is_dialled_for(q, w))
        return verdict_make(FAILURE_CONNECTION_TIMEOUT, SENT_NO, "no connection within %s", waited);
    return verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO,
                        "all %u connections are busy, none came free within %s",
                        q->settings->max_connections, waited);
}

bool pool_waiter_connects(const struct pool_waiter *w)
{
    return w->queue && w->link.on && is_dialled_for(w->queue, w);
}

struct verdict pool_waiter_refusal(const struct pool_waiter *w)
{
    return waited_too_long(w->queue, w);
}

static void serve(struct pool_queue *q);

static uint64_t due_of(const struct pool_waiter *w)
{
    uint64_t timeout = w->queue->settings->queue_timeout;
    uint64_t at = w->since_ms + timeout;
    return timeout && at < w->until_ms ? at : w->until_ms;
}

/* queue_timeout is about lines that are all busy: one that connects has timeouts of its own,
 * and only the request's own deadline beside them. */
static void on_deadline(struct deadline *d)
{
    struct pool_waiter *w = container_of(d, struct pool_waiter, deadline);
    struct pool_queue *q = w->queue;
    MAGIC_CHECK(q, MAGIC);
    if (w->alone.on) { /* it has hoped long enough */
        rare_note(RARE_ORDER_SHARES);
        list_remove(&w->alone);
        deadline_at(&w->deadline, due_of(w));
        serve(q);
        return;
    }
    if (loop_now(q->loop) < w->until_ms && is_dialled_for(q, w)) {
        rare_note(RARE_QUEUE_CONNECTS);
        deadline_at(&w->deadline, w->until_ms);
        return;
    }
    struct verdict why = waited_too_long(q, w);
    refuse(q, w, &why);
}

/* ------------------------------------------------------------------ lending */

/* A waiter that wants a line of its own shares one only if none may come for it: `before`
 * waiters ahead of it hope for one too. */
static bool hopes(const struct pool_queue *q, const struct pool_waiter *w, size_t before)
{
    bool settles = w->link.on && !w->alone.on; /* it has hoped long enough */
    return w->wants_new || (w->rides_alone && !settles && before < lines_coming(q->lines));
}

static struct line *take(struct pool_queue *q, const struct pool_waiter *w, size_t before)
{
    const struct lines_wish wish = {w->is_order, w->rides_alone, !hopes(q, w, before),
                                    w->wants_new};
    return lines_take(q->lines, &wish);
}

/* The first waiter that can have a line. Those that hope for one of their own keep none
 * behind them from sharing what there is. */
static struct pool_waiter *find_next(struct pool_queue *q, struct line **line)
{
    size_t hoping = 0;
    for (struct link *k = list_first(&q->waiters); k; k = list_next(k)) {
        struct pool_waiter *w = waiter_of(k);
        if ((*line = take(q, w, hoping)))
            return w;
        if (!hopes(q, w, hoping))
            return NULL;
        hoping++;
    }
    return NULL;
}

static void serve(struct pool_queue *q)
{
    struct pool_waiter *w;
    struct line *line;
    while (!q->paused && !q->suspended && !q->serving && (w = find_next(q, &line))) {
        tell_line(q, w, line);
        end_wait(q, w);
        q->serving = true; /* a request that asks meanwhile is last */
        w->on_line(w->owner, line);
        q->serving = false;
    }
}

/* The circuit is open and nothing established: waiting is in vain. The waiters of a paused
 * pool wait for the operator, whatever the origin does. */
static bool is_cut_off(const struct pool_queue *q)
{
    return !q->paused && breaker_is_open(&q->lines->breaker) && established(q) == 0;
}

static const char circuit_text[] = "connecting failed too often; the circuit is open";

/* All are refused but those for which a probe is under way. */
static void refuse_behind_breaker(struct pool_queue *q)
{
    struct pool_waiter *w;
    while (is_cut_off(q) && q->waiters.count > dialled_for(q) &&
           (w = waiter_of(list_last(&q->waiters)))) {
        struct verdict why = pool_queue_unavailable(q, circuit_text);
        refuse(q, w, &why);
    }
}

/* One for each waiter that wants a new line, at the cap in the place of an idle one. */
static void dial_new(struct pool_queue *q)
{
    while (!q->paused && q->want_new > lines_unused(q->lines))
        if (!lines_dial(q->lines, DIAL_FOR_WAITER) && !lines_make_room(q->lines))
            return;
}

/* Idle lines count too: those of a paused pool are there for its waiters. Each order dials for
 * itself, though a line that connects may turn out to carry it as well. */
static void dial_for_waiters(struct pool_queue *q)
{
    struct lines *s = q->lines;
    size_t waiters = q->waiters.count, loners = q->loners.count, have;
    size_t wanted = origin_traits_lines(&s->traits, q->settings, waiters, loners);
    size_t at_once = loners + (waiters > loners), awaited = lines_awaited(s);
    while ((have = s->connecting.count + lines_ready(s) + awaited) < wanted &&
           lines_dial(s, have < at_once ? DIAL_FOR_WAITER : DIAL_FOR_BURST))
        continue;
}

/* Called for each line that falls idle: without waiters, or at the cap, the lines are not counted. */
void pool_queue_dial(struct pool_queue *q)
{
    MAGIC_CHECK(q, MAGIC);
    if (q->want_new)
        dial_new(q);
    if (q->waiters.count && lines_open(q->lines) < q->settings->max_connections)
        dial_for_waiters(q);
    refuse_behind_breaker(q);
}

/* A line that was taken may have been found unfit: then another is dialled. */
void pool_queue_serve(struct pool_queue *q)
{
    MAGIC_CHECK(q, MAGIC);
    if (q->want_new)
        dial_new(q);
    serve(q);
    pool_queue_dial(q);
}

/* Where lines are established, one of them will come free, or is shared. Want of a descriptor
 * says nothing about dials that have one: their lines will come free too. */
static bool fails_waiters(const struct pool_queue *q, enum failure why)
{
    bool ours = why == FAILURE_CONNECTION_LIMIT_REACHED;
    return !q->paused && established(q) == 0 && !(ours && q->lines->connecting.count > 0) &&
           q->waiters.count > dialled_for(q);
}

void pool_queue_dial_failed(struct pool_queue *q, enum failure why, const char *detail)
{
    MAGIC_CHECK(q, MAGIC);
    struct verdict v = verdict_make(why, SENT_NO, "%s", detail);
    for (size_t n = origin_traits_streams(&q->lines->traits, q->settings); n; n--)
        if (fails_waiters(q, why))
            refuse(q, waiter_of(list_first(&q->waiters)), &v);
    serve(q);
}

/* ----------------------------------------------------------------- patience */

/* Readers given up a short while ago count as well: a request behind many others waits for
 * several rounds of slow readers. A paused pool lends nothing, whatever comes free. */
uint64_t pool_queue_patience(const struct pool_queue *q)
{
    MAGIC_CHECK(q, MAGIC);
    size_t served = dialled_for(q), waiting = q->waiters.count;
    size_t room = established(q) * origin_traits_streams(&q->lines->traits, q->settings);
    if (q->paused || waiting <= served || room == 0)
        return UINT64_MAX;
    uint64_t all = q->orders.count ? PATIENCE_ORDER_MS : PATIENCE_MS;
    size_t gave_way = loop_now(q->loop) - q->gave_way_ms < PATIENCE_MS ? q->gave_way : 0;
    size_t rounds = (gave_way + waiting - served + room - 1) / room;
    return all / rounds > PATIENCE_LEAST_MS ? all / rounds : PATIENCE_LEAST_MS;
}

void pool_queue_gave_way(struct pool_queue *q)
{
    uint64_t now = loop_now(q->loop);
    MAGIC_CHECK(q, MAGIC);
    if (now - q->gave_way_ms >= PATIENCE_MS) {
        q->gave_way = 0;
        q->gave_way_ms = now;
    }
    rare_note(RARE_READER_GAVE_WAY);
    q->gave_way++;
}

/* ------------------------------------------------------------------ asking */

/* Waiters that a line which may still be opened will serve do not count. */
static bool queue_is_full(const struct pool_queue *q)
{
    size_t most = q->settings->max_connections, lines = established(q);
    size_t room = most > lines ? most - lines : 0;
    room *= origin_traits_streams(&q->lines->traits, q->settings);
    return q->waiters.count >= (size_t)q->settings->queue_limit + room;
}

/* While a line has room, the only waiters are those that hope for a line of their own, and those
 * that want a new one. */
static struct line *take_at_once(struct pool_queue *q, const struct pool_waiter *w)
{
    if (q->paused || q->suspended || q->serving)
        return NULL;
    if (q->waiters.count == q->want_new)
        return take(q, w, 0);
    return w->rides_alone || q->lines->shared.count == 0 ? NULL : take(q, w, 0);
}

/* Orders give up hoping for a line of their own when half of their time has passed. */
static uint64_t first_due(const struct pool_queue *q, const struct pool_waiter *w)
{
    uint64_t now = loop_now(q->loop), due = due_of(w);
    return w->rides_alone && due > now ? now + (due - now) / 2 : due;
}

/* With the circuit open. A request that has another answer lets the probe be made without it. */
static bool may_wait_for_probe(struct pool_queue *q, const struct pool_waiter *w)
{
    if (lines_dial_at(q->lines, DIAL_FOR_WAITER) > loop_now(q->loop))
        return false;
    if (w->yields)
        lines_dial(q->lines, DIAL_FOR_WAITER);
    return !w->yields;
}

static void init(struct pool_queue *q, struct pool_waiter *w, uint64_t until_ms)
{
    MAGIC_CHECK(q, MAGIC);
    *w = (struct pool_waiter){.is_order = w->is_order,
                              .rides_alone = w->rides_alone,
                              .wants_new = w->wants_new,
                              .yields = w->yields,
                              .id = w->id,
                              .owner = w->owner,
                              .on_line = w->on_line,
                              .on_refused = w->on_refused,
                              .on_recall = w->on_recall,
                              .queue = q,
                              .since_us = loop_event_us(q->loop),
                              .unpaused_us = pause_clock(q),
                              .since_ms = loop_now(q->loop),
                              .until_ms = until_ms};
    task_init(&w->refusal, on_refusal);
    deadline_init(&w->deadline, q->loop, on_deadline);
}

void pool_queue_turn_away(struct pool_queue *q, struct pool_waiter *w, const struct verdict *why)
{
    init(q, w, 0);
    refuse_later(q, w, *why);
}

struct line *pool_queue_ask(struct pool_queue *q, struct pool_waiter *w, uint64_t until_ms)
{
    init(q, w, until_ms);
    struct line *line = take_at_once(q, w);
    if (line) {
        tell_line(q, w, line);
        return line;
    }
    if (queue_is_full(q)) {
        refuse_later(q, w,
                     verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO,
                                  "%zu requests wait already (queue_limit)", q->waiters.count));
        return NULL;
    }
    if (is_cut_off(q) && !may_wait_for_probe(q, w)) {
        refuse_later(q, w, pool_queue_unavailable(q, circuit_text));
        return NULL;
    }
    join(q, w);
    deadline_at(&w->deadline, first_due(q, w));
    pool_queue_dial(q);
    return NULL;
}

void pool_waiter_forget(struct pool_waiter *w)
{
    if (w->queue == NULL)
        return;
    task_forget(&w->refusal);
    leave(w->queue, w);
}

/* ----------------------------------------------------------------- its life */

void pool_queue_init(struct pool_queue *q, struct loop *loop, struct lines *lines,
                     const struct upstream_config *settings, struct recent *recent)
{
    *q = (struct pool_queue){.loop = loop, .lines = lines, .settings = settings, .recent = recent};
    MAGIC_INIT(q, MAGIC);
    list_init(&q->waiters);
    list_init(&q->orders);
    list_init(&q->loners);
}

void pool_queue_configure(struct pool_queue *q, const struct upstream_config *settings)
{
    MAGIC_CHECK(q, MAGIC);
    q->settings = settings;
}
