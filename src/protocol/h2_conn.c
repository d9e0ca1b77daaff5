#include "protocol/h2_conn.h"

#include <stdio.h>

#include "base/bucket.h"
#include "base/text.h"
#include "protocol/h2_session.h"

#define MAGIC 0x68326332
#define GATHER_MAX (16 * 1024) /* frames of many requests go out in one write */

/* Frames that carry nothing, so many at once and so many a second: beyond, the
 * origin floods us (CVE-2019-9512, 9515, 9518; CVE-2023-44487). */
#define TALK_BURST 1000
#define TALK_PER_S 100

struct h2_conn {
    struct conn base;
    unsigned magic;
    struct loop *loop;
    struct stream *stream;
    struct h2_session session;
    bool secure;
    bool blocked;       /* the stream takes no more until on_drain */
    bool ended;         /* it will bring no more */
    bool gone, closed;  /* said so; closed by its owner */
    bool leaving;       /* it takes nothing more: the origin said GOAWAY, or answered 421 */
    bool more, less;    /* room: to be told */
    struct list open;   /* exchanges */
    struct list ending; /* of them, whose last frame is in the write under way */
    struct text out;    /* frames gathered for one write */
    struct bucket talk;
    uint64_t heard_at, asked_at; /* loop time, ms; asked_at 0: no PING is out */
    uint64_t unanswered_since;   /* since the last byte, the first given up was opened then; or 0 */
    struct deadline ping_due;
    enum close_reason why; /* of its end, once it is leaving; and in words */
    const char *farewell;
    char offence[120];
    struct task flush, settle, free_later;
};

static struct h2_conn *self(struct conn *c)
{
    struct h2_conn *h = container_of(c, struct h2_conn, base);
    MAGIC_CHECK(h, MAGIC);
    return h;
}

static struct h2_conn *of_line(void *line)
{
    struct h2_conn *h = line;
    MAGIC_CHECK(h, MAGIC);
    return h;
}

/* ------------------------------------------------------------------- ending */

static void go(struct h2_conn *h, enum close_reason why, const char *detail)
{
    if (h->gone || h->closed)
        return;
    h->gone = true;
    h->base.events->on_gone(h->base.owner, why, detail);
}

/* The pool hears of the line before askers hear of their exchanges, and neither
 * from inside a call of nghttp2's. */
static void settle(struct task *t)
{
    struct h2_conn *h = container_of(t, struct h2_conn, settle);
    MAGIC_CHECK(h, MAGIC);
    bool more = h->more, less = h->less;
    h->more = h->less = false;
    if (h->gone || h->closed)
        return;
    if (h->leaving && h->open.count == 0)
        go(h, h->why, h->farewell);
    else if (more)
        h->base.events->on_room(h->base.owner);
    else if (less)
        h->base.events->on_full(h->base.owner);
}

static void has_room(struct h2_conn *h)
{
    h->more = true;
    loop_defer(h->loop, &h->settle);
}

static void has_less(struct h2_conn *h)
{
    h->less = true;
    loop_defer(h->loop, &h->settle);
}

static enum sent detach(struct h2_conn *h, struct h2_exchange *x)
{
    h->base.traffic->streams--;
    has_room(h);
    return h2_exchange_detach(x);
}

static void fail(struct h2_exchange *x, enum failure why, enum sent sent, const char *detail)
{
    bool within = why == FAILURE_CONNECTION_TERMINATED && h2_exchange_began(x);
    struct verdict v =
        verdict_make(within ? FAILURE_HTTP_RESPONSE_INCOMPLETE : why, sent, "%s", detail);
    h2_exchange_fail(x, &v);
}

/* The line is of no use any more, nor is what is open on it. What was sent of that is
 * settled now; the stream is closed before anybody hears of it, and what waits in its
 * queue with it. */
static void break_down(struct h2_conn *h, enum failure why, enum close_reason idle,
                       const char *detail)
{
    struct h2_exchange *x;
    bool is_idle = h->open.count == 0;
    while ((x = h2_exchange_of(list_first(&h->open)))) {
        h->base.traffic->streams--;
        fail(x, why, h2_exchange_detach_lost(x), detail);
    }
    task_forget(&h->flush);
    go(h, is_idle ? idle : CLOSE_ERROR, detail);
}

/* ------------------------------------------------------------------ writing */

static void write_out(struct h2_conn *h)
{
    uv_buf_t piece = uv_buf_init(h->out.at, (unsigned)h->out.len);
    h->base.traffic->bytes_sent += h->out.len;
    h->blocked = !stream_write(h->stream, &piece, 1);
    if (h->blocked)
        has_less(h);
    text_clear(&h->out);
}

