/* A line is a member of one list, and what happens to it moves it to another:
 *
 *     lines_dial(), lines_adopt()
 *          |
 *          v       on_up                lines_take()
 *     connecting --------> idle ------------------------> shared   (it has room for more)
 *          |                ^  ^                            |  ^
 *          | on_failed      |  |      the last exchange     v  |   more room, or less:
 *          v                |  +-------------------------- busy    place()
 *       (closed)            |         has ended: rest()     (it has none, was lent alone, or
 *                           |                               must carry nothing more)
 *                           v
 *     lines_retire(): idle_timeout, max_age, max_idle, DNS, reconnect, drain; from any list
 *     when it is gone (closed by the origin, or broken)
 *
 * An HTTP/1.1 line goes from idle to busy and back. An HTTP/2 line goes to shared, to busy
 * while the origin's limit, max_streams or its stream leave no room, and to idle when its last
 * exchange has ended. A line that is unfit (lines_unfit(): too old, of earlier settings, its
 * address gone) stays busy until it carries nothing, and is retired instead of becoming idle.
 *
 * Four events come in, from the line (line.h): up or failed, room or full, gone, due. Three go
 * out, to the pool: on_idle (there may be a line for a waiter), on_failed, on_room (another
 * line may be dialled). Every change that closes a line ends with lines_keep_floor(), so that
 * min_idle is kept, and with on_room, so that waiters get another line.
 *
 * Whether a line may be dialled is decided in lines_dial_at() (lines_view.c) and nowhere else;
 * lines_dial() obeys it, and sets the deadline `retry` where the answer is "later". */
#include "upstream/lines.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/rare.h"

#define SHORT_FOR_MS 10000
#define SHORT_OF_MS 1000 /* the pause between dials when descriptors are short */

/* ----------------------------------------------------------------- retiring */

void lines_retire(struct lines *s, struct line *l, enum close_reason why, const char *detail)
{
    s->env.stats->closed[why]++;
    list_remove(line_link(l));
    line_close(l, close_reason_name(why), detail);
}

static void retire_and_tell(struct lines *s, struct line *l, enum close_reason why,
                            const char *detail)
{
    lines_retire(s, l, why, detail);
    lines_keep_floor(s);
    s->events->on_room(s->owner);
}

static void retire_idle(struct lines *s, enum close_reason why, const char *detail)
{
    struct line *l;
    while ((l = line_of(list_first(&s->idle))))
        lines_retire(s, l, why, detail);
}

/* Puts a line on the idle list; if no waiter took it, and it must not stay, it is retired. */
static void rest(struct lines *s, struct line *l)
{
    list_remove(line_link(l));
    list_push_front(&s->idle, line_link(l));
    line_rest(l, lines_rest_ms(s));
    s->events->on_idle(s->owner);
    if (s->closing)
        retire_idle(s, CLOSE_DRAIN, "draining");
    else if (s->idle.count > s->settings->max_idle)
        lines_retire(s, line_of(list_last(&s->idle)), CLOSE_MAX_IDLE, "enough others are idle");
}

/* Moves an established line to the list where it belongs, since its load or its room has
 * changed. An unfit line takes nothing more, and ends with what it carries. */
static void place(struct lines *s, struct line *l)
{
    enum close_reason why = lines_unfit(s, l);
    bool fits = why == CLOSE_REASON_COUNT;
    if (line_shares(l))
        origin_traits_learn(&s->traits, true, line_allowed(l));
    if (line_load(l) == 0) {
        if (fits)
            rest(s, l);
        else
            retire_and_tell(s, l, why, "on its return");
        return;
    }
    bool has_room = fits && lines_room(s, l) > 0;
    line_move(l, has_room ? &s->shared : &s->busy);
    if (has_room)
        s->events->on_idle(s->owner);
}

/* ------------------------------------------------------------------- events */

static void note_short(struct lines *s)
{
    s->short_at = loop_now(s->env.loop);
    s->short_until = s->short_at + SHORT_OF_MS;
}

static void note_enough(struct lines *s)
{
    s->short_until = 0;
    if (loop_now(s->env.loop) - s->short_at >= SHORT_FOR_MS)
        s->short_at = 0;
}

