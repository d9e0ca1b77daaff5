#include "proxy/tunnel.h"

#include "base/log.h"
#include "base/state.h"
#include "proxy/tunnel_record.h"

#define MAGIC 0x74756e6c
#define HALF_OPEN_MS 60000 /* the longest that it stays half open while no byte moves */

#define TUNNEL_STATES(S)                                                                           \
    S(TUNNEL_WAITING, "waiting", TO(TUNNEL_DIALLING) | TO(TUNNEL_RELAYING) | TO(TUNNEL_ENDED))     \
    S(TUNNEL_DIALLING, "dialling", TO(TUNNEL_RELAYING) | TO(TUNNEL_ENDED))                         \
    S(TUNNEL_RELAYING, "relaying", TO(TUNNEL_HALF_OPEN) | TO(TUNNEL_ENDED))                        \
    S(TUNNEL_HALF_OPEN, "half open", TO(TUNNEL_ENDED))                                             \
    S(TUNNEL_ENDED, "ended", 0)
STATE_TYPE(tunnel, TUNNEL_STATES)

/* One of the two ends: what comes from it goes to the other. */
struct side {
    struct tunnel *tunnel;
    struct stream *stream;
    struct side *other;
    uint64_t *bytes; /* the counter of what it sends */
    uint64_t passed; /* bytes of it that went to the other */
    bool ended;      /* nothing more comes from it */
    bool was_reset;  /* it ended so, while the tunnel waited */
};

struct tunnel {
    unsigned magic;
    enum tunnel_state state;
    enum tunnel_kind kind;
    struct loop *loop;
    struct pool *pool;
    struct way *way;
    struct link held, counted;
    struct side client, origin;
    struct buf ahead; /* of the client, until relaying begins */
    struct buf early; /* of the origin, likewise */
    struct dial_report report;
    struct upstream_config settings; /* of the dial; its host is our own copy */
    struct dial *dial;               /* while dialling */
    struct lingering *linger;
    struct tunnel_record *record;  /* NULL: none, or told */
    const struct freezes *freezes; /* NULL: nothing stops it */
    char *bot;
    const struct tunnel_events *events; /* NULL: none are wanted yet, or it has ended */
    void *owner;
    uint64_t moved; /* bytes, when the deadline was set */
    struct deadline half_open;
    struct task refusal; /* it is frozen, or its origin failed while it waited */
    struct task free_later;
};

static struct side *self(void *owner)
{
    struct side *s = owner;
    MAGIC_CHECK(s->tunnel, MAGIC);
    return s;
}

/* Of the request that became the tunnel, as long as there is a record of it. */
static const struct request_id *id_of(const struct tunnel *t)
{
    return t->record ? tunnel_record_id(t->record) : NULL;
}

static void enter(struct tunnel *t, enum tunnel_state to)
{
    STATE_ENTER_FOR(tunnel, &t->state, to, pool_origin(t->pool)->name, 0, id_of(t));
}

/* -------------------------------------------------------------------- its end */

static void free_now(struct task *task)
{
    struct tunnel *t = container_of(task, struct tunnel, free_later);
    buf_clear(&t->ahead);
    buf_clear(&t->early);
    free((char *)t->settings.host);
    free(t->bot);
    t->magic = 0;
    free(t);
}

/* What is queued to this side may still be delivered; but if the other side failed, this
 * one is reset, so that what it got does not look complete. */
static void close_side(struct tunnel *t, struct side *s, bool broken)
{
    struct stream *stream = s->stream;
    s->stream = NULL;
    if (stream == NULL)
        return;
    if (broken)
        stream_reset(stream);
    else if (t->linger && stream_queued(stream))
        linger_take(t->linger, stream);
    else
        stream_close(stream);
}

static void end(struct tunnel *t, bool broken)
{
    enter(t, TUNNEL_ENDED);
    t->events = NULL;
    deadline_stop(&t->half_open);
    task_forget(&t->refusal);
    if (t->dial)
        dial_cancel(t->dial);
    t->dial = NULL;
    close_side(t, &t->client, broken);
    close_side(t, &t->origin, broken);
    if (t->record)
        tunnel_record_tell(t->record, t->origin.passed, loop_clock_us(t->loop));
    t->record = NULL;
    pool_remove_tunnel(t->pool, &t->counted);
    way_release(t->way);
    pool_release(t->pool, &t->held);
    loop_defer(t->loop, &t->free_later);
}

/* Called from events of the streams, never from within a call of the owner. */
static void end_and_tell(struct tunnel *t, bool broken, const char *why)
{
    const struct tunnel_events *events = t->events;
    LOG(DEBUG, pool_origin(t->pool)->name, "tunnel over: %s id=%s", why, request_id_text(id_of(t)));
    end(t, broken);
    events->on_over(t->owner);
}

