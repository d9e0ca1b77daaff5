#include "protocol/h2_conn.h"

#include <stdio.h>

#include "base/bucket.h"
#include "base/rare.h"
#include "base/state.h"
#include "base/text.h"
#include "protocol/h2_proof.h"
#include "protocol/h2_session.h"

#define MAGIC 0x68326332
#define GATHER_MAX (16 * 1024) /* frames of many requests go out in one write */

/* How many frames that carry nothing are accepted at once, and per second. More is a flood
 * (CVE-2019-9512, 9515, 9518; CVE-2023-44487), which ends the connection. */
#define TALK_BURST 1000
#define TALK_PER_S 100

/* LEAVING: it takes no more exchanges (GOAWAY or 421). GONE: its owner was told so. CLOSED: by
 * its owner. */
#define H2_CONN_STATES(S)                                                                          \
    S(H2_CONN_OPEN, "open", TO(H2_CONN_LEAVING) | TO(H2_CONN_GONE) | TO(H2_CONN_CLOSED))           \
    S(H2_CONN_LEAVING, "leaving", TO(H2_CONN_GONE) | TO(H2_CONN_CLOSED))                           \
    S(H2_CONN_GONE, "gone", TO(H2_CONN_CLOSED))                                                    \
    S(H2_CONN_CLOSED, "closed", 0)
STATE_TYPE(h2_conn, H2_CONN_STATES)

/* What the owner is to be told of the capacity; of two the latter, which says more. */
enum news { NEWS_NONE, NEWS_LESS_ROOM, NEWS_MORE_ROOM };

struct h2_conn {
    struct conn base;
    unsigned magic;
    enum h2_conn_state state;
    struct h2_proof proof;
    enum news news;
    struct loop *loop;
    struct stream *stream;
    struct h2_session session;
    bool secure;
    bool blocked;       /* the stream accepts no more until on_drain */
    struct list open;   /* exchanges */
    struct list ending; /* those of them whose last frame is being handed out */
    struct text out;    /* frames gathered for one write */
    struct bucket talk;
    enum close_reason leaving_why; /* once it is LEAVING */
    const char *leaving_words;
    char offence[120]; /* what the origin did wrong, in words */
    struct task flush, settle, free_later;
};

static struct h2_conn *self(struct conn *c)
{
    struct h2_conn *h = container_of(c, struct h2_conn, base);
    MAGIC_CHECK(h, MAGIC);
    return h;
}

static struct h2_conn *of_owner(void *owner)
{
    struct h2_conn *h = owner;
    MAGIC_CHECK(h, MAGIC);
    return h;
}

static void enter(struct h2_conn *h, enum h2_conn_state to)
{
    STATE_ENTER(h2_conn, &h->state, to, h->base.log_object, h->base.log_id);
    if (to >= H2_CONN_GONE)
        h2_proof_stop(&h->proof);
}

/* ------------------------------------------------------------------- ending */

static void be_gone(struct h2_conn *h, enum close_reason why, const char *detail)
{
    if (h->state >= H2_CONN_GONE)
        return;
    enter(h, H2_CONN_GONE);
    h->base.events->on_gone(h->base.owner, why, detail);
}

/* The pool hears of the connection before the exchanges' owners hear of their ends, and
 * neither hears anything from inside a call of nghttp2's. */
static void settle(struct task *t)
{
    struct h2_conn *h = container_of(t, struct h2_conn, settle);
    MAGIC_CHECK(h, MAGIC);
    enum news news = h->news;
    h->news = NEWS_NONE;
    if (h->state >= H2_CONN_GONE)
        return;
    if (h->state == H2_CONN_LEAVING && h->open.count == 0)
        be_gone(h, h->leaving_why, h->leaving_words);
    else if (news == NEWS_MORE_ROOM)
        h->base.events->on_room(h->base.owner);
    else if (news == NEWS_LESS_ROOM)
        h->base.events->on_full(h->base.owner);
}

static void tell_later(struct h2_conn *h, enum news news)
{
    if (news > h->news)
        h->news = news;
    loop_defer(h->loop, &h->settle);
}

static enum sent detach(struct h2_conn *h, struct h2_exchange *x)
{
    h->base.traffic->streams--;
    tell_later(h, NEWS_MORE_ROOM);
    return h2_exchange_detach(x);
}

