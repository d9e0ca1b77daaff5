#include "protocol/h2_exchange.h"

#include "base/buf.h"
#include "base/spares.h"
#include "base/state.h"
#include "http/framing.h"
#include "http/head.h"
#include "http/reply.h"
#include "protocol/h2_fields.h"

#define MAGIC 0x68327831
#define INTERIM_MAX 16
#define GIVE_BACK_STEP (64 * 1024)
#define OUT_HIGH (256 * 1024) /* of a request's body, gathered for the origin's window */
#define OUT_LOW (64 * 1024)
#define NEVER UINT64_MAX

/* OPEN: its owner may write more of the body. FULL: the owner is to wait for on_drain.
 * FINISHED: the owner has written all of it. WRITTEN: all its frames are in the stream.
 * CUT: it left its connection before that. */
#define H2_REQUEST_STATES(S)                                                                       \
    S(H2_REQUEST_OPEN, "open", TO(H2_REQUEST_FULL) | TO(H2_REQUEST_FINISHED) | TO(H2_REQUEST_CUT)) \
    S(H2_REQUEST_FULL, "full", TO(H2_REQUEST_OPEN) | TO(H2_REQUEST_FINISHED) | TO(H2_REQUEST_CUT)) \
    S(H2_REQUEST_FINISHED, "finished", TO(H2_REQUEST_WRITTEN) | TO(H2_REQUEST_CUT))                \
    S(H2_REQUEST_WRITTEN, "written", 0)                                                            \
    S(H2_REQUEST_CUT, "cut", 0)
STATE_TYPE(h2_request, H2_REQUEST_STATES)

/* AWAITED: nothing of it has come. BEGUN: header fields or interim responses have. BODY: its
 * head was handed up. COMPLETE and FAILED: it has left its connection, and its owner is to
 * be told. ENDED: the owner was told, or has cancelled. */
#define H2_RESPONSE_STATES(S)                                                                      \
    S(H2_RESPONSE_AWAITED, "awaited",                                                              \
      TO(H2_RESPONSE_BEGUN) | TO(H2_RESPONSE_FAILED) | TO(H2_RESPONSE_ENDED))                      \
    S(H2_RESPONSE_BEGUN, "begun",                                                                  \
      TO(H2_RESPONSE_BODY) | TO(H2_RESPONSE_FAILED) | TO(H2_RESPONSE_ENDED))                       \
    S(H2_RESPONSE_BODY, "body",                                                                    \
      TO(H2_RESPONSE_COMPLETE) | TO(H2_RESPONSE_FAILED) | TO(H2_RESPONSE_ENDED))                   \
    S(H2_RESPONSE_COMPLETE, "complete", TO(H2_RESPONSE_ENDED))                                     \
    S(H2_RESPONSE_FAILED, "failed", TO(H2_RESPONSE_ENDED))                                         \
    S(H2_RESPONSE_ENDED, "ended", 0)
STATE_TYPE(h2_response, H2_RESPONSE_STATES)

struct h2_exchange {
    struct exchange base;
    unsigned magic;
    enum h2_request_state request;
    enum h2_response_state response;
    struct link link, ending;
    struct loop *loop;
    nghttp2_session *session; /* NULL: it has left its connection */
    struct stream *stream;
    const struct h2_exchange_events *conn_events;
    struct conn *conn;
    const char *log_object; /* of its connection, like `log_id` */
    uint64_t log_id;
    const struct request_id *request_id;
    int32_t id;

    struct buf out; /* the request's body, until nghttp2 takes it */
    nghttp2_nv *trailers;
    size_t trailer_count;
    bool starved;       /* nghttp2 waits for more of the body */
    uint64_t begins_at; /* where the request begins in the stream; see stream_written() */
    uint64_t ended_at;  /* where it ends, once it is WRITTEN */
    enum sent sent;     /* once it has left its connection */
    uint64_t opened_at; /* loop time, ms */

    struct arena *arena;
    struct head head; /* the head under way, later the trailers */
    size_t header_limit;
    unsigned status, interim;
    bool to_head;     /* the request is a HEAD */
    struct buf held;  /* the response's body, while its owner has paused */
    uint64_t left;    /* bytes of the body to come, if its length is known; else NEVER */
    bool paused;      /* by its owner */
    bool widens;      /* its window grows once its owner has read a whole one without pausing */
    size_t taken;     /* bytes of the body, until then */
    size_t owed;      /* bytes taken, without a WINDOW_UPDATE so far */
    struct task tell; /* hands up what is known, outside of the call that brought it */
    struct task free_later;
    struct verdict why; /* why it has FAILED; not set before */
};