void tunnel_close(struct tunnel *t)
{
    MAGIC_CHECK(t, MAGIC);
    end(t, false);
}

void tunnel_yield(struct tunnel *t)
{
    MAGIC_CHECK(t, MAGIC);
    struct stream *stream = t->origin.stream;
    CHECK(t->state == TUNNEL_WAITING);
    if (stream && t->kind == TUNNEL_CONNECT) {
        t->origin.stream = NULL;
        stream_pause(stream);
        stream_bind(stream, NULL, NULL);
        pool_adopt(t->pool, t->way, stream, &t->report);
    }
    end(t, false);
}

/* ------------------------------------------------------------------ half-open */

static uint64_t moved(const struct tunnel *t)
{
    uint64_t sum = 0;
    if (t->client.stream)
        sum += stream_taken(t->client.stream);
    return sum + stream_taken(t->origin.stream);
}

static void half_close(struct tunnel *t)
{
    enter(t, TUNNEL_HALF_OPEN);
    t->moved = moved(t);
    deadline_in(&t->half_open, HALF_OPEN_MS);
}

static void on_half_open(struct deadline *d)
{
    struct tunnel *t = container_of(d, struct tunnel, half_open);
    MAGIC_CHECK(t, MAGIC);
    if (moved(t) == t->moved) {
        end_and_tell(t, false, "half-open and silent");
        return;
    }
    t->moved = moved(t);
    deadline_in(d, HALF_OPEN_MS);
}

/* --------------------------------------------------------------------- relaying */

/* False: the other side is full. */
static bool pass(struct side *s, const char *data, size_t len)
{
    uv_buf_t piece = uv_buf_init((char *)data, (unsigned)len);
    s->passed += len;
    return stream_write(s->other->stream, &piece, 1);
}

static void tell_origin(struct tunnel *t)
{
    stream_pause(t->origin.stream);
    if (t->events)
        t->events->on_origin(t->owner);
}

static void on_data(void *owner, const char *data, size_t len)
{
    struct side *s = self(owner);
    *s->bytes += len;
    if (s->tunnel->state != TUNNEL_WAITING) {
        if (!pass(s, data, len))
            stream_pause(s->stream);
        return;
    }
    buf_append(&s->tunnel->early, data, len);
    tell_origin(s->tunnel);
}

/* A FIN is passed on as a FIN; a reset ends the tunnel. TLS that ends without close_notify
 * counts as a FIN: it is common where the protocol inside has an end of its own. */
static void on_end(void *owner, enum stream_end how, const char *why)
{
    struct side *s = self(owner);
    struct tunnel *t = s->tunnel;
    s->ended = true;
    if (t->state == TUNNEL_WAITING) {
        s->was_reset = how == STREAM_RESET;
        tell_origin(t);
        return;
    }
    if (how == STREAM_RESET) {
        end_and_tell(t, true, why);
        return;
    }
    stream_shutdown(s->other->stream);
    if (t->state == TUNNEL_HALF_OPEN)
        end_and_tell(t, false, why);
    else
        half_close(t);
}

/* This side takes bytes again, so the other one is read again. */
static void on_drain(void *owner)
{
    struct side *s = self(owner);
    if (s->other->stream && !s->other->ended)
        stream_resume(s->other->stream);
}

static const struct stream_events side_events = {
    .on_data = on_data, .on_end = on_end, .on_drain = on_drain};

/* -------------------------------------------------------------------- its life */

static void on_refusal(struct task *task)
{
    struct tunnel *t = container_of(task, struct tunnel, refusal);
    MAGIC_CHECK(t, MAGIC);
    if (t->origin.was_reset) {
        end_and_tell(t, true, "the origin has reset the connection");
        return;
    }
    LOG(WARN, pool_origin(t->pool)->name, "a tunnel is refused: frozen id=%s",
        request_id_text(id_of(t)));
    end_and_tell(t, true, "frozen");
}

static bool is_frozen(const struct tunnel *t)
{
    return t->freezes && freezes_find(t->freezes, pool_origin(t->pool)->name, span_of(t->bot));
}

/* Neither stream is read meanwhile. */
static bool is_stopped(struct tunnel *t)
{
    if (!t->origin.was_reset && !is_frozen(t))
        return false;
    enter(t, TUNNEL_DIALLING);
    stream_pause(t->client.stream);
    if (t->origin.stream)
        stream_pause(t->origin.stream);
    loop_defer(t->loop, &t->refusal);
    return true;
}

static void set_origin(struct tunnel *t, struct stream *stream)
{
    t->origin.stream = stream;
    stream_bind(stream, &side_events, &t->origin);
}