static void fail(struct h2_exchange *x, enum failure why, enum sent sent, const char *detail)
{
    bool is_cut_off = why == FAILURE_CONNECTION_TERMINATED && h2_exchange_began(x);
    struct verdict v =
        verdict_make(is_cut_off ? FAILURE_HTTP_RESPONSE_INCOMPLETE : why, sent, "%s", detail);
    h2_exchange_fail(x, &v);
}

/* Fails the connection and all that is open on it. What was sent of each request is settled
 * now: the pool closes the stream, and what waits in its queue with it, before any owner of
 * an exchange hears of the failure. `idle`: the reason if no exchange was open. */
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
    be_gone(h, is_idle ? idle : CLOSE_ERROR, detail);
}

/* ------------------------------------------------------------------ writing */

static void write_out(struct h2_conn *h)
{
    uv_buf_t piece = uv_buf_init(h->out.at, (unsigned)h->out.len);
    h->base.traffic->bytes_sent += h->out.len;
    h->blocked = !stream_write(h->stream, &piece, 1);
    if (h->blocked)
        tell_later(h, NEWS_LESS_ROOM);
    text_clear(&h->out);
}

/* nghttp2 reports the last frame of a request before it hands out the end of it. */
static void note_ends(struct h2_conn *h)
{
    struct link *k;
    while ((k = list_first(&h->ending))) {
        list_remove(k);
        h2_exchange_sent_all(h2_exchange_of_ending(k), stream_written(h->stream) + h->out.len);
    }
}

static bool gather(struct h2_conn *h)
{
    const char *at;
    size_t len;
    while (h->out.len < GATHER_MAX && (len = h2_session_drain(&h->session, &at)) > 0) {
        text_add(&h->out, (struct span){at, len});
        note_ends(h);
    }
    note_ends(h);
    return h->out.len > 0;
}

static void write_frames(struct h2_conn *h)
{
    while (!h->blocked && gather(h))
        write_out(h);
}

/* Once per turn of the loop, so that the frames of many exchanges are sent in one write. */
static void flush(struct task *t)
{
    struct h2_conn *h = container_of(t, struct h2_conn, flush);
    MAGIC_CHECK(h, MAGIC);
    write_frames(h);
    if (h2_session_is_over(&h->session) && (h->open.count || h->state == H2_CONN_OPEN))
        break_down(h, FAILURE_HTTP_PROTOCOL_ERROR, CLOSE_ERROR, h->offence);
}

static void flush_later(struct h2_conn *h)
{
    if (h->state < H2_CONN_GONE)
        loop_defer(h->loop, &h->flush);
}

static void on_drain(void *owner)
{
    struct h2_conn *h = of_owner(owner);
    h->blocked = false;
    tell_later(h, NEWS_MORE_ROOM);
    flush_later(h);
}

/* -------------------------------------------------- what the session reports */

static void on_complete(void *owner, struct h2_exchange *x)
{
    struct h2_conn *h = of_owner(owner);
    int32_t id = h2_exchange_id(x);
    nghttp2_session *session = h->session.nghttp2;
    if (nghttp2_session_get_stream_local_close(session, id) != 1) { /* RFC 9113 8.1 */
        rare_note(RARE_H2_EARLY_ANSWER);
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
    }
    detach(h, x);
    h2_exchange_end(x);
}

/* A refused stream was not processed at all (RFC 9113 8.7), so what was sent of the request is
 * undone; the caller has checked that no response had begun. */
static void fail_refused(struct h2_conn *h, struct h2_exchange *x)
{
    struct verdict v = verdict_make(FAILURE_CONNECTION_TERMINATED, SENT_NO, "%s",
                                    h->state == H2_CONN_LEAVING
                                        ? "the origin sent GOAWAY without processing the request"
                                        : "the origin refused the stream");
    rare_note(RARE_H2_REFUSED);
    v.undone = detach(h, x) != SENT_NO;
    h2_exchange_fail(x, &v);
}

/* The origin wants this request in HTTP/1.1 (RFC 9113 7), so it has not processed it. */
static void fail_http1_required(struct h2_conn *h, struct h2_exchange *x)
{
    rare_note(RARE_H2_HTTP1_REQUIRED);
    h->base.wants_http1 = true;
    struct verdict v =
        verdict_make(FAILURE_CONNECTION_TERMINATED, detach(h, x),
                     "the origin requires HTTP/1.1 for this request (HTTP_1_1_REQUIRED)");
    v.undone = true;
    h2_exchange_fail(x, &v);
}