static void on_up(void *owner, struct line *l)
{
    struct lines *s = owner;
    const struct connect_report *r = line_report(l);
    s->env.stats->opened++;
    if (line_shares(l))
        s->env.stats->http2++;
    else
        s->env.stats->http1++;
    origin_traits_learn(&s->traits, line_shares(l), line_allowed(l));
    histogram_add(&s->env.stats->dns, r->dns_us);
    histogram_add(&s->env.stats->connect, r->connect_us);
    if (r->secure) {
        s->env.stats->handshakes++;
        s->env.stats->resumed += r->resumed;
        s->certificate_ends_s = r->valid_until_s ? r->valid_until_s : s->certificate_ends_s;
        histogram_add(&s->env.stats->tls, r->tls_us);
    }
    if (breaker_is_open(&s->breaker))
        LOG(INFO, s->object, "a connection succeeded: the circuit is closed");
    breaker_succeeded(&s->breaker);
    note_enough(s);
    floor_came_up(&s->floor, s->settings, loop_now(s->env.loop));
    s->floor_tried |= lines_open(s) - s->connecting.count + 1 >= s->settings->min_idle;
    enum close_reason why = lines_unfit(s, l);
    if (why != CLOSE_REASON_COUNT) {
        rare_note(RARE_LINE_TOO_LATE);
        line_move(l, &s->busy);
        retire_and_tell(s, l, why, "it came up too late");
        return;
    }
    rest(s, l);
    lines_keep_floor(s);
    s->events->on_room(s->owner);
}

/* Want of descriptors, which is not the origin's fault, is logged in descriptors.c, less often. */
static void tell_failed(const struct lines *s, const struct line *l, enum failure why,
                        const char *detail)
{
    if (why != FAILURE_CONNECTION_LIMIT_REACHED)
        LOG(INFO, s->object, "no connection: %s: %s line=%" PRIu64, failure_name(why), detail,
            line_number(l));
}

static void on_failed(void *owner, struct line *l, enum failure why, const char *detail)
{
    struct lines *s = owner;
    bool ours = why == FAILURE_CONNECTION_LIMIT_REACHED;
    s->env.stats->connect_failed++;
    s->floor_tried = true;
    tell_failed(s, l, why, detail);
    list_remove(line_link(l));
    line_close(l, failure_name(why), detail);
    if (!ours &&
        breaker_failed(&s->breaker, s->settings, loop_now(s->env.loop), loop_random(s->env.loop)))
        LOG(WARN, s->object, "%u connections in a row failed (%s): the circuit is open",
            s->breaker.failures, detail);
    if (ours)
        note_short(s);
    origin_traits_failed(&s->traits, loop_now(s->env.loop));
    lines_keep_floor(s);
    s->events->on_failed(s->owner, why, detail);
}

/* RFC 9113 7: its lines carry what they carry to the end, and nothing more. */
static void speak_http1(struct lines *s)
{
    if (!origin_traits_wants_http1(&s->traits, loop_now(s->env.loop)))
        return;
    LOG(INFO, s->object, "it wants HTTP/1.1 (HTTP_1_1_REQUIRED), and is asked so for an hour");
    lines_renew(s);
}

static void on_line_room(void *owner, struct line *l)
{
    struct lines *s = owner;
    if (line_wants_http1(l))
        speak_http1(s);
    if (line_link(l)->on == NULL) /* it was idle, and has been closed */
        return;
    if (line_link(l)->on != &s->idle) {
        place(s, l);
        return;
    }
    origin_traits_learn(&s->traits, line_shares(l), line_allowed(l));
    s->events->on_idle(s->owner);
}

static void on_full(void *owner, struct line *l)
{
    struct lines *s = owner;
    if (line_wants_http1(l))
        speak_http1(s);
    if (line_link(l)->on == &s->shared)
        place(s, l);
}

static void learn_idle(struct lines *s, const struct line *l)
{
    if (idle_learn_add(&s->learn, loop_now(s->env.loop), line_idle_ms(l), line_uses(l) > 0) &&
        s->settings->idle_learn)
        LOG(INFO, s->object,
            "the origin closes connections that are idle for %" PRIi64 " ms: from now on they are "
            "closed here before",
            lines_learned_ms(s));
}

