#include "front/response_writer.h"

#include "base/spares.h"
#include "base/text.h"
#include "http/h1_write.h"
#include "http/reply.h"

#define MAGIC 0x52535752u /* "RSWR" */

/* A piece larger than what fits below this is written at once, behind what is gathered
 * and without being copied. */
#define GATHER_MAX (32 * 1024)

struct response_writer {
    unsigned magic;
    enum response_writer_state state;
    bool full;    /* a write returned false, and on_drain has not come */
    bool to_head; /* the request was HEAD: no body */
    bool waits;   /* the response's last byte is kept until its end is told, */
    bool whole;   /* and so is all of it, to go out in one write */
    unsigned minor;
    enum framing framing;             /* of the response, for this client */
    uint64_t left;                    /* of the body, with FRAMING_LENGTH */
    const struct request_id *request; /* the one that the response is to; NULL: none */
    struct text out;                  /* gathered */
    struct stream *stream;
    const char *object;
    const struct response_writer_events *events;
    void *owner;
};

static struct spares spares; /* for `out` */

static void response_writer_enter(struct response_writer *w, enum response_writer_state to)
{
    STATE_ENTER_FOR(response_writer, &w->state, to, w->object, 0, w->request);
}

/* ------------------------------------------------------------------ writing */

/* Would what is gathered, if it were written now, look like a complete response? */
static bool is_kept(const struct response_writer *w)
{
    if (!w->waits || w->state != RESPONSE_BODY)
        return false;
    return w->whole || w->framing == FRAMING_NONE || (w->framing == FRAMING_LENGTH && w->left == 0);
}

static void write_out(struct response_writer *w, const uv_buf_t *pieces, size_t count)
{
    bool has_room = stream_write(w->stream, pieces, count);
    text_clear(&w->out);
    if (has_room || w->full)
        return;
    w->full = true;
    w->events->on_full(w->owner);
}

void response_writer_flush(struct response_writer *w)
{
    if (w->out.len == 0 || is_kept(w))
        return;
    uv_buf_t piece = uv_buf_init(w->out.at, (unsigned)w->out.len);
    write_out(w, &piece, 1);
}

static void write_large(struct response_writer *w, const char *data, size_t len)
{
    uv_buf_t pieces[3];
    size_t count = 0;
    if (w->out.len)
        pieces[count++] = uv_buf_init(w->out.at, (unsigned)w->out.len);
    pieces[count++] = uv_buf_init((char *)data, (unsigned)len);
    if (w->framing == FRAMING_CHUNKED)
        pieces[count++] = uv_buf_init((char *)"\r\n", 2);
    write_out(w, pieces, count);
}

static void gather(struct response_writer *w, const char *data, size_t len)
{
    text_add(&w->out, (struct span){data, len});
    if (w->framing == FRAMING_CHUNKED)
        h1_write_chunk_end(&w->out);
    w->events->on_gathered(w->owner);
}

/* -------------------------------------------------------------------- heads */

/* How this client learns where the body ends, RFC 9112 6.3. */
static enum framing framing_for(const struct response_writer *w, const struct response *r)
{
    if (w->to_head || r->status == 204 || r->status == 304)
        return FRAMING_NONE;
    if (r->framing == FRAMING_LENGTH || r->framing == FRAMING_NONE)
        return FRAMING_LENGTH; /* an empty body needs a Content-Length of 0 */
    return w->minor ? FRAMING_CHUNKED : FRAMING_CLOSE;
}

/* A client that knows for how long its connection is kept closes it first, and does not
 * write a request into one that is being closed. Keep-Alive goes no further than this
 * connection, so Connection must name it (RFC 9110 7.6.1), in HTTP/1.1 too. */
static struct h1_connection connection_of(const struct response_writer *w, bool is_last,
                                          uint64_t idle_limit_s)
{
    if (is_last)
        return (struct h1_connection){.option = SPAN("close"), .request = w->request};
    bool is_named = idle_limit_s || w->minor == 0;
    return (struct h1_connection){is_named ? SPAN("keep-alive") : SPAN(""), idle_limit_s,
                                  w->request};
}

void response_writer_begin(struct response_writer *w, const struct request *request)
{
    MAGIC_CHECK(w, MAGIC);
    if (w->out.at == NULL)
        text_begin(&w->out, &spares);
    w->request = &request->id;
    response_writer_enter(w, RESPONSE_DUE);
    w->to_head = request->is_head;
    w->minor = request->minor;
    w->framing = FRAMING_NONE;
    w->left = 0;
}

void response_writer_interim(struct response_writer *w, const struct response *response)
{
    CHECK(w->state == RESPONSE_DUE);
    if (w->minor == 0)
        return;
    h1_write_response(&w->out, response, FRAMING_NONE, (struct h1_connection){0});
    w->events->on_gathered(w->owner);
}