static void fail_reset(struct h2_conn *h, struct h2_exchange *x, uint32_t code)
{
    char detail[80];
    rare_note(RARE_H2_RESET);
    snprintf(detail, sizeof detail, "the origin reset the stream (%s)",
             nghttp2_http2_strerror(code));
    enum sent sent = detach(h, x);
    fail(x, FAILURE_CONNECTION_TERMINATED, sent, detail);
}

static void on_closed(void *owner, struct h2_exchange *x, uint32_t code, bool by_origin)
{
    struct h2_conn *h = of_owner(owner);
    if (code == NGHTTP2_REFUSED_STREAM && !h2_exchange_began(x))
        fail_refused(h, x);
    else if (code == NGHTTP2_HTTP_1_1_REQUIRED && by_origin && !h2_exchange_began(x))
        fail_http1_required(h, x);
    else if (by_origin)
        fail_reset(h, x, code);
    else
        fail(x, FAILURE_HTTP_PROTOCOL_ERROR, detach(h, x), h->offence);
}

static void on_unsent(void *owner, int32_t id)
{
    struct h2_conn *h = of_owner(owner);
    for (struct link *k = list_first(&h->open); k; k = list_next(k)) {
        struct h2_exchange *x = h2_exchange_of(k);
        if (h2_exchange_id(x) != id)
            continue;
        fail_refused(h, x);
        return;
    }
}

static void on_sending(void *owner, struct h2_exchange *x)
{
    struct h2_conn *h = of_owner(owner);
    h2_exchange_sends(x, stream_written(h->stream) + h->out.len);
}

static void on_last_sent(void *owner, struct h2_exchange *x)
{
    struct h2_conn *h = of_owner(owner);
    list_push_back(&h->ending, h2_exchange_ending(x));
}

static void on_settings(void *owner)
{
    struct h2_conn *h = of_owner(owner);
    size_t before = h->base.allowed;
    h->base.allowed = h2_session_allowed(&h->session);
    if (before == CONN_UNSAID || h->base.allowed > before)
        tell_later(h, NEWS_MORE_ROOM);
    else if (h->base.allowed < before) {
        rare_note(RARE_H2_FEWER_STREAMS);
        tell_later(h, NEWS_LESS_ROOM);
    }
}

/* Of several reasons to leave the first counts. */
static void leave(struct h2_conn *h, enum close_reason why, const char *words)
{
    if (h->state == H2_CONN_OPEN) {
        enter(h, H2_CONN_LEAVING);
        h->leaving_why = why;
        h->leaving_words = words;
    }
    tell_later(h, NEWS_LESS_ROOM);
}

static void on_goaway(void *owner, uint32_t code)
{
    struct h2_conn *h = of_owner(owner);
    rare_note(RARE_H2_GOAWAY);
    LOG(DEBUG, h->base.log_object, "GOAWAY %u line=%ju", code, (uintmax_t)h->base.log_id);
    h->base.wants_http1 |= code == NGHTTP2_HTTP_1_1_REQUIRED;
    leave(h, h->open.count ? CLOSE_RESPONSE : CLOSE_PEER, "the origin sent GOAWAY");
}

static bool on_talk(void *owner)
{
    struct h2_conn *h = of_owner(owner);
    return bucket_take(&h->talk, loop_now(h->loop));
}