static void on_gone(void *owner, struct line *l, enum close_reason why, const char *detail)
{
    struct lines *s = owner;
    floor_lost(&s->floor, s->settings, line_uses(l) > 0, loop_now(s->env.loop));
    if (why == CLOSE_PEER && line_link(l)->on == &s->idle)
        learn_idle(s, l);
    bool wants_http1 = line_wants_http1(l);
    retire_and_tell(s, l, why, detail);
    if (wants_http1)
        speak_http1(s);
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

static void on_look(struct deadline *d)
{
    struct lines *s = container_of(d, struct lines, look);
    s->events->on_idle(s->owner);
}

void lines_look_again(struct lines *s, uint64_t at)
{
    if (!deadline_is_set(&s->look) || at < s->look.due)
        deadline_at(&s->look, at);
}

/* ------------------------------------------------------------------ opening */

size_t lines_awaited(struct lines *s)
{
    struct list *lists[] = {&s->idle, &s->shared, &s->busy};
    uint64_t now = loop_now(s->env.loop);
    size_t n = 0;
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        for (struct link *k = list_first(lists[i]); k; k = list_next(k)) {
            uint64_t until = line_awaited_until(line_of(k));
            if (until <= now)
                continue;
            lines_look_again(s, until);
            n++;
        }
    return n;
}

static const struct line_events line_events = {on_up,   on_failed, on_line_room,
                                               on_full, on_gone,   on_due};

static void note_connecting(struct lines *s, struct line *l)
{
    line_set_generation(l, s->generation);
    list_push_back(&s->connecting, line_link(l));
    origin_traits_dialled(&s->traits, loop_now(s->env.loop));
}

/* The settings, but with what the origin has said of HTTP/2. Their strings are borrowed. */
static struct upstream_config to_dial(struct lines *s)
{
    struct upstream_config u = *s->settings;
    u.http2 = origin_traits_offer(&s->traits, s->settings, loop_now(s->env.loop));
    return u;
}

static void dial(struct lines *s, enum dial_for whom)
{
    static const char *const whose[] = {[DIAL_FOR_WAITER] = "a waiting request",
                                        [DIAL_FOR_BURST] = "requests behind the first",
                                        [DIAL_FOR_FLOOR] = "min_idle"};
    const struct upstream_config u = to_dial(s);
    note_connecting(s, line_new(&s->env, &u, whose[whom], &line_events, s));
}

void lines_adopt(struct lines *s, struct stream *stream, const struct dial_report *report)
{
    const struct upstream_config u = to_dial(s);
    if (s->closing || lines_open(s) >= s->settings->max_connections)
        stream_close(stream);
    else
        note_connecting(s, line_adopt(&s->env, &u, &line_events, s, stream, report));
}

bool lines_dial(struct lines *s, enum dial_for whom)
{
    uint64_t at = lines_dial_at(s, whom), now = loop_now(s->env.loop);
    if (at > now) {
        if (at != DIAL_NOT && (!deadline_is_set(&s->retry) || at < s->retry.due))
            deadline_at(&s->retry, at);
        return false;
    }
    if (s->short_at)
        s->short_until = now + SHORT_OF_MS;
    if (whom == DIAL_FOR_FLOOR) {
        const struct floor_state floor = lines_floor_state(s);
        floor_opens(&s->floor, s->settings, &floor);
    }
    dial(s, whom);
    return true;
}

void lines_keep_floor(struct lines *s)
{
    if (s->settings->min_idle == 0)
        s->floor_tried = true;
    while (lines_dial(s, DIAL_FOR_FLOOR))
        continue;
}

void lines_refill(struct lines *s)
{
    floor_begin(&s->floor);
    lines_keep_floor(s);
}

/* ------------------------------------------------------------------ changes */

/* Uncounted: lines that never came up, or that end with their pool. */
static void close_all(struct list *list, const char *detail)
{
    struct link *k;
    while ((k = list_first(list))) {
        list_remove(k);
        line_close(line_of(k), "given up", detail);
    }
}

void lines_renew(struct lines *s)
{
    struct line *l;
    s->generation++;
    floor_begin(&s->floor);
    close_all(&s->connecting, "renewed");
    retire_idle(s, CLOSE_RECONNECT, "renewed");
    while ((l = line_of(list_first(&s->shared))))
        line_move(l, &s->busy);
    lines_keep_floor(s);
    s->events->on_room(s->owner);
}

void lines_check_addresses(struct lines *s)
{
    for (struct link *k = list_first(&s->idle), *next; k; k = next) {
        next = list_next(k);
        if (s->env.connector->ops->is_gone(s->env.connector, &line_report(line_of(k))->peer))
            lines_retire(s, line_of(k), CLOSE_DNS_CHANGE, "the name has other addresses now");
    }
    for (struct link *k = list_first(&s->shared), *next; k; k = next) {
        next = list_next(k);
        if (lines_unfit(s, line_of(k)) != CLOSE_REASON_COUNT)
            line_move(line_of(k), &s->busy);
    }
    lines_keep_floor(s);
    s->events->on_room(s->owner);
}

/* Moves lines that carry something to the list that their room calls for now. */
static void place_busy(struct lines *s)
{
    struct list *lists[] = {&s->shared, &s->busy};
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        for (struct link *k = list_first(lists[i]), *next; k; k = next) {
            struct line *l = line_of(k);
            next = list_next(k);
            bool has_room = lines_unfit(s, l) == CLOSE_REASON_COUNT && lines_room(s, l) > 0;
            if (line_load(l) && lists[i] != (has_room ? &s->shared : &s->busy))
                line_move(l, has_room ? &s->shared : &s->busy);
        }
    }
}

