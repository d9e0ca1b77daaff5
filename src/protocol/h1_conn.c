#include "protocol/h1_conn.h"

#include "base/rare.h"
#include "base/state.h"
#include "http/h1_write.h"
#include "protocol/h1_exchange.h"

#define MAGIC 0x68316331
#define GATHER_MAX (16 * 1024)

/* SPOILED: bytes or an end came behind the response, or the exchange was cancelled. GONE: its
 * owner was told so. CLOSED: by its owner. */
#define H1_CONN_STATES(S)                                                                          \
    S(H1_CONN_OPEN, "open", TO(H1_CONN_SPOILED) | TO(H1_CONN_GONE) | TO(H1_CONN_CLOSED))           \
    S(H1_CONN_SPOILED, "spoiled", TO(H1_CONN_GONE) | TO(H1_CONN_CLOSED))                           \
    S(H1_CONN_GONE, "gone", TO(H1_CONN_CLOSED))                                                    \
    S(H1_CONN_CLOSED, "closed", 0)
STATE_TYPE(h1_conn, H1_CONN_STATES)

struct h1_conn {
    struct conn base;
    unsigned magic;
    enum h1_conn_state state;
    struct loop *loop;
    struct stream *stream; /* NULL: closed by a cancel, or surrendered */
    bool full;             /* a write returned false: on_drain is due */
    struct h1_exchange *current;
    struct text out; /* a head, and small pieces of a body, to be written together */
    struct task flush;
    struct task settle; /* the current exchange is complete, or was cancelled */
    struct task free_later;
};

static struct h1_conn *self(struct conn *c)
{
    struct h1_conn *h = container_of(c, struct h1_conn, base);
    MAGIC_CHECK(h, MAGIC);
    return h;
}

static void enter(struct h1_conn *h, enum h1_conn_state to)
{
    STATE_ENTER(h1_conn, &h->state, to, h->base.log_object, h->base.log_id);
}

/* ------------------------------------------------------------------- ending */

static void spoil(struct h1_conn *h)
{
    if (h->state == H1_CONN_OPEN)
        enter(h, H1_CONN_SPOILED);
}

static void be_gone(struct h1_conn *h, enum close_reason why, const char *detail)
{
    if (h->state >= H1_CONN_GONE)
        return;
    enter(h, H1_CONN_GONE);
    h->base.events->on_gone(h->base.owner, why, detail);
}

/* The pool hears of the connection before the owner hears of the exchange, so that the
 * connection is available before the client sees the last byte. */
static void fail(struct h1_conn *h, enum failure why, const char *detail)
{
    struct h1_exchange *x = h->current;
    h->current = NULL;
    enum sent sent = h1_exchange_detach(x);
    be_gone(h, CLOSE_ERROR, detail);
    h1_exchange_fail(x, why, sent, detail);
}

static void settle(struct task *t)
{
    struct h1_conn *h = container_of(t, struct h1_conn, settle);
    MAGIC_CHECK(h, MAGIC);
    struct h1_exchange *x = h->current;
    if (x == NULL) {
        be_gone(h, CLOSE_ERROR, "its exchange was cancelled");
        return;
    }
    h->current = NULL;
    bool keeps_alive = h1_exchange_keeps_alive(x);
    if (h1_exchange_rest_ms(x))
        h->base.rest_most_ms = h1_exchange_rest_ms(x);
    h1_exchange_detach(x);
    stream_resume(h->stream);
    if (!keeps_alive)
        be_gone(h, CLOSE_RESPONSE, "not reusable after this exchange");
    else if (h->state == H1_CONN_SPOILED)
        be_gone(h, CLOSE_PEER, "the origin sent more, or closed, behind the response");
    else
        h->base.events->on_room(h->base.owner);
    h1_exchange_end(x);
}

static void on_complete(struct conn *c)
{
    struct h1_conn *h = self(c);
    loop_defer(h->loop, &h->settle);
}

/* The stream is closed here and now, so that nothing in its queue is ever sent. */
static void on_cancelled(struct conn *c)
{
    struct h1_conn *h = self(c);
    h1_exchange_detach(h->current);
    h->current = NULL;
    text_clear(&h->out);
    task_forget(&h->flush);
    stream_close(h->stream);
    h->stream = NULL;
    spoil(h);
    loop_defer(h->loop, &h->settle);
}

/* ------------------------------------------------------------------ reading */

static void on_data(void *owner, const char *data, size_t len)
{
    struct h1_conn *h = owner;
    MAGIC_CHECK(h, MAGIC);
    h->base.traffic->bytes_received += len;
    if (h->state != H1_CONN_OPEN)
        return;
    struct h1_exchange *x = h->current;
    if (x == NULL) {
        rare_note(RARE_H1_UNASKED);
        be_gone(h, CLOSE_PEER, "the origin sent bytes while it was idle");
        return;
    }
    enum failure why;
    const char *detail;
    switch (h1_exchange_feed(x, data, len, &why, &detail)) {
    case H1_FEED_OK: break;
    case H1_FEED_STRAY:
        rare_note(RARE_H1_BEHIND_ANSWER);
        spoil(h);
        break;
    case H1_FEED_BAD: fail(h, why, detail); break;
    case H1_FEED_SWITCHED: h1_exchange_switch(x); break;
    }
}

