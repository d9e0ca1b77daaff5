#include "front/call.h"

#include "base/spares.h"

#define MAGIC 0x43414c4cu /* "CALL" */

struct call {
    unsigned magic;
    bool is_last; /* the connection ends with it */
    struct client_context *context;
    const struct ingress *ingress;
    struct request_parser *parser;
    struct exchange *exchange; /* NULL: not opened yet, or ended */
    struct response_writer *writer;
    const struct call_events *events;
    void *owner;
};

static struct spares spares;

static struct call *self(void *owner)
{
    struct call *call = owner;
    MAGIC_CHECK(call, MAGIC);
    return call;
}

static bool is_complete(const struct call *call)
{
    return request_parser_state(call->parser) == REQUEST_COMPLETE;
}

static bool is_refused(const struct call *call)
{
    return request_parser_state(call->parser) == REQUEST_REFUSED;
}

static bool is_connect(const struct request *r)
{
    return span_is(r->method, SPAN("CONNECT"));
}

/* ----------------------------------------------------------------- response */

/* RFC 9112 9.6: the rest of a body that is not read would be taken for a request, and so
 * would what follows a refused CONNECT. */
static bool must_be_last(const struct call *call)
{
    return call->is_last || !is_complete(call) || call->context->state != CLIENTS_SERVING ||
           is_connect(request_parser_request(call->parser));
}

/* The call ends later, because the exchange or the parser may be on the stack. */
static void end_response(struct call *call)
{
    call->exchange = NULL;
    call->events->on_change(call->owner);
}

static void on_interim(void *owner, const struct response *response)
{
    response_writer_interim(self(owner)->writer, response);
}

static void on_response_head(void *owner, const struct response *response)
{
    struct call *call = self(owner);
    uint64_t idle_limit_s = call->context->limits.idle_timeout_ms / 1000;
    call->is_last = response_writer_head(call->writer, response, must_be_last(call), idle_limit_s);
}

static void on_response_body(void *owner, const char *data, size_t len)
{
    struct call *call = self(owner);
    response_writer_body(call->writer, data, len);
    call->events->on_progress(call->owner);
}

static void on_response_end(void *owner, const struct fields *trailers)
{
    struct call *call = self(owner);
    response_writer_end(call->writer, trailers);
    end_response(call);
}

static void write_error(struct call *call, const struct verdict *why)
{
    response_writer_error(call->writer, request_parser_request(call->parser), why);
    call->is_last = true;
}

/* Once the head is written, a failure can only be shown by a missing end: no last chunk, fewer
 * bytes than the length, a reset. */
static void on_failed(void *owner, const struct verdict *why)
{
    struct call *call = self(owner);
    if (response_writer_state(call->writer) == RESPONSE_DUE)
        write_error(call, why);
    else
        response_writer_cut(call->writer);
    end_response(call);
}

static void on_switch(void *owner, const struct response *head, const struct switched *to)
{
    struct call *call = self(owner);
    CHECK(is_complete(call));
    call->exchange = NULL;
    response_writer_switch(call->writer, head);
    response_writer_flush(call->writer);
    call->events->on_switch(call->owner, to);
}

/* More of the request's body is welcome. */
static void on_drain(void *owner)
{
    struct call *call = self(owner);
    request_parser_resume(call->parser);
    call->events->on_change(call->owner);
}

static const struct exchange_events response_events = {.on_interim = on_interim,
                                                       .on_head = on_response_head,
                                                       .on_body = on_response_body,
                                                       .on_end = on_response_end,
                                                       .on_failed = on_failed,
                                                       .on_drain = on_drain,
                                                       .on_switch = on_switch};

/* ------------------------------------------------------------------ request */

static bool on_request_head(void *owner, const struct request *request, struct verdict *why)
{
    struct call *call = self(owner);
    const struct handler *handler = call->context->handler;
    response_writer_begin(call->writer, request);
    call->is_last = !request->keeps_alive;
    if (!call->events->on_head(call->owner, request, why))
        return false;
    call->exchange = handler->open(handler->self, request, call->ingress, &response_events, call);
    CHECK(call->exchange != NULL);
    if (call->context->state == CLIENTS_ENDING)
        call_refuse(call, &call->context->ending);
    return true;
}

