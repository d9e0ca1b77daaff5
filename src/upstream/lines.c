#include "upstream/lines.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"

#define FRESH_MS 1000
#define UNREAD_MOST_MS 50
#define SHORT_FOR_MS 10000
#define SHORT_OF_MS 1000 /* until it may be better, when we are short of descriptors */

static void log_end(const struct lines *s, const struct line *l, const char *why,
                    const char *detail)
{
    LOG(DEBUG, s->object, "line closed: %s, %s (%u requests, idle for %" PRIu64 " ms)", why, detail,
        line_uses(l), line_idle_ms(l));
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

static void move(struct line *l, struct list *to)
{
    list_remove(line_link(l));
    list_push_back(to, line_link(l));
}

/* `most` of the origin's word, or of what its earlier lines allowed. */
static size_t most_of(const struct lines *s, const struct line *l)
{
    return line_allowed(l) != CONN_UNSAID ? s->settings->max_streams
                                          : origin_traits_streams(&s->traits, s->settings);
}

static size_t room_of(const struct lines *s, const struct line *l)
{
    return line_room(l, most_of(s, l));
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
    line_rest(l, lines_rest_ms(s));
    s->events->on_idle(s->owner);
    if (s->closing)
        retire_idle(s, CLOSE_DRAIN, "draining");
    else if (s->idle.count > s->settings->max_idle)
        retire(s, line_of(list_last(&s->idle)), CLOSE_MAX_IDLE, "enough others are idle");
}

/* Where an established line belongs, now that its load or its room has changed.
 * One that must not go on takes nothing more and ends with what it carries. */
static void place(struct lines *s, struct line *l)
{
    enum close_reason why = unfit(s, l);
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
    bool has_room = fits && room_of(s, l) > 0;
    move(l, has_room ? &s->shared : &s->busy);
    if (has_room)
        s->events->on_idle(s->owner);
}

/* ------------------------------------------------------------------- events */

static void note_short(struct lines *s)
{
    s->short_at = loop_now(s->loop);
    s->short_until = s->short_at + SHORT_OF_MS;
}

static void note_enough(struct lines *s)
{
    s->short_until = 0;
    if (loop_now(s->loop) - s->short_at >= SHORT_FOR_MS)
        s->short_at = 0;
}

static void on_up(void *owner, struct line *l)
{
    struct lines *s = owner;
    const struct connect_report *r = line_report(l);
    s->stats->opened++;
    if (line_shares(l))
        s->stats->http2++;
    else
        s->stats->http1++;
    origin_traits_learn(&s->traits, line_shares(l), line_allowed(l));
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
    note_enough(s);
    floor_came_up(&s->floor, s->settings, loop_now(s->loop));
    s->floor_tried |= lines_open(s) - s->connecting.count + 1 >= s->settings->min_idle;
    enum close_reason why = unfit(s, l);
    if (why != CLOSE_REASON_COUNT) {
        move(l, &s->busy);
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
    bool ours = why == FAILURE_CONNECTION_LIMIT_REACHED; /* no descriptor: not the origin's fault */
    if (!ours && breaker_failed(&s->breaker, s->settings, loop_now(s->loop), loop_random(s->loop)))
        LOG(WARN, s->object, "%u connections in a row failed (%s): the circuit is open",
            s->breaker.failures, detail);
    if (ours)
        note_short(s);
    origin_traits_failed(&s->traits, loop_now(s->loop));
    lines_keep_floor(s);
    s->events->on_failed(s->owner, why, detail);
}

/* RFC 9113 7: what its lines carry they carry to the end, and nothing more. */
static void speak_http1(struct lines *s)
{
    if (!origin_traits_wants_http1(&s->traits, loop_now(s->loop)))
        return;
    LOG(INFO, s->object, "it wants HTTP/1.1 (HTTP_1_1_REQUIRED), and is asked so for an hour");
    lines_renew(s);
}

static void on_line_room(void *owner, struct line *l)
{
    struct lines *s = owner;
    if (line_wants_http1(l))
        speak_http1(s);
    if (line_link(l)->on == NULL) /* it was idle, and is closed */
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
    if (idle_learn_add(&s->learn, loop_now(s->loop), line_idle_ms(l), line_uses(l) > 0) &&
        s->settings->idle_learn)
        LOG(INFO, s->object,
            "the origin closes connections that are idle for %" PRIi64 " ms: from now on they are "
            "closed here before",
            lines_learned_ms(s));
}

static void on_gone(void *owner, struct line *l, enum close_reason why, const char *detail)
{
    struct lines *s = owner;
    floor_lost(&s->floor, s->settings, line_uses(l) > 0, loop_now(s->loop));
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

static void look_again(struct lines *s, uint64_t at)
{
    if (!deadline_is_set(&s->look) || at < s->look.due)
        deadline_at(&s->look, at);
}

/* ------------------------------------------------------------------ opening */

size_t lines_awaited(struct lines *s)
{
    struct list *lists[] = {&s->idle, &s->shared, &s->busy};
    uint64_t now = loop_now(s->loop);
    size_t n = 0;
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        for (struct link *k = list_first(lists[i]); k; k = list_next(k)) {
            uint64_t until = line_awaited_until(line_of(k));
            if (until <= now)
                continue;
            look_again(s, until);
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
    origin_traits_dialled(&s->traits, loop_now(s->loop));
}

/* The settings, but for what the origin has said of HTTP/2. Borrowed for the call. */
static struct upstream_config to_dial(struct lines *s)
{
    struct upstream_config u = *s->settings;
    u.http2 = origin_traits_offer(&s->traits, s->settings, loop_now(s->loop));
    return u;
}

static void dial(struct lines *s)
{
    const struct upstream_config u = to_dial(s);
    note_connecting(s, line_new(s->loop, s->connector, &u, s->stats, &line_events, s));
}

void lines_adopt(struct lines *s, struct stream *stream, const struct dial_report *report)
{
    const struct upstream_config u = to_dial(s);
    if (s->closing || lines_open(s) >= s->settings->max_connections)
        stream_close(stream);
    else
        note_connecting(
            s, line_adopt(s->loop, s->connector, &u, s->stats, &line_events, s, stream, report));
}

bool lines_dial(struct lines *s, enum dial_for whom)
{
    uint64_t at = lines_dial_at(s, whom), now = loop_now(s->loop);
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
    dial(s);
    return true;
}

void lines_keep_floor(struct lines *s)
{
    if (s->settings->min_idle == 0)
        s->floor_tried = true;
    while (lines_dial(s, DIAL_FOR_FLOOR))
        continue;
}

/* What lies unread on a line would be taken for the answer, or is its end. A line
 * that came up or came back in this very millisecond has just been read: only
 * orders ask again. */
static bool is_safe(struct line *l, bool careful)
{
    return (!careful && line_idle_ms(l) == 0) || line_is_quiet(l);
}

/* What is unread may be frames, on a line that shares, or TLS 1.3 tickets, on one
 * just opened: it is known in a moment, if it comes whole. Part of a TLS record whose
 * rest stays away keeps nobody waiting. */
static bool may_be_fit(const struct line *l)
{
    if (line_unread_ms(l) >= UNREAD_MOST_MS)
        return false;
    return line_shares(l) || (line_uses(l) == 0 && line_idle_ms(l) < FRESH_MS);
}

static struct line *lend(struct lines *s, struct line *l, bool alone)
{
    size_t left = room_of(s, l) - 1, uses = line_uses(l) + 1;
    bool is_last = s->settings->max_requests && uses >= s->settings->max_requests;
    move(l, alone || is_last || left == 0 ? &s->busy : &s->shared);
    line_lend(l, alone);
    return l;
}

static struct line *take_least_loaded(struct lines *s)
{
    struct line *least_loaded = NULL;
    for (struct link *k = list_first(&s->shared), *next; k; k = next) {
        struct line *l = line_of(k);
        next = list_next(k);
        if (line_is_old(l))
            move(l, &s->busy);
        else if (room_of(s, l) == 0) /* it is about to say so */
            continue;
        else if (least_loaded == NULL || line_load(l) < line_load(least_loaded))
            least_loaded = l;
    }
    return least_loaded ? lend(s, least_loaded, false) : NULL;
}

enum idle_state { IDLE_FIT, IDLE_LATER, IDLE_OLD, IDLE_UNFIT };

static enum idle_state look_at(struct lines *s, struct line *l, bool careful)
{
    if (line_is_old(l))
        return IDLE_OLD;
    if (room_of(s, l) == 0)
        return line_shares(l) ? IDLE_LATER : IDLE_UNFIT;
    if (is_safe(l, careful))
        return IDLE_FIT;
    if (!may_be_fit(l))
        return IDLE_UNFIT;
    look_again(s, loop_now(s->loop) + 1);
    return IDLE_LATER;
}

static struct line *take_idle(struct lines *s, const struct lines_wish *wish)
{
    struct line *taken = NULL;
    bool lost = false;
    for (struct link *k = list_first(&s->idle), *next; k && !taken; k = next) {
        struct line *l = line_of(k);
        next = list_next(k);
        if (wish->wants_new && line_uses(l))
            continue;
        enum idle_state state = look_at(s, l, wish->careful);
        if (state == IDLE_FIT)
            taken = lend(s, l, wish->alone);
        if (state == IDLE_FIT || state == IDLE_LATER)
            continue;
        if (state == IDLE_UNFIT)
            floor_lost(&s->floor, s->settings, line_uses(l) > 0, loop_now(s->loop));
        retire(s, l, state == IDLE_OLD ? CLOSE_MAX_AGE : CLOSE_PEER, "found unfit when asked for");
        lost = true;
    }
    if (lost)
        lines_keep_floor(s);
    return taken;
}

/* Where no other line may come, one that was lent to an order alone is shared
 * rather than that anybody waits for its end. */
static struct line *take_lonely(struct lines *s)
{
    if (s->traits.kind != PROSPECT_MANY || lines_coming(s) > 0)
        return NULL;
    for (struct link *k = list_first(&s->busy); k; k = list_next(k)) {
        struct line *l = line_of(k);
        if (unfit(s, l) == CLOSE_REASON_COUNT && line_open_up(l, most_of(s, l)))
            return lend(s, l, false);
    }
    return NULL;
}

struct line *lines_take(struct lines *s, const struct lines_wish *wish)
{
    struct line *l = NULL;
    if (!wish->alone && !wish->wants_new && s->idle.count < 2)
        l = take_least_loaded(s);
    if (l == NULL)
        l = take_idle(s, wish);
    if (l == NULL && wish->may_share)
        l = take_least_loaded(s);
    if (l == NULL && wish->may_share)
        l = take_lonely(s);
    return l;
}

size_t lines_ready(const struct lines *s)
{
    size_t n = 0;
    for (struct link *k = list_first(&s->idle); k; k = list_next(k))
        n += room_of(s, line_of(k)) > 0;
    return n;
}

bool lines_make_room(struct lines *s)
{
    if (lines_open(s) < s->settings->max_connections || s->idle.count == 0)
        return false;
    retire(s, line_of(list_last(&s->idle)), CLOSE_RECONNECT, "for a new one");
    return true;
}

/* ------------------------------------------------------------------ changes */

/* Uncounted: what never was a line, or what ends with its pool. */
static void close_list(struct list *list)
{
    struct link *k;
    while ((k = list_first(list))) {
        list_remove(k);
        line_close(line_of(k));
    }
}

void lines_renew(struct lines *s)
{
    struct line *l;
    s->generation++;
    floor_begin(&s->floor);
    close_list(&s->connecting);
    retire_idle(s, CLOSE_RECONNECT, "renewed");
    while ((l = line_of(list_first(&s->shared))))
        move(l, &s->busy);
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
    for (struct link *k = list_first(&s->shared), *next; k; k = next) {
        next = list_next(k);
        if (unfit(s, line_of(k)) != CLOSE_REASON_COUNT)
            move(line_of(k), &s->busy);
    }
    lines_keep_floor(s);
    s->events->on_room(s->owner);
}

/* Lines that carry something, by what they may carry now. */
static void place_busy(struct lines *s)
{
    struct list *lists[] = {&s->shared, &s->busy};
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        for (struct link *k = list_first(lists[i]), *next; k; k = next) {
            struct line *l = line_of(k);
            next = list_next(k);
            bool has_room = unfit(s, l) == CLOSE_REASON_COUNT && room_of(s, l) > 0;
            if (line_load(l) && lists[i] != (has_room ? &s->shared : &s->busy))
                move(l, has_room ? &s->shared : &s->busy);
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
        retire(s, line_of(list_last(&s->idle)), CLOSE_MAX_IDLE, "max_idle was lowered");
    while (s->idle.count && lines_open(s) > settings->max_connections)
        retire(s, line_of(list_last(&s->idle)), CLOSE_RECONNECT, "max_connections was lowered");
    place_busy(s);
    lines_keep_floor(s);
}

void lines_redirect(struct lines *s, const struct upstream_config *settings)
{
    breaker_succeeded(&s->breaker);
    s->learn = (struct idle_learn){0};
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
    floor_begin(&s->floor);
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
    close_list(&s->connecting);
    close_list(&s->idle);
    close_list(&s->shared);
    close_list(&s->busy);
}