/* Whose last frame has been written by now. */
static void note_ends(struct h2_conn *h)
{
    struct h2_exchange *x;
    while ((x = h2_exchange_of_ending(list_first(&h->ending)))) {
        list_remove(h2_exchange_ending(x));
        h2_exchange_sent_all(x, stream_written(h->stream));
    }
}

static bool gather(struct h2_conn *h)
{
    const char *at;
    size_t len;
    while (h->out.len < GATHER_MAX && (len = h2_session_drain(&h->session, &at)) > 0)
        text_add(&h->out, (struct span){at, len});
    return h->out.len > 0;
}

static void write_frames(struct h2_conn *h)
{
    while (!h->blocked && gather(h)) {
        write_out(h);
        note_ends(h);
    }
    note_ends(h); /* of those that nghttp2 told late, behind a full piece */
}

/* Once a turn: what many exchanges have to say goes out together. */
static void flush(struct task *t)
{
    struct h2_conn *h = container_of(t, struct h2_conn, flush);
    MAGIC_CHECK(h, MAGIC);
    write_frames(h);
    if (h2_session_is_over(&h->session) && (h->open.count || !h->leaving))
        break_down(h, FAILURE_HTTP_PROTOCOL_ERROR, CLOSE_ERROR, h->offence);
}

static void flush_later(void *line)
{
    struct h2_conn *h = of_line(line);
    if (!h->gone && !h->closed)
        loop_defer(h->loop, &h->flush);
}

static void on_drain(void *owner)
{
    struct h2_conn *h = of_line(owner);
    h->blocked = false;
    has_room(h);
    flush_later(h);
}

/* ----------------------------------------------------- what nghttp2 heard */

static void on_complete(void *line, struct h2_exchange *x)
{
    struct h2_conn *h = of_line(line);
    int32_t id = h2_exchange_id(x);
    nghttp2_session *session = h->session.nghttp2;
    if (nghttp2_session_get_stream_local_close(session, id) != 1) /* RFC 9113 8.1 */
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
    detach(h, x);
    h2_exchange_end(x);
}

/* RFC 9113 8.7: a refused stream was not processed at all. One that was answered
 * in part is not believed to be. Of one that waited here to be sent nothing had left. */
static void fail_refused(struct h2_conn *h, struct h2_exchange *x)
{
    struct verdict v =
        verdict_make(FAILURE_CONNECTION_TERMINATED, SENT_NO, "%s",
                     h->leaving ? "the origin said GOAWAY and left the request undone"
                                : "the origin refused the stream");
    v.undone = detach(h, x) != SENT_NO;
    h2_exchange_fail(x, &v);
}

/* It is to be asked in HTTP/1.1 (RFC 9113 7): so it did nothing yet, though that is no
 * promise as above. */
static void fail_old(struct h2_conn *h, struct h2_exchange *x)
{
    h->base.wants_http1 = true;
    struct verdict v = verdict_make(FAILURE_CONNECTION_TERMINATED, detach(h, x),
                                    "the origin wants HTTP/1.1 for it (HTTP_1_1_REQUIRED)");
    v.undone = true;
    h2_exchange_fail(x, &v);
}

static void fail_reset(struct h2_conn *h, struct h2_exchange *x, uint32_t code)
{
    char detail[80];
    snprintf(detail, sizeof detail, "the origin reset the stream (%s)",
             nghttp2_http2_strerror(code));
    enum sent sent = detach(h, x);
    fail(x, FAILURE_CONNECTION_TERMINATED, sent, detail);
}

static void on_closed(void *line, struct h2_exchange *x, uint32_t code, bool by_origin)
{
    struct h2_conn *h = of_line(line);
    if (code == NGHTTP2_REFUSED_STREAM && !h2_exchange_began(x))
        fail_refused(h, x);
    else if (code == NGHTTP2_HTTP_1_1_REQUIRED && by_origin && !h2_exchange_began(x))
        fail_old(h, x);
    else if (by_origin)
        fail_reset(h, x, code);
    else
        fail(x, FAILURE_HTTP_PROTOCOL_ERROR, detach(h, x), h->offence);
}

static void on_unsent(void *line, int32_t id)
{
    struct h2_conn *h = of_line(line);
    for (struct link *k = list_first(&h->open); k; k = list_next(k)) {
        struct h2_exchange *x = h2_exchange_of(k);
        if (h2_exchange_id(x) != id)
            continue;
        fail_refused(h, x);
        return;
    }
}

static void on_sending(void *line, struct h2_exchange *x)
{
    struct h2_conn *h = of_line(line);
    h2_exchange_sends(x, stream_written(h->stream));
}

static void on_last_sent(void *line, struct h2_exchange *x)
{
    struct h2_conn *h = of_line(line);
    list_push_back(&h->ending, h2_exchange_ending(x));
}