static void on_end(void *owner, enum stream_end how, const char *why)
{
    struct h1_conn *h = owner;
    MAGIC_CHECK(h, MAGIC);
    if (h->current == NULL) {
        be_gone(h, CLOSE_PEER, why);
        return;
    }
    bool orderly = how == STREAM_EOF;
    enum failure failure;
    const char *detail;
    if (h1_exchange_eof(h->current, orderly, how == STREAM_RESET, &failure, &detail))
        spoil(h); /* complete, but the last one */
    else
        fail(h, failure, how == STREAM_RESET ? why : detail);
}

static void on_drain(void *owner)
{
    struct h1_conn *h = owner;
    MAGIC_CHECK(h, MAGIC);
    h->full = false;
    if (h->current)
        h1_exchange_drained(h->current);
}

/* ------------------------------------------------------------------ writing */

/* False: the stream is full, by this write or an earlier one. */
static bool flush(struct h1_conn *h, const char *data, size_t len)
{
    uv_buf_t pieces[2] = {uv_buf_init(h->out.at, (unsigned)h->out.len),
                          uv_buf_init((char *)data, (unsigned)len)};
    if (h->out.len + len == 0)
        return !h->full;
    h->base.traffic->bytes_sent += h->out.len + len;
    h->full |= !stream_write(h->stream, pieces, 2);
    text_clear(&h->out);
    return !h->full;
}

static void flush_later(struct task *t)
{
    flush(container_of(t, struct h1_conn, flush), NULL, 0);
}

static void gather(struct conn *c, struct span s)
{
    struct h1_conn *h = self(c);
    text_add(&h->out, s);
    loop_defer(h->loop, &h->flush);
}

static bool write_body(struct conn *c, const char *data, size_t len)
{
    struct h1_conn *h = self(c);
    if (h->out.len + len > GATHER_MAX)
        return flush(h, data, len);
    gather(c, (struct span){data, len});
    return !h->full; /* a small piece fits, but none should follow while the stream is full */
}

static void write_flush(struct conn *c)
{
    flush(self(c), NULL, 0);
}

static const struct h1_exchange_events exchange_events = {
    .gather = gather,
    .write = write_body,
    .flush = write_flush,
    .on_complete = on_complete,
    .on_cancelled = on_cancelled,
};

/* --------------------------------------------------------------------- conn */

static size_t capacity(const struct conn *c)
{
    const struct h1_conn *h = container_of(c, const struct h1_conn, base);
    return h->current == NULL && h->state == H1_CONN_OPEN ? 1 : 0;
}

static struct exchange *begin(struct conn *c, const struct conn_request *r,
                              const struct exchange_events *events, void *owner)
{
    struct h1_conn *h = self(c);
    CHECK(capacity(c) > 0);
    h1_write_request(&h->out, r->method, r->target, r->authority, &r->fields, r->framing,
                     r->length);
    loop_defer(h->loop, &h->flush);
    h->current = h1_exchange_new(h->loop, h->stream, &exchange_events, c, r);
    struct exchange *x = h1_exchange_base(h->current);
    x->events = events;
    x->owner = owner;
    return x;
}

static size_t load(const struct conn *c)
{
    return container_of(c, const struct h1_conn, base)->current ? 1 : 0;
}

static bool is_quiet(struct conn *c, uint64_t within_us)
{
    struct h1_conn *h = self(c);
    return h->stream && stream_is_quiet(h->stream, within_us);
}

/* The stream lives on without it. */
static struct stream *surrender(struct conn *c, struct span *ahead)
{
    struct h1_conn *h = self(c);
    struct stream *stream = h->stream;
    CHECK(h->current != NULL);
    stream_pause(stream);
    stream_bind(stream, NULL, NULL);
    *ahead = h1_exchange_surrender(h->current);
    h->stream = NULL;
    h->current = NULL;
    be_gone(h, CLOSE_RESPONSE, "upgraded to another protocol");
    return stream;
}

static void free_now(struct task *t)
{
    struct h1_conn *h = container_of(t, struct h1_conn, free_later);
    text_free(&h->out);
    h->magic = 0;
    free(h);
}

static void close_conn(struct conn *c)
{
    struct h1_conn *h = self(c);
    if (h->state == H1_CONN_CLOSED)
        return;
    enter(h, H1_CONN_CLOSED);
    if (h->current) { /* its owner has cancelled a complete response that is not settled yet */
        CHECK(h1_exchange_is_over(h->current));
        h1_exchange_detach(h->current);
        h1_exchange_end(h->current);
    }
    task_forget(&h->settle);
    task_forget(&h->flush);
    if (h->stream)
        stream_close(h->stream);
    loop_defer(h->loop, &h->free_later);
}

struct conn *h1_conn_new(struct loop *l, struct stream *s)
{
    static const struct conn_ops ops = {begin, capacity, load, is_quiet, close_conn, surrender};
    static const struct stream_events events = {on_data, on_end, on_drain};
    struct h1_conn *h = NEW(struct h1_conn);
    h->magic = MAGIC;
    h->base =
        (struct conn){.ops = &ops, .log_object = "http/1.1", .protocol = "http/1.1", .allowed = 1};
    h->loop = l;
    h->stream = s;
    task_init(&h->settle, settle);
    task_init(&h->flush, flush_later);
    task_init(&h->free_later, free_now);
    stream_bind(s, &events, h);
    stream_resume(s);
    return &h->base;
}
