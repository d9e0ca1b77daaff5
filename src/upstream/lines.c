#include "upstream/lines.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"

#define FLOOR_PAUSE_MS 100
#define FRESH_MS 1000

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void log_end(const struct lines *s, const struct line *l, const char *why,
                    const char *detail)
{
    LOG(DEBUG, s->object, "line closed: %s, %s (%u requests, idle for %" PRIu64 " ms)", why, detail,
        line_uses(l), line_idle_ms(l));
}

size_t lines_open(const struct lines *s)
{
    return s->connecting.count + s->idle.count + s->busy.count;
}

int64_t lines_learned_ms(const struct lines *s)
{
    return s->settings->idle_learn ? idle_learn_ms(&s->learn, loop_now(s->loop)) : -1;
}

static uint64_t rest_ms(const struct lines *s)
{
    int64_t learned = lines_learned_ms(s);
    uint64_t limit = s->settings->idle_timeout ? s->settings->idle_timeout : UINT64_MAX;
    return learned >= 0 ? least((uint64_t)learned * 9 / 10, limit) : limit;
}

/* ----------------------------------------------------------------- retiring */

/* The one way an established line ends. */
static void retire(struct lines *s, struct line *l, enum close_reason why, const char *detail)
{
    log_end(s, l, close_reason_name(why), detail);
    s->stats->closed[why]++;
    list_remove(line_link(l));
    line_close(l);
}

static void retire_and_tell(struct lines *s, struct line *l, enum close_reason why,
                            const char *detail)
{
    retire(s, l, why, detail);
    lines_keep_floor(s);
    s->events->on_room(s->owner);
}

/* Why a line that came back must not rest; CLOSE_REASON_COUNT: it may. */
static enum close_reason unfit(const struct lines *s, const struct line *l)
{
    if (line_generation(l) != s->generation)
        return CLOSE_RECONNECT;
    if (line_is_old(l))
        return CLOSE_MAX_AGE;
    if (s->settings->max_requests && line_uses(l) >= s->settings->max_requests)
        return CLOSE_MAX_REQUESTS;
    if (lines_open(s) > s->settings->max_connections)
        return CLOSE_RECONNECT; /* it was lowered */
    if (s->connector->ops->is_gone(s->connector, &line_report(l)->peer))
        return CLOSE_DNS_CHANGE;
    return CLOSE_REASON_COUNT;
}

static void retire_idle(struct lines *s, enum close_reason why, const char *detail)
{
    struct line *l;
    while ((l = line_of(list_first(&s->idle))))
        retire(s, l, why, detail);
}

/* Puts a line on the idle list; what nobody took is looked after. */
static void rest(struct lines *s, struct line *l)
{
    list_remove(line_link(l));
    list_push_front(&s->idle, line_link(l));
    line_rest(l, rest_ms(s));
    s->events->on_idle(s->owner);
    if (s->closing)
        retire_idle(s, CLOSE_DRAIN, "draining");
    else if (s->idle.count > s->settings->max_idle)
        retire(s, line_of(list_last(&s->idle)), CLOSE_MAX_IDLE, "enough others are idle");
}

/* ------------------------------------------------------------------- events */

static void on_up(void *owner, struct line *l)
{
    struct lines *s = owner;
    const struct connect_report *r = line_report(l);
    s->stats->opened++;
    s->stats->http1++;
    histogram_add(&s->stats->dns, r->dns_us);
    histogram_add(&s->stats->connect, r->connect_us);
    if (r->secure) {
        s->stats->handshakes++;
        s->stats->resumed += r->resumed;
        histogram_add(&s->stats->tls, r->tls_us);
    }
    if (s->breaker.open)
        LOG(INFO, s->object, "a connection succeeded: the circuit is closed");
    breaker_succeeded(&s->breaker);
    deadline_stop(&s->retry);
    s->floor_tried |= s->idle.count + s->busy.count + 1 >= s->settings->min_idle;
    enum close_reason why = unfit(s, l);
    if (why != CLOSE_REASON_COUNT) {
        list_remove(line_link(l));
        list_push_back(&s->busy, line_link(l));
        retire_and_tell(s, l, why, "it came up too late");
        return;
    }
    rest(s, l);
    lines_keep_floor(s);
    s->events->on_room(s->owner);
}

static void on_failed(void *owner, struct line *l, enum failure why, const char *detail)
{
    struct lines *s = owner;
    s->stats->connect_failed++;
    s->floor_tried = true;
    list_remove(line_link(l));
    line_close(l);
    if (breaker_failed(&s->breaker, s->settings, loop_now(s->loop)))
        LOG(WARN, s->object, "%u connections in a row failed (%s): the circuit is open",
            s->breaker.failures, detail);
    deadline_at(&s->retry, s->breaker.retry_at);
    s->events->on_failed(s->owner, why, detail);
}

static void on_line_room(void *owner, struct line *l)
{
    struct lines *s = owner;
    enum close_reason why = unfit(s, l);
    if (why != CLOSE_REASON_COUNT)
        retire_and_tell(s, l, why, "on its return");
    else
        rest(s, l);
}

/* An origin that ends lines is given a moment before min_idle is filled up, and
 * more of it if it ends them unused: else both would be busy with handshakes. */
static void pace_floor(struct lines *s, const struct line *l)
{
    uint64_t ms = FLOOR_PAUSE_MS;
    s->unused_losses = line_uses(l) ? 0 : s->unused_losses + 1;
    for (unsigned n = 1; n < s->unused_losses && ms < s->settings->breaker_max; n++)
        ms *= 2;
    s->floor_at = loop_now(s->loop) + least(ms, s->settings->breaker_max);
}