static void on_settings(void *line)
{
    struct h2_conn *h = of_line(line);
    size_t before = h->base.allowed;
    h->base.allowed = h2_session_allowed(&h->session);
    if (before == CONN_UNSAID || h->base.allowed > before)
        has_room(h);
    else if (h->base.allowed < before)
        has_less(h);
}

static void take_leave(struct h2_conn *h, enum close_reason why, const char *farewell)
{
    if (!h->leaving) {
        h->why = why;
        h->farewell = farewell;
    }
    h->leaving = true;
    has_less(h);
}

static void on_goaway(void *line, uint32_t code)
{
    struct h2_conn *h = of_line(line);
    h->base.wants_http1 |= code == NGHTTP2_HTTP_1_1_REQUIRED;
    take_leave(h, h->open.count ? CLOSE_RESPONSE : CLOSE_PEER, "the origin said GOAWAY");
}

static bool on_talk(void *line)
{
    struct h2_conn *h = of_line(line);
    return bucket_take(&h->talk, loop_now(h->loop));
}

static void on_offence(void *line, const char *words)
{
    struct h2_conn *h = of_line(line);
    snprintf(h->offence, sizeof h->offence, "%s", words);
}

static const struct h2_session_events session_events = {
    .on_complete = on_complete,
    .on_closed = on_closed,
    .on_unsent = on_unsent,
    .on_sending = on_sending,
    .on_last_sent = on_last_sent,
    .on_settings = on_settings,
    .on_goaway = on_goaway,
    .on_talk = on_talk,
    .on_offence = on_offence,
};

/* ------------------------------------------------------------------ reading */

/* Whatever comes proves the line, not only the answer to the PING. */
static void take_proof(struct h2_conn *h)
{
    h->heard_at = loop_now(h->loop);
    h->asked_at = h->unanswered_since = 0;
    if (!h->base.doubted)
        return;
    h->base.doubted = false;
    has_room(h);
}

static void on_data(void *owner, const char *data, size_t len)
{
    struct h2_conn *h = of_line(owner);
    h->base.traffic->bytes_received += len;
    if (h->gone || h->closed)
        return;
    take_proof(h);
    if (h2_session_feed(&h->session, data, len)) {
        flush_later(h);
        return;
    }
    write_frames(h); /* the GOAWAY that says why */
    break_down(h, FAILURE_HTTP_PROTOCOL_ERROR, CLOSE_ERROR, h->offence);
}

static void on_end(void *owner, enum stream_end how, const char *why)
{
    struct h2_conn *h = of_line(owner);
    h->ended = true;
    if (h->leaving && h->open.count == 0)
        go(h, h->why, why);
    else
        break_down(h, FAILURE_CONNECTION_TERMINATED, CLOSE_PEER,
                   how == STREAM_RESET ? why : "the origin closed the connection");
}

/* ----------------------------------------------------------------- liveness */

static uint64_t quiet_limit(const struct h2_conn *h)
{
    return h->open.count ? H2_BUSY_PING_MS : H2_IDLE_PING_MS;
}

static void ask(struct h2_conn *h)
{
    h->asked_at = loop_now(h->loop);
    nghttp2_submit_ping(h->session.nghttp2, NGHTTP2_FLAG_NONE, NULL);
    deadline_in(&h->ping_due, H2_DOUBT_MS);
    flush_later(h);
}

static void doubt(struct h2_conn *h)
{
    h->base.doubted = true;
    h->base.awaited_until = h->asked_at + H2_DOUBT_MS;
    has_less(h);
    deadline_at(&h->ping_due, h->asked_at + H2_PONG_MS);
}

/* Never later than an idle line's next PING, since a busy one may fall idle. */
static void watch(struct h2_conn *h)
{
    uint64_t due = h->heard_at + quiet_limit(h), soon = loop_now(h->loop) + H2_IDLE_PING_MS;
    deadline_at(&h->ping_due, due < soon ? due : soon);
}

static void on_ping_due(struct deadline *d)
{
    struct h2_conn *h = container_of(d, struct h2_conn, ping_due);
    MAGIC_CHECK(h, MAGIC);
    uint64_t now = loop_now(h->loop);
    if (h->gone)
        return;
    if (h->asked_at && now >= h->asked_at + H2_PONG_MS) {
        break_down(h, FAILURE_CONNECTION_TERMINATED, CLOSE_ERROR,
                   "a PING was not answered within 2s");
    } else if (h->asked_at) {
        doubt(h);
    } else if (now >= h->heard_at + quiet_limit(h)) {
        ask(h);
    } else {
        watch(h);
    }
}

/* --------------------------------------------------------------------- conn */

