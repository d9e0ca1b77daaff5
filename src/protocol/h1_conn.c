#include "protocol/h1_conn.h"

#include "http/h1_write.h"
#include "protocol/h1_exchange.h"

#define MAGIC 0x68316331
#define GATHER_MAX (16 * 1024)

struct h1_conn {
    struct conn base;
    unsigned magic;
    struct loop *loop;
    struct stream *stream;
    bool gone, closed; /* said so; closed by its owner */
    bool dirty;        /* something came that no exchange had asked for */
    bool full;         /* a write returned false, on_drain is due */
    struct h1_exchange *current;
    struct text out; /* a head waiting for its body */
    struct task flush;
    struct task settle; /* the current exchange is over, or was given up */
    struct task free_later;
};

static struct h1_conn *self(struct conn *c)
{
    struct h1_conn *h = container_of(c, struct h1_conn, base);
    MAGIC_CHECK(h, MAGIC);
    return h;
}

/* ------------------------------------------------------------------- ending */

static void go(struct h1_conn *h, enum close_reason why, const char *detail)
{
    if (h->gone || h->closed)
        return;
    h->gone = true;
    h->base.events->on_gone(h->base.owner, why, detail);
}

/* The pool hears of the line before the asker hears of its exchange: a line is
 * back before its client sees the last byte. */
static void fail(struct h1_conn *h, enum failure why, const char *detail)
{
    struct h1_exchange *x = h->current;
    h->current = NULL;
    enum sent sent = h1_exchange_detach(x);
    go(h, CLOSE_ERROR, detail);
    h1_exchange_fail(x, why, sent, detail);
}

static void settle(struct task *t)
{
    struct h1_conn *h = container_of(t, struct h1_conn, settle);
    MAGIC_CHECK(h, MAGIC);
    struct h1_exchange *x = h->current;
    if (h->closed)
        return;
    if (x == NULL) {
        go(h, CLOSE_ERROR, "given up while busy");
        return;
    }
    h->current = NULL;
    bool keeps_alive = h1_exchange_keeps_alive(x);
    if (h1_exchange_rest_ms(x))
        h->base.rest_most_ms = h1_exchange_rest_ms(x);
    h1_exchange_detach(x);
    stream_resume(h->stream);
    if (!keeps_alive)
        go(h, CLOSE_RESPONSE, "its answer ended the line");
    else if (h->dirty)
        go(h, CLOSE_PEER, "bytes or an end behind the answer");
    else
        h->base.events->on_room(h->base.owner);
    h1_exchange_end(x);
}

/* Called by the exchange: its response is complete. */
static void exchange_complete(void *owner)
{
    struct h1_conn *h = owner;
    loop_defer(h->loop, &h->settle);
}

/* Called by the exchange: its asker is gone. A complete one leaves the line as it is;
 * any other ends it here and now, so that what waits in its queue never goes out. */
static void exchange_cancelled(void *owner, bool complete)
{
    struct h1_conn *h = owner;
    if (complete)
        return;
    h1_exchange_detach(h->current);
    h->current = NULL;
    text_clear(&h->out);
    task_forget(&h->flush);
    stream_close(h->stream);
    h->stream = NULL;
    h->dirty = true;
    loop_defer(h->loop, &h->settle);
}

/* ------------------------------------------------------------------ reading */

static void on_data(void *owner, const char *data, size_t len)
{
    struct h1_conn *h = owner;
    MAGIC_CHECK(h, MAGIC);
    h->base.traffic->bytes_received += len;
    if (h->gone || h->dirty)
        return;
    if (h->current == NULL) {
        h->dirty = true;
        go(h, CLOSE_PEER, "bytes nobody asked for");
        return;
    }
    const char *detail;
    struct h1_exchange *x = h->current;
    switch (h1_exchange_feed(x, data, len, &detail)) {
    case H1_FEED_OK: break;
    case H1_FEED_STRAY: h->dirty = true; break;
    case H1_FEED_TOO_LARGE:
        if (h->current == x)
            fail(h, FAILURE_HTTP_RESPONSE_HEADER_SECTION_SIZE, detail);
        break;
    case H1_FEED_BAD:
        if (h->current == x)
            fail(h, FAILURE_HTTP_PROTOCOL_ERROR, detail);
        break;
    case H1_FEED_SWITCHED: h1_exchange_switch(x); break;
    }
}

