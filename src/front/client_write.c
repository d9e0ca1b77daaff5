#include "front/client_internal.h"

#include "http/h1_write.h"
#include "http/reply.h"

/* Answers into bytes. What one turn of the loop brings is gathered and goes
 * out in one write; a large piece goes at once, behind what is gathered and
 * without being copied. */
#define GATHER_MAX (32 * 1024)

/* ------------------------------------------------------------------- flushing */

static void write_out(struct client *c, const uv_buf_t *pieces, size_t count)
{
    struct call *call = c->call;
    c->backlogged = !stream_write(c->stream, pieces, count);
    text_clear(&call->out);
    if (!c->backlogged || call->paused || call->exchange == NULL)
        return;
    call->paused = true;
    exchange_pause(call->exchange);
}

void client_flush(struct client *c)
{
    if (c->state == CLIENT_CLOSED || c->call == NULL || c->call->out.len == 0)
        return;
    uv_buf_t piece = uv_buf_init(c->call->out.at, (unsigned)c->call->out.len);
    write_out(c, &piece, 1);
}

static void write_large(struct client *c, const char *data, size_t len)
{
    struct call *call = c->call;
    uv_buf_t pieces[3];
    size_t count = 0;
    if (call->out.len)
        pieces[count++] = uv_buf_init(call->out.at, (unsigned)call->out.len);
    pieces[count++] = uv_buf_init((char *)data, (unsigned)len);
    if (call->framing == FRAMING_CHUNKED)
        pieces[count++] = uv_buf_init((char *)"\r\n", 2);
    write_out(c, pieces, count);
    client_arm(c);
}

static void write_small(struct client *c, const char *data, size_t len)
{
    text_add(&c->call->out, (struct span){data, len});
    if (c->call->framing == FRAMING_CHUNKED)
        h1_write_chunk_end(&c->call->out);
    client_defer(c);
}

/* --------------------------------------------------------------------- heads */

static bool is_bodiless(const struct call *call, const struct response *r)
{
    return call->request.is_head || r->status == 204 || r->status == 304;
}

/* How this client learns where the body ends, RFC 9112 6.3. */
static enum framing framing_for(const struct call *call, const struct response *r)
{
    if (is_bodiless(call, r))
        return FRAMING_NONE;
    if (r->framing == FRAMING_LENGTH || r->framing == FRAMING_NONE)
        return FRAMING_LENGTH; /* an empty body needs its 0 told */
    return call->request.minor ? FRAMING_CHUNKED : FRAMING_CLOSE;
}

/* RFC 9112 9.6: the rest of a body nobody reads would be taken for a request, and
 * so would what a refused CONNECT was followed by. */
static bool is_last(const struct client *c)
{
    const struct call *call = c->call;
    bool refused_connect = span_is(call->request.method, SPAN("CONNECT"));
    return call->last || !call->complete || c->house->draining || refused_connect ||
           call->framing == FRAMING_CLOSE;
}

/* A client that knows how long it is waited for closes first, and does not write a
 * request into a connection that is being closed. Keep-Alive goes no further than
 * this connection, so Connection must name it (RFC 9110 7.6.1), in HTTP/1.1 too. */
static struct h1_connection connection_of(const struct client *c)
{
    const struct request_id *id = &c->call->request.id;
    uint64_t idle_limit_s = c->house->limits.idle_timeout_ms / 1000;
    if (c->call->last)
        return (struct h1_connection){.option = SPAN("close"), .request = id};
    bool told = idle_limit_s || c->call->request.minor == 0;
    return (struct h1_connection){told ? SPAN("keep-alive") : SPAN(""), idle_limit_s, id};
}

static void on_head(void *owner, const struct response *response)
{
    struct client *c = owner;
    struct call *call = c->call;
    struct response r = *response;
    CHECK(!call->head_out);
    call->head_out = true;
    call->framing = framing_for(call, response);
    if (response->framing == FRAMING_NONE && call->framing == FRAMING_LENGTH)
        r.length = 0;
    if (response->framing == FRAMING_LENGTH)
        r.has_length = r.status != 204;
    call->left = r.length;
    call->last = is_last(c);
    h1_write_response(&call->out, &r, call->framing, connection_of(c));
    client_defer(c);
}