static void reset_stream(void *line, struct h2_exchange *x, uint32_t code)
{
    struct h2_conn *h = of_line(line);
    nghttp2_submit_rst_stream(h->session.nghttp2, NGHTTP2_FLAG_NONE, h2_exchange_id(x), code);
    h->base.traffic->streams--;
    has_room(h);
    flush_later(h);
}

static void misdirected(void *line)
{
    take_leave(of_line(line), CLOSE_RESPONSE, "it was told that it leads elsewhere (421)");
}

/* A line that has brought nothing since then may be dead; and if many leave soon, one after
 * the other, their time counts together. */
static void unanswered(void *line, uint64_t since, bool late)
{
    struct h2_conn *h = of_line(line);
    if (h->heard_at > since || h->gone || h->closed || h->base.doubted)
        return;
    if (h->unanswered_since == 0)
        h->unanswered_since = since;
    if (!late && loop_now(h->loop) - h->unanswered_since < H2_SILENCE_MS)
        return;
    if (h->asked_at == 0)
        ask(h);
    doubt(h);
}

static const struct h2_exchange_events line_calls = {
    .flush = flush_later,
    .reset = reset_stream,
    .misdirected = misdirected,
    .unanswered = unanswered,
};

/* While the stream takes nothing a request would leave late, or never. */
static size_t capacity(const struct conn *c)
{
    const struct h2_conn *h = container_of(c, const struct h2_conn, base);
    if (h->gone || h->closed || h->leaving || h->base.doubted || h->ended || h->blocked ||
        !h2_session_takes_more(&h->session))
        return 0;
    size_t allowed = h2_session_allowed(&h->session);
    return allowed > h->open.count ? allowed - h->open.count : 0;
}

static size_t load(const struct conn *c)
{
    return container_of(c, const struct h2_conn, base)->open.count;
}

static struct exchange *begin(struct conn *c, const struct conn_request *r,
                              const struct exchange_events *events, void *owner)
{
    struct h2_conn *h = self(c);
    CHECK(capacity(c) > 0);
    struct h2_exchange *x =
        h2_exchange_new(h->loop, &line_calls, h, h->session.nghttp2, h->stream, h->secure, r);
    list_push_back(&h->open, h2_exchange_link(x));
    h->base.traffic->streams++;
    if (h->base.traffic->streams > h->base.traffic->streams_peak)
        h->base.traffic->streams_peak = h->base.traffic->streams;
    flush_later(h);
    struct exchange *base = h2_exchange_base(x);
    base->events = events;
    base->owner = owner;
    return base;
}

static bool is_quiet(struct conn *c)
{
    return stream_is_quiet(self(c)->stream);
}

static void free_now(struct task *t)
{
    struct h2_conn *h = container_of(t, struct h2_conn, free_later);
    h2_session_free(&h->session);
    text_free(&h->out);
    h->magic = 0;
    free(h);
}

/* RFC 9113 6.8: who closes says so first, if he can at once. Never from inside a
 * call of nghttp2's, since the pool hears of a line by tasks alone. */
static void close_conn(struct conn *c)
{
    struct h2_conn *h = self(c);
    if (h->closed)
        return;
    CHECK(h->gone || h->open.count == 0);
    h->closed = true;
    deadline_stop(&h->ping_due);
    task_forget(&h->settle);
    task_forget(&h->flush);
    if (!h->gone && !h->ended) {
        nghttp2_session_terminate_session(h->session.nghttp2, NGHTTP2_NO_ERROR);
        write_frames(h);
    }
    stream_close(h->stream);
    loop_defer(h->loop, &h->free_later);
}

struct conn *h2_conn_new(struct loop *l, struct stream *s, bool secure, size_t header_limit)
{
    static const struct conn_ops ops = {begin, capacity, load, is_quiet, close_conn, NULL};
    static const struct stream_events events = {on_data, on_end, on_drain};
    struct h2_conn *h = NEW(struct h2_conn);
    h->magic = MAGIC;
    h->base = (struct conn){.ops = &ops, .protocol = "h2", .shares = true, .allowed = CONN_UNSAID};
    h->loop = l;
    h->stream = s;
    h->secure = secure;
    h->heard_at = loop_now(l);
    list_init(&h->open);
    list_init(&h->ending);
    on_offence(h, "the origin broke the rules of HTTP/2"); /* nghttp2 has no words for some */
    bucket_configure(&h->talk, TALK_PER_S, 1000, TALK_BURST, h->heard_at);
    h2_session_init(&h->session, &session_events, h, header_limit);
    task_init(&h->flush, flush);
    task_init(&h->settle, settle);
    task_init(&h->free_later, free_now);
    deadline_init(&h->ping_due, l, on_ping_due);
    watch(h);
    stream_bind(s, &events, h);
    stream_resume(s);
    loop_defer(l, &h->flush); /* the greeting */
    return &h->base;
}