static struct spares spares;

static struct h2_exchange *self(struct exchange *x)
{
    struct h2_exchange *h = container_of(x, struct h2_exchange, base);
    MAGIC_CHECK(h, MAGIC);
    return h;
}

static void free_now(struct task *t)
{
    struct h2_exchange *h = container_of(t, struct h2_exchange, free_later);
    arena_free(h->arena);
    buf_clear(&h->out);
    buf_clear(&h->held);
    h->magic = 0;
    spares_give(&spares, h);
}

static void enter_request(struct h2_exchange *h, enum h2_request_state to)
{
    STATE_ENTER_FOR(h2_request, &h->request, to, h->log_object, h->log_id, h->request_id);
}

/* It ends when both its sides have. */
static void enter_response(struct h2_exchange *h, enum h2_response_state to)
{
    STATE_ENTER_FOR(h2_response, &h->response, to, h->log_object, h->log_id, h->request_id);
    if (to != H2_RESPONSE_ENDED)
        return;
    CHECK(h->request >= H2_REQUEST_WRITTEN);
    task_forget(&h->tell);
    loop_defer(h->loop, &h->free_later);
}

static bool is_over(const struct h2_exchange *h)
{
    return h->response == H2_RESPONSE_ENDED;
}

/* ----------------------------------------------------------- telling the owner */

/* The owner has read `len` bytes, so the origin may send as many more (RFC 9113 5.2.2). It
 * is told so in small steps: otherwise it would send a whole window at once, and hold up the
 * connection's other streams. */
static void give_back(struct h2_exchange *h, size_t len)
{
    h->owed += len;
    if (h->owed < GIVE_BACK_STEP)
        return;
    nghttp2_submit_window_update(h->session, NGHTTP2_FLAG_NONE, h->id, (int32_t)h->owed);
    h->owed = 0;
}

static void widen(struct h2_exchange *h, size_t len)
{
    h->taken += len;
    h->widens = h->taken < H2_STREAM_WINDOW;
    if (!h->widens)
        nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, h->id, H2_WIDE_WINDOW);
}

static void consume(struct h2_exchange *h, size_t len)
{
    if (h->session == NULL)
        return;
    give_back(h, len);
    if (h->widens)
        widen(h, len);
    h->conn_events->on_output(h->conn);
}

static void hand_up(struct h2_exchange *h, const char *data, size_t len)
{
    h->base.events->on_body(h->base.owner, data, len);
    if (!is_over(h))
        consume(h, len);
}

static void hand_up_held(struct h2_exchange *h)
{
    const char *at;
    size_t len;
    if (h->left == 0 && h->response == H2_RESPONSE_BODY) /* its end is yet to come */
        return;
    while (!is_over(h) && !h->paused && (len = buf_front(&h->held, &at)) > 0) {
        hand_up(h, at, len);
        buf_consume(&h->held, len);
    }
}

static void tell_end(struct h2_exchange *h)
{
    struct fields trailers = h->head.cut_count ? head_fields(&h->head, 0) : (struct fields){0};
    enter_response(h, H2_RESPONSE_ENDED);
    h->base.events->on_end(h->base.owner, &trailers);
}

static void tell_failure(struct h2_exchange *h)
{
    enter_response(h, H2_RESPONSE_ENDED);
    h->base.events->on_failed(h->base.owner, &h->why);
}

static void tell(struct task *t)
{
    struct h2_exchange *h = container_of(t, struct h2_exchange, tell);
    MAGIC_CHECK(h, MAGIC);
    if (h->response == H2_RESPONSE_FAILED) {
        tell_failure(h);
        return;
    }
    if (h->request == H2_REQUEST_FULL && h->out.size < OUT_LOW) {
        enter_request(h, H2_REQUEST_OPEN);
        h->base.events->on_drain(h->base.owner);
    }
    hand_up_held(h);
    if (h->response == H2_RESPONSE_COMPLETE && h->held.size == 0)
        tell_end(h);
}

/* ---------------------------------------------------------------- receiving */