struct tunnel *tunnel_new(struct loop *loop, struct pool *pool, struct way *way,
                          enum tunnel_kind kind, struct stream *origin, struct span ahead)
{
    struct tunnel *t = NEW(struct tunnel);
    MAGIC_INIT(t, MAGIC);
    t->kind = kind;
    t->loop = loop;
    t->pool = pool;
    t->way = way;
    struct upstream_stats *stats = way->stats;
    t->client =
        (struct side){.tunnel = t, .other = &t->origin, .bytes = &stats->traffic.bytes_sent};
    t->origin =
        (struct side){.tunnel = t, .other = &t->client, .bytes = &stats->traffic.bytes_received};
    buf_append(&t->early, ahead.at, ahead.len);
    deadline_init(&t->half_open, loop, on_half_open);
    task_init(&t->refusal, on_refusal);
    task_init(&t->free_later, free_now);
    pool_hold(pool, &t->held);
    way_hold(way);
    if (origin)
        set_origin(t, origin);
    return t;
}

void tunnel_set_report(struct tunnel *t, const struct dial_report *report)
{
    MAGIC_CHECK(t, MAGIC);
    t->report = *report;
}

void tunnel_set_freezes(struct tunnel *t, const struct freezes *freezes, struct span bot)
{
    MAGIC_CHECK(t, MAGIC);
    t->freezes = freezes;
    t->bot = must_strndup(bot.len ? bot.at : "", bot.len);
}

void tunnel_set_record(struct tunnel *t, struct tunnel_record *record)
{
    MAGIC_CHECK(t, MAGIC);
    t->record = record;
}

void tunnel_take_record(void *taker, const struct record *r)
{
    const struct tunnel_taker *to = taker;
    tunnel_set_record(to->tunnel,
                      tunnel_record_new(r, to->began_us, to->listener, to->least_us, to->context));
}

void tunnel_wait(struct tunnel *t, const struct tunnel_events *events, void *owner)
{
    MAGIC_CHECK(t, MAGIC);
    t->events = events;
    t->owner = owner;
    if (t->origin.stream)
        stream_resume(t->origin.stream);
}

/* Passes on what a side had sent before relaying began. */
static void pass_early(struct side *s, struct buf *early)
{
    const char *at;
    size_t len;
    bool more = true;
    while ((len = buf_front(early, &at))) {
        more = pass(s, at, len);
        buf_consume(early, len);
    }
    if (more && !s->ended)
        stream_resume(s->stream);
    else
        stream_pause(s->stream);
}

/* The origin may have ended before, which is passed on now. The client cannot have: its
 * stream was not read. */
static void relay(struct tunnel *t)
{
    enter(t, TUNNEL_RELAYING);
    pass_early(&t->client, &t->ahead);
    pass_early(&t->origin, &t->early);
    if (!t->origin.ended)
        return;
    stream_shutdown(t->client.stream);
    half_close(t);
}

static void on_connected(void *owner, struct stream *stream, const struct dial_report *report)
{
    struct tunnel *t = owner;
    MAGIC_CHECK(t, MAGIC);
    (void)report;
    t->dial = NULL;
    set_origin(t, stream);
    relay(t);
}

static void on_dial_failed(void *owner, enum failure why, const char *detail)
{
    struct tunnel *t = owner;
    MAGIC_CHECK(t, MAGIC);
    struct verdict v = verdict_make(why, SENT_NO, "%s", detail);
    way_blame(t->way, true, &v);
    t->dial = NULL;
    LOG(INFO, pool_origin(t->pool)->name, "no connection for a tunnel: %s: %s id=%s",
        failure_name(why), v.detail, request_id_text(id_of(t)));
    end_and_tell(t, true, v.detail);
}

/* The client's stream is not read until the origin is connected. */
static void dial(struct tunnel *t)
{
    static const struct dial_events dial_events = {on_connected, on_dial_failed};
    struct connector *c = t->way->connector;
    enter(t, TUNNEL_DIALLING);
    t->settings = *t->way->lines.settings;
    t->settings.host = must_strdup(t->settings.host);
    stream_pause(t->client.stream);
    t->dial = c->ops->dial(c, &t->settings, &dial_events, t);
}

void tunnel_join(struct tunnel *t, struct stream *client, struct buf *ahead,
                 struct lingering *linger, const struct tunnel_events *events, void *owner)
{
    MAGIC_CHECK(t, MAGIC);
    t->events = events;
    t->owner = owner;
    t->linger = linger;
    t->client.stream = client;
    stream_bind(client, &side_events, &t->client);
    pool_add_tunnel(t->pool, &t->counted);
    if (t->kind == TUNNEL_CONNECT && pool_origin(t->pool)->listed)
        pool_warn_bypassed(t->pool);
    t->ahead = *ahead;
    *ahead = (struct buf){0};
    *t->client.bytes += t->ahead.size;
    if (is_stopped(t))
        return;
    if (t->origin.stream)
        relay(t);
    else
        dial(t);
}