/* The answer is complete with this head, and so is HTTP on this connection. */
static void on_switch(void *owner, const struct response *head, const struct switched *to)
{
    struct client *c = owner;
    CHECK(!c->call->head_out && c->call->complete);
    c->call->exchange = NULL;
    h1_write_response(&c->call->out, head, FRAMING_NONE,
                      (struct h1_connection){.request = &c->call->request.id});
    client_flush(c);
    client_switch(c, to);
}

static void on_interim(void *owner, const struct response *response)
{
    struct client *c = owner;
    if (c->call->request.minor == 0) /* RFC 9110 15.2 */
        return;
    h1_write_response(&c->call->out, response, FRAMING_NONE, (struct h1_connection){0});
    client_defer(c);
}

/* ---------------------------------------------------------------------- body */

/* The task ends the call, as this may be on the exchange's or the parser's stack. */
static void end_call(struct client *c, bool failed)
{
    c->call->ended = true;
    c->call->failed |= failed;
    c->call->exchange = NULL;
    client_defer(c);
}

static void on_body(void *owner, const char *data, size_t len)
{
    struct client *c = owner;
    struct call *call = c->call;
    CHECK(call->head_out);
    if (call->framing == FRAMING_NONE || len == 0)
        return;
    if (call->framing == FRAMING_LENGTH) {
        call->failed |= len > call->left;
        len = len > call->left ? (size_t)call->left : len;
        call->left -= len;
    }
    if (call->framing == FRAMING_CHUNKED)
        h1_write_chunk_start(&call->out, len);
    if (call->out.len + len > GATHER_MAX)
        write_large(c, data, len);
    else
        write_small(c, data, len);
}

/* An answer that is not as long as it said must not look whole. */
static void on_end(void *owner, const struct fields *trailers)
{
    struct client *c = owner;
    struct call *call = c->call;
    CHECK(call->head_out);
    if (call->framing == FRAMING_CHUNKED)
        h1_write_last_chunk(&call->out, trailers);
    end_call(c, call->framing == FRAMING_LENGTH && call->left > 0);
}

/* ------------------------------------------------------------------- failures */

void client_write_error(struct text *out, const struct request *request, const struct verdict *why)
{
    struct h1_connection closes = {.option = SPAN("close"), .request = &request->id};
    struct span body;
    const struct response *r = reply_error(request->arena, request, why, NULL, NULL, &body);
    h1_write_response(out, r, r->framing, closes);
    text_add(out, body);
}

static void answer_error(struct client *c, const struct verdict *why)
{
    struct call *call = c->call;
    client_write_error(&call->out, &call->request, why);
    call->head_out = true;
    call->last = true;
}

/* After the head there is no honest answer left: the end is missing (no last
 * chunk, less than the length). To a client of HTTP/1.0 a body without length
 * ends that way too, so client_close() resets the connection. */
static void on_failed(void *owner, const struct verdict *why)
{
    struct client *c = owner;
    bool late = c->call->head_out;
    if (!late)
        answer_error(c, why);
    end_call(c, late);
}

void client_refuse(struct client *c, const struct verdict *why)
{
    const struct handler *handler = c->house->handler;
    struct call *call = c->call;
    call->refused = call->last = true;
    if (call->exchange) {
        exchange_refuse(call->exchange, why);
        return;
    }
    if (call->head_out) { /* its answer is complete, the rest of its body is not */
        client_leave(c);
        return;
    }
    handler->refused(handler->self, &call->request, &c->ingress, why);
    answer_error(c, why);
    client_leave(c);
}

static void on_drain(void *owner)
{
    struct client *c = owner;
    c->call->held = false;
    client_defer(c);
}

const struct exchange_events client_answer_events = {.on_interim = on_interim,
                                                     .on_head = on_head,
                                                     .on_body = on_body,
                                                     .on_end = on_end,
                                                     .on_failed = on_failed,
                                                     .on_drain = on_drain,
                                                     .on_switch = on_switch};