void h2_exchange_head_begins(struct h2_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    if (h->response == H2_RESPONSE_AWAITED)
        enter_response(h, H2_RESPONSE_BEGUN);
    head_start(&h->head, h->arena, h->header_limit);
}

/* Ends the exchange because of its response; the connection resets the stream. */
static void give_up(struct h2_exchange *h, enum failure why, const char *detail)
{
    h->conn_events->on_reset(h->conn, h, NGHTTP2_PROTOCOL_ERROR);
    struct verdict v = verdict_make(why, h2_exchange_detach(h), "%s", detail);
    h2_exchange_fail(h, &v);
}

static void take_status(struct h2_exchange *h, struct span value)
{
    h->status = 0;
    for (size_t i = 0; i < value.len; i++) /* nghttp2 has checked that it is three digits */
        h->status = h->status * 10 + (unsigned)(value.at[i] - '0');
}

static bool add_piece(struct h2_exchange *h, struct span s)
{
    if (!head_add(&h->head, s.at, s.len))
        return false;
    head_cut(&h->head);
    return true;
}

void h2_exchange_too_large(struct h2_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    give_up(h, FAILURE_HTTP_RESPONSE_HEADER_SECTION_SIZE,
            "the response head is larger than max_header_size");
}

void h2_exchange_field(struct h2_exchange *h, struct span name, struct span value)
{
    MAGIC_CHECK(h, MAGIC);
    if (name.len && name.at[0] == ':')
        take_status(h, value);
    else if (!add_piece(h, name) || !add_piece(h, value))
        h2_exchange_too_large(h);
}

static void take_interim(struct h2_exchange *h, const struct response *r)
{
    if (++h->interim > INTERIM_MAX)
        give_up(h, FAILURE_HTTP_PROTOCOL_ERROR, "more than 16 interim responses");
    else
        h->base.events->on_interim(h->base.owner, r);
}

/* Without a Content-Length the body ends with the stream (RFC 9113 8.1), which is as
 * certain an end as a last chunk. */
static void frame(struct response *r, bool is_last)
{
    r->keeps_alive = true;
    if (r->framing != FRAMING_CLOSE)
        return;
    r->framing = is_last ? FRAMING_LENGTH : FRAMING_CHUNKED;
    r->has_length = is_last;
}

void h2_exchange_head(struct h2_exchange *h, bool is_last)
{
    MAGIC_CHECK(h, MAGIC);
    if (h->response == H2_RESPONSE_BODY) /* these are trailers */
        return;
    struct verdict bad;
    struct response r = {.status = h->status, .reason = reply_reason(h->status), .minor = 1};
    if (h->head.cut_count)
        r.fields = head_fields(&h->head, 0);
    if (!framing_of_response(&r, h->to_head, &bad)) {
        give_up(h, bad.error, bad.detail);
        return;
    }
    if (r.status < 200) {
        take_interim(h, &r);
        return;
    }
    if (r.status == 421)
        h->conn_events->on_misdirected(h->conn);
    frame(&r, is_last);
    enter_response(h, H2_RESPONSE_BODY);
    if (r.framing == FRAMING_LENGTH)
        h->left = r.length;
    h->base.events->on_head(h->base.owner, &r);
    if (!is_over(h))
        head_start(&h->head, h->arena, h->header_limit);
}

/* The last piece of a body of known length is held until the stream has ended, so that the
 * connection has room again before the client sees the last byte. */
void h2_exchange_data(struct h2_exchange *h, const char *data, size_t len)
{
    MAGIC_CHECK(h, MAGIC);
    if (h->left != NEVER)
        h->left -= len < h->left ? len : h->left;
    if (h->paused || h->held.size || h->left == 0)
        buf_append(&h->held, data, len);
    else
        hand_up(h, data, len);
}

/* ------------------------------------------------------------------ sending */

/* `gone`: how many bytes of the stream may have left, or will; of the last ones `lost` will not. */
static enum sent sent_of(const struct h2_exchange *h, uint64_t gone, size_t lost)
{
    if (h->begins_at == NEVER || gone <= h->begins_at)
        return SENT_NO;
    bool all = h->request == H2_REQUEST_WRITTEN && stream_written(h->stream) - lost >= h->ended_at;
    return all ? SENT_YES : SENT_PARTIAL;
}

/* The connection continues, so what was written to it will be sent. What was not is still
 * held by nghttp2, which drops a request's frames when its stream is reset. */