void lines_configure(struct lines *s, const struct upstream_config *settings, bool renew)
{
    if (settings->min_idle > s->settings->min_idle)
        floor_begin(&s->floor);
    s->settings = settings;
    if (renew) {
        origin_traits_init(&s->traits, settings);
        lines_renew(s);
    }
    while (s->idle.count > settings->max_idle)
        lines_retire(s, line_of(list_last(&s->idle)), CLOSE_MAX_IDLE, "max_idle was lowered");
    while (s->idle.count && lines_open(s) > settings->max_connections)
        lines_retire(s, line_of(list_last(&s->idle)), CLOSE_RECONNECT,
                     "max_connections was lowered");
    place_busy(s);
    lines_keep_floor(s);
}

void lines_redirect(struct lines *s, const struct upstream_config *settings)
{
    breaker_succeeded(&s->breaker);
    s->learn = (struct idle_learn){0};
    s->certificate_ends_s = 0;
    lines_configure(s, settings, true);
}

void lines_pause(struct lines *s, bool paused)
{
    s->paused = paused;
    if (!paused)
        breaker_succeeded(&s->breaker);
}

void lines_drain(struct lines *s)
{
    s->closing = true;
    retire_idle(s, CLOSE_DRAIN, "draining");
}

void lines_undrain(struct lines *s)
{
    s->closing = false;
    lines_refill(s);
}

void lines_init(struct lines *s, struct loop *loop, struct connector *connector,
                const struct upstream_config *settings, const char *object,
                struct upstream_stats *stats, const struct lines_events *events, void *owner)
{
    *s = (struct lines){.env = {loop, connector, stats, s->object},
                        .settings = settings,
                        .events = events,
                        .owner = owner};
    s->breaker.object = s->object;
    snprintf(s->object, sizeof s->object, "%s", object);
    list_init(&s->connecting);
    list_init(&s->idle);
    list_init(&s->shared);
    list_init(&s->busy);
    deadline_init(&s->retry, loop, on_retry);
    deadline_init(&s->look, loop, on_look);
    origin_traits_init(&s->traits, settings);
}

void lines_end(struct lines *s)
{
    s->closing = true;
    deadline_stop(&s->retry);
    deadline_stop(&s->look);
    close_all(&s->connecting, "its pool ends");
    close_all(&s->idle, "its pool ends");
    close_all(&s->shared, "its pool ends");
    close_all(&s->busy, "its pool ends");
}