bool response_writer_head(struct response_writer *w, const struct response *response, bool is_last,
                          uint64_t idle_limit_s)
{
    struct response r = *response;
    response_writer_enter(w, RESPONSE_BODY);
    w->framing = framing_for(w, response);
    if (response->framing == FRAMING_NONE && w->framing == FRAMING_LENGTH)
        r.length = 0;
    if (response->framing == FRAMING_LENGTH)
        r.has_length = r.status != 204;
    w->left = r.length;
    w->waits = response->waits;
    w->whole = response->whole;
    is_last |= w->framing == FRAMING_CLOSE;
    h1_write_response(&w->out, &r, w->framing, connection_of(w, is_last, idle_limit_s));
    w->events->on_gathered(w->owner);
    return is_last;
}

void response_writer_switch(struct response_writer *w, const struct response *head)
{
    CHECK(w->state == RESPONSE_DUE);
    response_writer_enter(w, RESPONSE_COMPLETE);
    h1_write_response(&w->out, head, FRAMING_NONE, (struct h1_connection){.request = w->request});
    w->events->on_gathered(w->owner);
}

/* --------------------------------------------------------------------- body */

void response_writer_body(struct response_writer *w, const char *data, size_t len)
{
    CHECK(w->state == RESPONSE_BODY || w->state == RESPONSE_EXCESS);
    if (w->framing == FRAMING_NONE || len == 0)
        return;
    if (w->framing == FRAMING_LENGTH) {
        if (len > w->left && w->state == RESPONSE_BODY)
            response_writer_enter(w, RESPONSE_EXCESS);
        len = len > w->left ? (size_t)w->left : len;
        w->left -= len;
    }
    if (w->framing == FRAMING_CHUNKED)
        h1_write_chunk_start(&w->out, len);
    if (w->out.len + len > GATHER_MAX && !is_kept(w))
        write_large(w, data, len);
    else
        gather(w, data, len);
}

void response_writer_end(struct response_writer *w, const struct fields *trailers)
{
    bool is_whole = w->state == RESPONSE_BODY && (w->framing != FRAMING_LENGTH || w->left == 0);
    if (w->framing == FRAMING_CHUNKED) {
        h1_write_last_chunk(&w->out, trailers);
        w->events->on_gathered(w->owner);
    }
    response_writer_enter(w, is_whole ? RESPONSE_COMPLETE : RESPONSE_CUT);
}

void response_writer_cut(struct response_writer *w)
{
    response_writer_enter(w, RESPONSE_CUT);
}

void response_writer_error(struct response_writer *w, const struct request *request,
                           const struct verdict *why)
{
    struct h1_connection closes = {.option = SPAN("close"), .request = &request->id};
    struct span body;
    const struct response *r = reply_error(request->arena, request, why, NULL, NULL, &body);
    CHECK(w->state == RESPONSE_DUE || w->state == RESPONSE_IDLE);
    response_writer_enter(w, RESPONSE_COMPLETE);
    h1_write_response(&w->out, r, r->framing, closes);
    text_add(&w->out, body);
    w->events->on_gathered(w->owner);
}

/* --------------------------------------------------------------------- life */

void response_writer_done(struct response_writer *w)
{
    CHECK(w->out.len == 0);
    response_writer_enter(w, RESPONSE_IDLE);
    text_end(&w->out, &spares);
    w->request = NULL;
}

bool response_writer_drained(struct response_writer *w)
{
    bool was_full = w->full;
    w->full = false;
    return was_full;
}

bool response_writer_is_full(const struct response_writer *w)
{
    return w->full;
}

enum response_writer_state response_writer_state(const struct response_writer *w)
{
    return w->state;
}

bool response_writer_is_over(const struct response_writer *w)
{
    return w->state == RESPONSE_COMPLETE || w->state == RESPONSE_CUT;
}

bool response_writer_needs_reset(const struct response_writer *w)
{
    if (w->framing != FRAMING_CLOSE || w->state == RESPONSE_IDLE)
        return false;
    return w->state != RESPONSE_COMPLETE || stream_queued(w->stream) > 0;
}

void response_writer_use(struct response_writer *w, struct stream *stream)
{
    CHECK(w->out.len == 0);
    w->stream = stream;
    w->full = false;
}

struct response_writer *response_writer_new(const char *object, struct stream *stream,
                                            const struct response_writer_events *events,
                                            void *owner)
{
    struct response_writer *w = NEW(struct response_writer);
    MAGIC_INIT(w, MAGIC);
    w->stream = stream;
    w->object = object;
    w->events = events;
    w->owner = owner;
    return w;
}

void response_writer_free(struct response_writer *w)
{
    if (w == NULL)
        return;
    MAGIC_CHECK(w, MAGIC);
    w->magic = 0;
    text_free(&w->out);
    free(w);
}