static enum sent sent_now(const struct exchange *x)
{
    const struct h2_exchange *h = container_of(x, const struct h2_exchange, base);
    return h->session ? sent_of(h, stream_written(h->stream), 0) : h->sent;
}

static bool is_queued(const struct exchange *x)
{
    const struct h2_exchange *h = container_of(x, const struct h2_exchange, base);
    return h->session && h->request == H2_REQUEST_WRITTEN &&
           stream_written(h->stream) - stream_queued(h->stream) < h->ended_at;
}

void h2_exchange_sends(struct h2_exchange *h, uint64_t begins)
{
    MAGIC_CHECK(h, MAGIC);
    if (h->begins_at == NEVER)
        h->begins_at = begins;
}

void h2_exchange_sent_all(struct h2_exchange *h, uint64_t ended)
{
    MAGIC_CHECK(h, MAGIC);
    h->ended_at = ended;
    enter_request(h, H2_REQUEST_WRITTEN);
}

static size_t take_out(struct h2_exchange *h, uint8_t *to, size_t size)
{
    const char *at;
    size_t got = 0, len;
    while (got < size && (len = buf_front(&h->out, &at)) > 0) {
        len = len < size - got ? len : size - got;
        memcpy(to + got, at, len);
        buf_consume(&h->out, len);
        got += len;
    }
    return got;
}

/* Called by nghttp2_session_mem_send() for the next DATA frame's bytes. */
static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)source;
    (void)user;
    struct h2_exchange *h = h2_exchange_find(session, id);
    if (h == NULL)
        return NGHTTP2_ERR_DEFERRED; /* its RST_STREAM is queued */
    size_t got = take_out(h, to, size);
    if (h->request == H2_REQUEST_FULL && h->out.size < OUT_LOW)
        loop_defer(h->loop, &h->tell);
    bool is_last = h->request == H2_REQUEST_FINISHED && h->out.size == 0;
    if (got == 0 && !is_last) {
        h->starved = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (!is_last)
        return (ssize_t)got;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (h->trailer_count && nghttp2_submit_trailer(session, id, h->trailers, h->trailer_count) == 0)
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return (ssize_t)got;
}

static bool takes_body(const struct h2_exchange *h)
{
    return h->request == H2_REQUEST_OPEN || h->request == H2_REQUEST_FULL;
}

static void go_on_sending(struct h2_exchange *h)
{
    if (h->starved)
        nghttp2_session_resume_data(h->session, h->id);
    h->starved = false;
    h->conn_events->on_output(h->conn);
}

static bool body(struct exchange *x, const char *data, size_t len)
{
    struct h2_exchange *h = self(x);
    if (!takes_body(h) || len == 0)
        return true;
    buf_append(&h->out, data, len);
    go_on_sending(h);
    enum h2_request_state now = h->out.size > OUT_HIGH ? H2_REQUEST_FULL : H2_REQUEST_OPEN;
    if (now != h->request)
        enter_request(h, now);
    return now == H2_REQUEST_OPEN;
}

static void finish(struct exchange *x, const struct fields *trailers)
{
    struct h2_exchange *h = self(x);
    if (!takes_body(h))
        return;
    enter_request(h, H2_REQUEST_FINISHED);
    if (trailers && trailers->count)
        h->trailers = h2_trailer_fields(h->arena, trailers, &h->trailer_count);
    go_on_sending(h);
}

static void pause_reading(struct exchange *x)
{
    struct h2_exchange *h = self(x);
    h->paused = true;
    h->widens = false;
}

static void resume_reading(struct exchange *x)
{
    struct h2_exchange *h = self(x);
    h->paused = false;
    if (h->held.size)
        loop_defer(h->loop, &h->tell);
}

static void give_up_on(struct h2_exchange *h, bool late)
{
    CHECK(!is_over(h));
    if (h->session) {
        /* That a request which was not sent has no response says nothing. */
        if (sent_now(&h->base) != SENT_NO)
            h->conn_events->on_unanswered(h->conn, h->opened_at, late);
        h->conn_events->on_reset(h->conn, h, NGHTTP2_CANCEL);
        h2_exchange_detach(h);
    }
    enter_response(h, H2_RESPONSE_ENDED);
}

static void cancel(struct exchange *x)
{
    give_up_on(self(x), false);
}