static void on_offence(void *owner, const char *words)
{
    struct h2_conn *h = of_owner(owner);
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

/* ---------------------------------------------------- what the proof reports */

static void on_ping_due(struct conn *c)
{
    struct h2_conn *h = self(c);
    nghttp2_submit_ping(h->session.nghttp2, NGHTTP2_FLAG_NONE, NULL);
    flush_later(h);
}

static void on_doubted(struct conn *c)
{
    tell_later(self(c), NEWS_LESS_ROOM);
}

static void on_proved(struct conn *c)
{
    tell_later(self(c), NEWS_MORE_ROOM);
}

static void on_dead(struct conn *c)
{
    break_down(self(c), FAILURE_CONNECTION_TERMINATED, CLOSE_ERROR,
               "a PING was not answered within 2s");
}

static const struct h2_proof_events proof_events = {
    .on_ping_due = on_ping_due,
    .on_doubted = on_doubted,
    .on_proved = on_proved,
    .on_dead = on_dead,
};

/* ------------------------------------------------------------------ reading */

static void on_data(void *owner, const char *data, size_t len)
{
    struct h2_conn *h = of_owner(owner);
    h->base.traffic->bytes_received += len;
    if (h->state >= H2_CONN_GONE)
        return;
    h2_proof_heard(&h->proof);
    if (h2_session_feed(&h->session, data, len)) {
        if (h2_session_wants_drain(&h->session))
            flush_later(h);
        return;
    }
    write_frames(h); /* the GOAWAY that says why */
    break_down(h, FAILURE_HTTP_PROTOCOL_ERROR, CLOSE_ERROR, h->offence);
}

static void on_end(void *owner, enum stream_end how, const char *why)
{
    struct h2_conn *h = of_owner(owner);
    if (h->state == H2_CONN_LEAVING && h->open.count == 0)
        be_gone(h, h->leaving_why, why);
    else
        break_down(h, FAILURE_CONNECTION_TERMINATED, CLOSE_PEER,
                   how == STREAM_RESET ? why : "the origin closed the connection");
}

/* ------------------------------------------------- what the exchanges report */

static void on_output(struct conn *c)
{
    flush_later(self(c));
}

static void on_reset(struct conn *c, struct h2_exchange *x, uint32_t code)
{
    struct h2_conn *h = self(c);
    nghttp2_submit_rst_stream(h->session.nghttp2, NGHTTP2_FLAG_NONE, h2_exchange_id(x), code);
    h->base.traffic->streams--;
    tell_later(h, NEWS_MORE_ROOM);
    flush_later(h);
}

static void on_misdirected(struct conn *c)
{
    rare_note(RARE_H2_MISDIRECTED);
    leave(self(c), CLOSE_RESPONSE, "the origin answered 421 (Misdirected Request)");
}

static void on_unanswered(struct conn *c, uint64_t since, bool late)
{
    struct h2_conn *h = self(c);
    if (h->state < H2_CONN_GONE)
        h2_proof_unanswered(&h->proof, since, late);
}

static const struct h2_exchange_events exchange_events = {
    .on_output = on_output,
    .on_reset = on_reset,
    .on_misdirected = on_misdirected,
    .on_unanswered = on_unanswered,
};

/* --------------------------------------------------------------------- conn */

/* While the stream is full it has none: a request would be sent late, or never. */
static size_t capacity(const struct conn *c)
{
    const struct h2_conn *h = container_of(c, const struct h2_conn, base);
    if (h->state != H2_CONN_OPEN || h->base.doubted || h->blocked ||
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
        h2_exchange_new(h->loop, &exchange_events, c, h->session.nghttp2, h->stream, h->secure, r);
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

static bool is_quiet(struct conn *c, uint64_t within_us)
{
    return stream_is_quiet(self(c)->stream, within_us);
}

static void free_now(struct task *t)
{
    struct h2_conn *h = container_of(t, struct h2_conn, free_later);
    h2_session_free(&h->session);
    text_free(&h->out);
    h->magic = 0;
    free(h);
}

/* A GOAWAY is sent first (RFC 9113 6.8), as far as the stream takes it at once. Never called
 * from inside a call of nghttp2's, since the pool hears of a connection by tasks alone. */
static void close_conn(struct conn *c)
{
    struct h2_conn *h = self(c);
    if (h->state == H2_CONN_CLOSED)
        return;
    bool says_goodbye = h->state != H2_CONN_GONE;
    CHECK(!says_goodbye || h->open.count == 0);
    enter(h, H2_CONN_CLOSED);
    task_forget(&h->settle);
    task_forget(&h->flush);
    if (says_goodbye) {
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
    h->base = (struct conn){
        .ops = &ops, .log_object = "h2", .protocol = "h2", .shares = true, .allowed = CONN_UNSAID};
    h->loop = l;
    h->stream = s;
    h->secure = secure;
    list_init(&h->open);
    list_init(&h->ending);
    on_offence(h, "the origin violated HTTP/2"); /* where nghttp2 says no more */
    bucket_configure(&h->talk, TALK_PER_S, 1000, TALK_BURST, loop_now(l));
    h2_session_init(&h->session, &session_events, h, header_limit);
    task_init(&h->flush, flush);
    task_init(&h->settle, settle);
    task_init(&h->free_later, free_now);
    h2_proof_init(&h->proof, l, &h->base, &h->open, &proof_events);
    stream_bind(s, &events, h);
    stream_resume(s);
    loop_defer(l, &h->flush); /* our SETTINGS */
    return &h->base;
}