static void on_gone(void *owner, struct line *l, enum close_reason why, const char *detail)
{
    struct lines *s = owner;
    pace_floor(s, l);
    if (why == CLOSE_PEER && line_link(l)->on == &s->idle)
        idle_learn_add(&s->learn, loop_now(s->loop), line_idle_ms(l));
    retire_and_tell(s, l, why, detail);
}

static void on_due(void *owner, struct line *l, enum close_reason why)
{
    retire_and_tell(owner, l, why, "its time is over");
}

static void on_retry(struct deadline *d)
{
    struct lines *s = container_of(d, struct lines, retry);
    lines_keep_floor(s);
    s->events->on_room(s->owner);
}

/* ------------------------------------------------------------------ opening */

static const struct line_events line_events = {on_up, on_failed, on_line_room, on_gone, on_due};

static void note_connecting(struct lines *s, struct line *l)
{
    line_set_generation(l, s->generation);
    list_push_back(&s->connecting, line_link(l));
}

static void dial(struct lines *s)
{
    note_connecting(s, line_new(s->loop, s->connector, s->settings, s->stats, &line_events, s));
}

void lines_adopt(struct lines *s, struct stream *stream, const struct dial_report *report)
{
    if (s->closing || lines_open(s) >= s->settings->max_connections)
        stream_close(stream);
    else
        note_connecting(s, line_adopt(s->loop, s->connector, s->settings, s->stats, &line_events, s,
                                      stream, report));
}

bool lines_dial(struct lines *s, bool urgent)
{
    uint64_t now = loop_now(s->loop);
    if (lines_open(s) >= s->settings->max_connections)
        return false;
    if (!breaker_allows(&s->breaker, now, s->connecting.count))
        return false;
    if (!urgent && s->breaker.failures && now < s->breaker.retry_at)
        return false;
    dial(s);
    return true;
}

void lines_keep_floor(struct lines *s)
{
    if (s->settings->min_idle == 0)
        s->floor_tried = true;
    if (s->closing || lines_open(s) >= s->settings->min_idle)
        return;
    if (loop_now(s->loop) < s->floor_at) {
        if (!deadline_is_set(&s->retry))
            deadline_at(&s->retry, s->floor_at);
        return;
    }
    while (lines_open(s) < s->settings->min_idle && lines_dial(s, false))
        continue;
}

/* What lies unread on a line would be taken for the answer, or is its end. A line
 * that came back in this very millisecond has just been read: only orders ask
 * again. On a line just opened TLS 1.3 tickets may still be unread. */
static bool is_safe(struct line *l, bool careful)
{
    return (!careful && line_idle_ms(l) == 0) ||
           (line_uses(l) == 0 && line_idle_ms(l) < FRESH_MS) || line_is_quiet(l);
}

struct line *lines_take(struct lines *s, bool careful)
{
    struct line *l, *taken = NULL;
    bool lost = false;
    while (!taken && (l = line_of(list_first(&s->idle)))) {
        if (line_has_room(l) && !line_is_old(l) && is_safe(l, careful)) {
            list_remove(line_link(l));
            list_push_back(&s->busy, line_link(l));
            line_lend(l);
            taken = l;
            continue;
        }
        bool old = line_is_old(l);
        if (!old)
            pace_floor(s, l);
        retire(s, l, old ? CLOSE_MAX_AGE : CLOSE_PEER, "found unfit when asked for");
        lost = true;
    }
    if (lost)
        lines_keep_floor(s);
    return taken;
}

/* ------------------------------------------------------------------ changes */

void lines_renew(struct lines *s)
{
    s->generation++;
    retire_idle(s, CLOSE_RECONNECT, "renewed");
    lines_keep_floor(s);
    s->events->on_room(s->owner);
}

void lines_check_addresses(struct lines *s)
{
    for (struct link *k = list_first(&s->idle), *next; k; k = next) {
        next = list_next(k);
        if (s->connector->ops->is_gone(s->connector, &line_report(line_of(k))->peer))
            retire(s, line_of(k), CLOSE_DNS_CHANGE, "the name has other addresses now");
    }
    lines_keep_floor(s);
    s->events->on_room(s->owner);
}

void lines_configure(struct lines *s, const struct upstream_config *settings, bool renew)
{
    s->settings = settings;
    if (renew)
        lines_renew(s);
    while (s->idle.count > settings->max_idle)
        retire(s, line_of(list_last(&s->idle)), CLOSE_MAX_IDLE, "max_idle was lowered");
    while (s->idle.count && lines_open(s) > settings->max_connections)
        retire(s, line_of(list_last(&s->idle)), CLOSE_RECONNECT, "max_connections was lowered");
    lines_keep_floor(s);
}

void lines_drain(struct lines *s)
{
    s->closing = true;
    retire_idle(s, CLOSE_DRAIN, "draining");
}

void lines_undrain(struct lines *s)
{
    s->closing = false;
    lines_keep_floor(s);
}

void lines_init(struct lines *s, struct loop *loop, struct connector *connector,
                const struct upstream_config *settings, const char *name,
                struct upstream_stats *stats, const struct lines_events *events, void *owner)
{
    *s = (struct lines){.loop = loop,
                        .connector = connector,
                        .settings = settings,
                        .stats = stats,
                        .events = events,
                        .owner = owner};
    snprintf(s->object, sizeof s->object, "upstream %s", name);
    list_init(&s->connecting);
    list_init(&s->idle);
    list_init(&s->busy);
    deadline_init(&s->retry, loop, on_retry);
}

static void close_list(struct list *list)
{
    struct link *k;
    while ((k = list_first(list))) {
        list_remove(k);
        line_close(line_of(k));
    }
}

void lines_end(struct lines *s)
{
    s->closing = true;
    deadline_stop(&s->retry);
    close_list(&s->connecting);
    close_list(&s->idle);
    close_list(&s->busy);
}