static void expire(struct exchange *x)
{
    give_up_on(self(x), true);
}

/* ------------------------------------------------------------------ its life */

bool h2_exchange_began(const struct h2_exchange *h)
{
    return h->response != H2_RESPONSE_AWAITED;
}

static enum sent leave(struct h2_exchange *h, enum sent sent)
{
    h->sent = sent;
    if (h->request != H2_REQUEST_WRITTEN)
        enter_request(h, H2_REQUEST_CUT);
    nghttp2_session_set_stream_user_data(h->session, h->id, NULL);
    h->session = NULL;
    list_remove(&h->link);
    list_remove(&h->ending);
    return sent;
}

enum sent h2_exchange_detach(struct h2_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    return leave(h, sent_now(&h->base));
}

enum sent h2_exchange_detach_lost(struct h2_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    return leave(h, sent_of(h, stream_taken(h->stream), stream_queued(h->stream)));
}

void h2_exchange_end(struct h2_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    enter_response(h, H2_RESPONSE_COMPLETE);
    loop_defer(h->loop, &h->tell);
}

void h2_exchange_fail(struct h2_exchange *h, const struct verdict *why)
{
    MAGIC_CHECK(h, MAGIC);
    h->sent = why->sent;
    h->why = *why;
    h->why.answered = h2_exchange_began(h);
    enter_response(h, H2_RESPONSE_FAILED);
    buf_clear(&h->held);
    loop_defer(h->loop, &h->tell);
}

struct exchange *h2_exchange_base(struct h2_exchange *h)
{
    return &h->base;
}

struct link *h2_exchange_link(struct h2_exchange *h)
{
    return &h->link;
}

struct h2_exchange *h2_exchange_of(struct link *link)
{
    return LIST_ENTRY(link, struct h2_exchange, link);
}

struct link *h2_exchange_ending(struct h2_exchange *h)
{
    return &h->ending;
}

struct h2_exchange *h2_exchange_of_ending(struct link *link)
{
    return LIST_ENTRY(link, struct h2_exchange, ending);
}

int32_t h2_exchange_id(const struct h2_exchange *h)
{
    return h->id;
}

struct h2_exchange *h2_exchange_find(nghttp2_session *session, int32_t id)
{
    struct h2_exchange *h = nghttp2_session_get_stream_user_data(session, id);
    CHECK(h == NULL || h->magic == MAGIC);
    return h;
}

/* A request without a body ends with its header section: read_body() is not called. */
static void submit(struct h2_exchange *h, const struct conn_request *r, bool secure)
{
    size_t count;
    nghttp2_nv *fields = h2_request_fields(h->arena, r, secure, &count);
    nghttp2_data_provider provider = {.read_callback = read_body};
    bool has_body = r->framing == FRAMING_CHUNKED || (r->framing == FRAMING_LENGTH && r->length);
    if (!has_body)
        enter_request(h, H2_REQUEST_FINISHED);
    h->id = nghttp2_submit_request(h->session, NULL, fields, count, has_body ? &provider : NULL, h);
    CHECK(h->id > 0); /* otherwise memory or capacity is out */
}

struct h2_exchange *h2_exchange_new(struct loop *l, const struct h2_exchange_events *events,
                                    struct conn *conn, nghttp2_session *session, struct stream *s,
                                    bool secure, const struct conn_request *r)
{
    static const struct exchange_ops ops = {.body = body,
                                            .finish = finish,
                                            .pause = pause_reading,
                                            .resume = resume_reading,
                                            .cancel = cancel,
                                            .sent = sent_now,
                                            .is_queued = is_queued,
                                            .expire = expire};
    struct h2_exchange *h = SPARES_NEW_UP_TO(&spares, struct h2_exchange, why);
    h->magic = MAGIC;
    h->base.ops = &ops;
    h->loop = l;
    h->conn_events = events;
    h->conn = conn;
    h->log_object = conn->log_object;
    h->log_id = conn->log_id;
    h->request_id = r->id;
    h->session = session;
    h->stream = s;
    h->begins_at = h->left = NEVER;
    h->widens = true;
    h->opened_at = loop_now(l);
    h->to_head = r->is_head;
    h->header_limit = r->header_limit;
    h->arena = arena_new();
    task_init(&h->tell, tell);
    task_init(&h->free_later, free_now);
    submit(h, r, secure);
    return h;
}