/* What comes after the end of the exchange is dropped. */
static bool on_request_body(void *owner, const char *data, size_t len)
{
    struct call *call = self(owner);
    return call->exchange == NULL || exchange_body(call->exchange, data, len);
}

static void on_request_end(void *owner, const struct fields *trailers)
{
    struct call *call = self(owner);
    if (call->exchange)
        exchange_finish(call->exchange, trailers);
}

static void on_request_refused(void *owner, const struct verdict *why)
{
    call_refuse(self(owner), why);
}

size_t call_feed(struct call *call, const char *data, size_t len)
{
    return request_parser_feed(call->parser, data, len);
}

bool call_is_listening(const struct call *call)
{
    switch (request_parser_state(call->parser)) {
    case REQUEST_HEAD: return true;
    case REQUEST_BODY: return !call_is_over(call);
    case REQUEST_HELD:
    case REQUEST_COMPLETE:
    case REQUEST_REFUSED: break;
    }
    return false;
}

const struct request_id *call_request_id(const struct call *call)
{
    return &request_parser_request(call->parser)->id;
}

/* May the response turn the connection into something else? */
static bool may_switch(const struct call *call)
{
    const struct request *request = request_parser_request(call->parser);
    return is_connect(request) || request->upgrades;
}

bool call_keeps_ahead(const struct call *call)
{
    if (call_is_over(call) || is_refused(call))
        return false;
    return !is_complete(call) || !call->is_last || may_switch(call);
}

void call_refuse(struct call *call, const struct verdict *why)
{
    const struct handler *handler = call->context->handler;
    request_parser_stop(call->parser);
    call->is_last = true;
    if (call->exchange) {
        exchange_refuse(call->exchange, why);
        return;
    }
    if (!call_is_over(call)) {
        handler->refused(handler->self, request_parser_request(call->parser), call->ingress, why);
        write_error(call, why);
    }
    call->events->on_refused(call->owner);
}

void call_settle(struct call *call, const struct verdict *why)
{
    if (!call_is_over(call) && !is_refused(call))
        call_refuse(call, why);
}

/* ------------------------------------------------------------- back-pressure */

void call_pause(struct call *call)
{
    if (call->exchange)
        exchange_pause(call->exchange);
}

void call_resume(struct call *call)
{
    if (call->exchange)
        exchange_resume(call->exchange);
}

uint64_t call_patience(const struct call *call)
{
    return call->exchange ? exchange_patience(call->exchange) : UINT64_MAX;
}

/* -------------------------------------------------------------------- ending */

bool call_is_over(const struct call *call)
{
    return response_writer_is_over(call->writer);
}

enum call_end call_end(const struct call *call)
{
    CHECK(call_is_over(call));
    if (response_writer_state(call->writer) == RESPONSE_CUT)
        return CALL_CUT;
    bool is_last = call->is_last || !is_complete(call) || call->context->state != CLIENTS_SERVING;
    return is_last ? CALL_LAST : CALL_NEXT;
}

void call_leave(struct call *call)
{
    struct exchange *x = call->exchange;
    call->exchange = NULL;
    if (x && exchange_leave(x))
        request_parser_disown(call->parser);
}

struct call *call_new(struct client_context *context, const struct ingress *ingress,
                      struct response_writer *writer, const struct call_events *events, void *owner)
{
    static const struct request_parser_events parser_events = {on_request_head, on_request_body,
                                                               on_request_end, on_request_refused};
    struct request_limits limits = {context->limits.max_header_size, context->limits.max_uri_size};
    struct call *call = SPARES_NEW(&spares, struct call);
    MAGIC_INIT(call, MAGIC);
    call->context = context;
    call->ingress = ingress;
    call->writer = writer;
    call->events = events;
    call->owner = owner;
    call->parser = request_parser_new(ingress->client, &limits, context->ids, &parser_events, call);
    return call;
}

void call_free(struct call *call)
{
    if (call == NULL)
        return;
    MAGIC_CHECK(call, MAGIC);
    CHECK(call->exchange == NULL);
    request_parser_free(call->parser);
    call->magic = 0;
    spares_give(&spares, call);
}