static void on_end(void *owner, enum stream_end how, const char *why)
{
    struct h1_conn *h = owner;
    MAGIC_CHECK(h, MAGIC);
    if (h->current == NULL) {
        go(h, h->dirty ? CLOSE_ERROR : CLOSE_PEER, why);
        return;
    }
    bool orderly = how == STREAM_EOF;
    enum failure failure;
    const char *detail;
    if (h1_exchange_eof(h->current, orderly, how == STREAM_RESET, &failure, &detail))
        h->dirty = true; /* complete, but nothing more will be */
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

/* False: the stream is full, whichever write has filled it. */
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

static void gather(void *owner, struct span s)
{
    struct h1_conn *h = owner;
    text_add(&h->out, s);
    loop_defer(h->loop, &h->flush);
}

static bool write_body(void *owner, const char *data, size_t len)
{
    struct h1_conn *h = owner;
    if (h->out.len + len > GATHER_MAX)
        return flush(h, data, len);
    gather(owner, (struct span){data, len});
    return !h->full; /* small pieces are held back too, once those before them fill it */
}

static bool write_flush(void *owner)
{
    return flush(owner, NULL, 0);
}

static const struct h1_exchange_events line_calls = {
    .gather = gather,
    .write = write_body,
    .flush = write_flush,
    .complete = exchange_complete,
    .cancelled = exchange_cancelled,
};

/* --------------------------------------------------------------------- conn */

static struct exchange *begin(struct conn *c, const struct conn_request *r,
                              const struct exchange_events *events, void *owner)
{
    struct h1_conn *h = self(c);
    CHECK(h->current == NULL && !h->gone && !h->dirty);
    h1_write_request(&h->out, r->method, r->target, r->authority, &r->fields, r->framing,
                     r->length);
    loop_defer(h->loop, &h->flush);
    h->current = h1_exchange_new(h->loop, h->stream, &line_calls, h, r);
    struct exchange *x = h1_exchange_base(h->current);
    x->events = events;
    x->owner = owner;
    return x;
}

static size_t capacity(const struct conn *c)
{
    const struct h1_conn *h = container_of(c, const struct h1_conn, base);
    return h->current == NULL && !h->gone && !h->dirty ? 1 : 0;
}

static size_t load(const struct conn *c)
{
    return container_of(c, const struct h1_conn, base)->current ? 1 : 0;
}

static bool is_quiet(struct conn *c)
{
    struct h1_conn *h = self(c);
    return h->stream && stream_is_quiet(h->stream);
}

/* Its stream goes on without it. */
static struct stream *surrender(struct conn *c, struct span *ahead)
{
    struct h1_conn *h = self(c);
    struct stream *stream = h->stream;
    CHECK(h->current != NULL);
    stream_pause(stream);
    stream_bind(stream, NULL, NULL);
    *ahead = h1_exchange_leave(h->current);
    h->stream = NULL;
    h->current = NULL;
    go(h, CLOSE_RESPONSE, "it was upgraded");
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
    if (h->closed)
        return;
    h->closed = true;
    if (h->current) { /* complete, but not settled when its asker left */
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
    h->base = (struct conn){.ops = &ops, .protocol = "http/1.1", .allowed = 1};
    h->loop = l;
    h->stream = s;
    task_init(&h->settle, settle);
    task_init(&h->flush, flush_later);
    task_init(&h->free_later, free_now);
    stream_bind(s, &events, h);
    stream_resume(s);
    return &h->base;
}
