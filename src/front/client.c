#include "front/client.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "front/call.h"
#include "front/client_timer.h"
#include "front/client_tunnel.h"

#define MAGIC 0x434c4e54u /* "CLNT" */

/* Bytes sent ahead of what can be parsed: beyond this the stream is paused. */
#define KEEP_MAX (64 * 1024)

#define SHORT_READ 1024 /* of a head, while memory is short */

#define CLIENT_STATES(S)                                                                           \
    S(CLIENT_IDLE, "idle", TO(CLIENT_HEAD) | TO(CLIENT_LEAVING) | TO(CLIENT_CLOSED))               \
    S(CLIENT_HEAD, "head", TO(CLIENT_EXCHANGE) | TO(CLIENT_LEAVING) | TO(CLIENT_CLOSED))           \
    S(CLIENT_EXCHANGE, "exchange",                                                                 \
      TO(CLIENT_IDLE) | TO(CLIENT_SWITCHED) | TO(CLIENT_LEAVING) | TO(CLIENT_CLOSED))              \
    S(CLIENT_SWITCHED, "switched", TO(CLIENT_IDLE) | TO(CLIENT_LEAVING) | TO(CLIENT_CLOSED))       \
    S(CLIENT_LEAVING, "leaving", TO(CLIENT_CLOSED))                                                \
    S(CLIENT_CLOSED, "closed", 0)
STATE_TYPE(client, CLIENT_STATES)

struct client {
    unsigned magic;
    enum client_state state;
    bool reading_paused;  /* too much was sent ahead */
    struct link link;     /* on the list `open` */
    struct link securing; /* on the list of that name */
    struct client_context *context;
    struct stream *stream; /* NULL: closed, or client_tunnel has it */
    struct response_writer *writer;
    struct call *call;            /* the request under way, made with its first byte, so that an
                                     idle connection costs little; or NULL */
    struct client_tunnel *tunnel; /* CLIENT_SWITCHED */
    struct buf kept;              /* received, not to be parsed yet */
    struct client_timer timer;
    struct task task; /* the end of the turn: flush, go on, free */
    struct ingress ingress;
};

static void arm(struct client *);
static void go_on(struct client *);

static struct client *self(void *owner)
{
    struct client *c = owner;
    MAGIC_CHECK(c, MAGIC);
    return c;
}

/* -------------------------------------------------------------------- state */

static void client_enter(struct client *c, enum client_state to)
{
    STATE_ENTER_FOR(client, &c->state, to, c->ingress.client, 0,
                    c->call ? call_request_id(c->call) : NULL);
    if (to != CLIENT_EXCHANGE && to != CLIENT_SWITCHED)
        list_remove(&c->securing);
}

/* Is more input to be parsed now? A client that does not read its responses is asked for
 * no more requests. */
static bool is_listening(const struct client *c)
{
    if (c->state == CLIENT_IDLE)
        return !response_writer_is_full(c->writer);
    return (c->state == CLIENT_HEAD || c->state == CLIENT_EXCHANGE) && call_is_listening(c->call);
}

static bool is_draining(const struct client *c)
{
    return c->context->state != CLIENTS_SERVING;
}

/* Does at the end of the turn what there is to do: behind the tasks of the exchange, so that a
 * response of which the turn brought head, body and end is written once. */
static void defer(struct client *c)
{
    loop_defer_last(c->context->loop, &c->task);
}

/* ------------------------------------------------------------------- ending */

/* Off its lists and its timer; the task frees it. */
static void detach(struct client *c)
{
    client_enter(c, CLIENT_CLOSED);
    client_timer_stop(&c->timer);
    list_remove(&c->link);
    c->stream = NULL;
    if (c->tunnel)
        client_tunnel_close(c->tunnel);
    c->tunnel = NULL;
    defer(c);
}

void client_close(struct client *c, const char *why)
{
    if (c->state == CLIENT_CLOSED)
        return;
    LOG(DEBUG, c->ingress.client, "closed: %s", why);
    struct stream *stream = c->stream;
    bool resets = stream && response_writer_needs_reset(c->writer);
    detach(c);
    if (c->call)
        call_leave(c->call);
    if (resets)
        stream_reset(stream);
    else if (stream)
        stream_close(stream);
}

/* Nothing more will be answered: what is written goes out, then the stream lingers. That
 * is tightly bounded, so a long response is waited for here. */
static void leave(struct client *c)
{
    if (c->call)
        call_leave(c->call);
    response_writer_flush(c->writer);
    if (response_writer_is_full(c->writer)) {
        if (c->state != CLIENT_LEAVING)
            client_enter(c, CLIENT_LEAVING);
        return;
    }
    struct stream *stream = c->stream;
    struct lingering *linger = c->context->linger;
    detach(c);
    linger_take(linger, stream);
}

static void client_free(struct client *c)
{
    CHECK(c->tunnel == NULL);
    call_free(c->call);
    response_writer_free(c->writer);
    buf_clear(&c->kept);
    task_forget(&c->task);
    free((char *)c->ingress.upstream);
    free((char *)c->ingress.socket);
    free((char *)c->ingress.tunnel);
    c->magic = 0;
    free(c);
}

/* ------------------------------------------------------------------ parsing */

/* The client's own error message seldom names the cause, so it is logged here. What was
 * sent is no request, and is refused as such. */
static void warn_of_tls(const struct client *c)
{
    LOG(WARN, c->ingress.client,
        "a TLS ClientHello on a port of plain HTTP: the proxy's URL begins with http://, "
        "for https requests too (HTTPS_PROXY=http://...) id=%s",
        request_id_text(call_request_id(c->call)));
}

static const struct call_events call_events;

/* Returns how many bytes it used. */
static size_t parse(struct client *c, const char *data, size_t len)
{
    size_t skipped = 0;
    if (c->state == CLIENT_IDLE) {
        skipped = request_parser_skip(data, len);
        if (skipped == len)
            return len;
        c->call = call_new(c->context, &c->ingress, c->writer, &call_events, c);
        if ((unsigned char)data[skipped] == TLS_HANDSHAKE && !c->ingress.tunnel)
            warn_of_tls(c);
        client_enter(c, CLIENT_HEAD);
    }
    return skipped + call_feed(c->call, data + skipped, len - skipped);
}

/* Parses what was kept, as far as that is possible now. Also with nothing kept, because the end
 * of a request that was held at the last byte of its body is still to be found. */
static void go_on(struct client *c)
{
    const char *at;
    size_t len;
    if (is_listening(c) && c->state == CLIENT_EXCHANGE)
        (void)parse(c, "", 0);
    while (is_listening(c) && (len = buf_front(&c->kept, &at)))
        buf_consume(&c->kept, parse(c, at, len));
    if (c->stream && c->reading_paused && c->kept.size <= KEEP_MAX / 2) {
        c->reading_paused = false;
        stream_resume(c->stream);
    }
}

/* -------------------------------------------------------------------- input */

/* The rest of the request and further requests are, but none after the last. */
static bool is_wanted(const struct client *c)
{
    return c->state == CLIENT_IDLE || (c->state == CLIENT_EXCHANGE && call_keeps_ahead(c->call));
}

static void keep(struct client *c, const char *data, size_t len)
{
    if (!is_wanted(c) || len == 0)
        return;
    buf_append(&c->kept, data, len);
    if (c->kept.size > KEEP_MAX && !c->reading_paused) {
        c->reading_paused = true;
        stream_pause(c->stream);
    }
}

/* New requests are refused first, so that those under way can end. */
static void refuse_for_memory(struct client *c)
{
    struct verdict why =
        verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO, "trunkline is out of memory");
    call_refuse(c->call, &why);
}

/* While memory is short, no more of a head is read than it takes to refuse it:
 * many may come in one turn, and what they hold is freed at its end. */
static size_t readable(const struct client *c, size_t len)
{
    bool is_head = c->state == CLIENT_IDLE || c->state == CLIENT_HEAD;
    return is_head && len > SHORT_READ && alloc_is_short() ? SHORT_READ : len;
}

static void on_data(void *owner, const char *data, size_t len)
{
    struct client *c = self(owner);
    size_t used = 0;
    client_timer_note_input(&c->timer);
    if (is_listening(c) && c->kept.size == 0)
        used = parse(c, data, readable(c, len));
    if (c->state == CLIENT_HEAD && alloc_is_short())
        refuse_for_memory(c);
    keep(c, data + used, len - used);
    arm(c);
}

/* Is a complete response still on its way? Its client may well read it to the end after
 * it said that it sends no more. */
static bool is_being_read(struct client *c)
{
    bool is_answered =
        c->state == CLIENT_IDLE ||
        (c->state == CLIENT_EXCHANGE && call_is_over(c->call) && call_end(c->call) != CALL_CUT);
    if (!is_answered)
        return false;
    response_writer_flush(c->writer);
    return stream_queued(c->stream) > 0;
}

static void on_end(void *owner, enum stream_end how, const char *why)
{
    struct client *c = self(owner);
    if (how == STREAM_EOF && c->state == CLIENT_LEAVING)
        return;
    if (how == STREAM_EOF && is_being_read(c))
        leave(c);
    else
        client_close(c, why);
    arm(c);
}

static void on_drain(void *owner)
{
    struct client *c = self(owner);
    bool was_full = response_writer_drained(c->writer);
    if (c->state == CLIENT_LEAVING) {
        leave(c);
        return;
    }
    if (was_full && c->call)
        call_resume(c->call);
    arm(c);
}

/* Takes the stream, which may be a new one. What is queued in it counts again with the
 * first write. */
static void use_stream(struct client *c, struct stream *stream)
{
    static const struct stream_events events = {
        .on_data = on_data, .on_end = on_end, .on_drain = on_drain};
    c->stream = stream;
    c->reading_paused = false;
    response_writer_use(c->writer, stream);
    stream_bind(stream, &events, c);
    stream_resume(stream);
}

/* ----------------------------------------------- after CONNECT or an upgrade */

/* As before CONNECT, but requests are those of the tunnel from here on. */
static void on_http(void *owner, struct stream *stream)
{
    struct client *c = self(owner);
    c->tunnel = NULL;
    client_enter(c, CLIENT_IDLE);
    use_stream(c, stream);
    if (c->kept.size)
        go_on(c);
    else if (is_draining(c))
        leave(c);
    arm(c);
}

static void on_tunnel_idle(void *owner, struct stream *stream)
{
    struct client *c = self(owner);
    c->tunnel = NULL;
    use_stream(c, stream);
    leave(c);
    arm(c);
}

static void on_tls_failed(void *owner, const struct verdict *why)
{
    struct client *c = self(owner);
    const struct handler *handler = c->context->handler;
    c->tunnel = NULL;
    handler->tls_failed(handler->self, &c->ingress, why);
    client_close(c, why->detail);
}

static void on_tunnel_over(void *owner, const char *why)
{
    struct client *c = self(owner);
    c->tunnel = NULL;
    client_close(c, why);
}

static void remember_host(struct client *c, const struct switched *to)
{
    char *outer = (char *)c->ingress.tunnel;
    c->ingress.tunnel = must_strndup(to->host.at, to->host.len);
    c->ingress.tunnel_port = to->port;
    free(outer);
}

/* The memory of the request goes first, as a tunnel may last. Where something was dialled,
 * TLS is not terminated here after all. */
static void on_switch(void *owner, const struct switched *to)
{
    static const struct client_tunnel_events events = {on_http, on_tunnel_idle, on_tls_failed,
                                                       on_tunnel_over};
    struct client *c = self(owner);
    struct stream *stream = c->stream;
    if (to->looks)
        remember_host(c, to);
    if (!to->intercepts || to->tunnel)
        list_remove(&c->securing);
    c->stream = NULL;
    c->tunnel = client_tunnel_new(c->context, &c->ingress, stream, &c->kept, to, &events, c);
    response_writer_done(c->writer);
    call_free(c->call);
    c->call = NULL;
    client_enter(c, CLIENT_SWITCHED);
    arm(c);
    client_tunnel_begin(c->tunnel);
}

/* ----------------------------------------------------------- events of a call */

/* Counted from the request on, because the 200 already promises the handshake. */
static bool may_secure(struct client *c, const struct request *request, struct verdict *why)
{
    const struct handler *handler = c->context->handler;
    struct list *securing = &c->context->securing;
    if (!handler->intercepts(handler->self, request, &c->ingress))
        return true;
    if (securing->count < SECURING_MAX) {
        list_push_back(securing, &c->securing);
        return true;
    }
    *why = verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO,
                        "%zu clients are in their TLS handshake", securing->count);
    return false;
}

static bool on_request(void *owner, const struct request *request, struct verdict *why)
{
    struct client *c = self(owner);
    client_enter(c, CLIENT_EXCHANGE);
    return !span_is(request->method, SPAN("CONNECT")) || may_secure(c, request, why);
}

static void on_progress(void *owner)
{
    arm(self(owner));
}

static void on_change(void *owner)
{
    defer(self(owner));
}

static void on_refused(void *owner)
{
    leave(self(owner));
}

static const struct call_events call_events = {.on_head = on_request,
                                               .on_progress = on_progress,
                                               .on_change = on_change,
                                               .on_refused = on_refused,
                                               .on_switch = on_switch};

static void on_full(void *owner)
{
    struct client *c = self(owner);
    if (c->call)
        call_pause(c->call);
}

static const struct response_writer_events writer_events = {.on_gathered = on_change,
                                                            .on_full = on_full};

/* -------------------------------------------------------------------- timer */

static enum client_wait wanted_wait(const struct client *c)
{
    switch (c->state) {
    case CLIENT_IDLE:
        if (c->kept.size && !response_writer_is_full(c->writer))
            return WAIT_TURN;
        return stream_queued(c->stream) ? WAIT_QUEUE : WAIT_IDLE;
    case CLIENT_HEAD: return WAIT_HEAD;
    case CLIENT_EXCHANGE:
        if (is_listening(c))
            return WAIT_BODY;
        if (stream_queued(c->stream))
            return WAIT_READER;
        return c->reading_paused ? WAIT_PEER : WAIT_NONE;
    case CLIENT_LEAVING: return WAIT_QUEUE;
    case CLIENT_SWITCHED:
    case CLIENT_CLOSED: break;
    }
    return WAIT_NONE;
}

static void arm(struct client *c)
{
    client_timer_wait(&c->timer, c->stream, wanted_wait(c));
}

static void on_checked(void *owner)
{
    arm(self(owner));
}

/* Finite if its exchange holds a connection that other requests wait for (contract 11, "Bodies
 * first"). */
static uint64_t on_patience(void *owner)
{
    struct client *c = self(owner);
    return c->call ? call_patience(c->call) : UINT64_MAX;
}

static void refuse_late(struct client *c, const char *words)
{
    struct verdict v = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO, "%s", words);
    v.status = 408;
    call_refuse(c->call, &v);
}

static void on_expired(void *owner, enum client_wait wait)
{
    struct client *c = self(owner);
    switch (wait) {
    case WAIT_NONE: break;
    case WAIT_IDLE: leave(c); break;
    case WAIT_HEAD: refuse_late(c, "the request's head did not come in time"); break;
    case WAIT_BODY: refuse_late(c, "the request's body did not come in time"); break;
    case WAIT_QUEUE:
    case WAIT_READER: client_close(c, "it does not read its answer"); break;
    case WAIT_TURN: go_on(c); break;
    case WAIT_PEER: client_close(c, "it left while it was held back"); break;
    }
    arm(c);
}

static const struct client_timer_events timer_events = {
    .on_expired = on_expired, .on_checked = on_checked, .on_patience = on_patience};

/* ------------------------------------------------------------ end of a turn */

static void finish_call(struct client *c)
{
    switch (call_end(c->call)) {
    case CALL_CUT: client_close(c, "the answer failed"); break;
    case CALL_LAST: leave(c); break;
    case CALL_NEXT:
        response_writer_done(c->writer);
        call_free(c->call);
        c->call = NULL;
        client_enter(c, CLIENT_IDLE);
        break;
    }
}

/* Of pipelined requests each turn takes one (WAIT_TURN), so that a client that sends many
 * delays nobody but itself. */
static void run(struct task *t)
{
    struct client *c = self(container_of(t, struct client, task));
    if (c->state == CLIENT_CLOSED) {
        client_free(c);
        return;
    }
    response_writer_flush(c->writer);
    if (c->state == CLIENT_EXCHANGE && call_is_over(c->call))
        finish_call(c);
    else if (c->state == CLIENT_EXCHANGE)
        go_on(c);
    arm(c);
}

/* ---------------------------------------------------------- the daemon's end */

/* What the kernel still has of the last response goes out behind a close, too; what
 * is queued here would be lost by it. */
void client_dismiss(struct client *c)
{
    if (c->state == CLIENT_SWITCHED) {
        struct stream *stream = client_tunnel_stop(c->tunnel);
        if (stream == NULL)
            return;
        c->tunnel = NULL;
        use_stream(c, stream);
    } else if (c->state != CLIENT_IDLE || c->kept.size || !stream_is_quiet(c->stream, 0)) {
        return;
    }
    if (stream_queued(c->stream))
        leave(c);
    else
        client_close(c, "trunkline is shutting down");
    arm(c);
}

/* Takes the request that was sent ahead, even if its client has not read the last response. */
static void take_next(struct client *c)
{
    (void)response_writer_drained(c->writer);
    go_on(c);
}

void client_settle(struct client *c)
{
    const struct verdict *ending = &c->context->ending;
    if (c->state == CLIENT_IDLE && c->kept.size)
        take_next(c);
    switch (c->state) {
    case CLIENT_HEAD: call_refuse(c->call, ending); break;
    case CLIENT_EXCHANGE: call_settle(c->call, ending); break;
    case CLIENT_IDLE: client_dismiss(c); break;
    case CLIENT_SWITCHED: client_close(c, "trunkline is shutting down"); break;
    case CLIENT_LEAVING:
    case CLIENT_CLOSED: break;
    }
    arm(c);
}

bool client_owes(const struct client *c)
{
    bool has_stream = c->state == CLIENT_IDLE || c->state == CLIENT_LEAVING;
    return c->state == CLIENT_EXCHANGE || (has_stream && stream_queued(c->stream) > 0);
}

/* -------------------------------------------------------------------- birth */

struct client *client_of(struct link *open)
{
    return container_of(open, struct client, link);
}

void client_new(struct client_context *context, struct stream *stream,
                const struct ingress *ingress)
{
    struct client *c = NEW(struct client);
    MAGIC_INIT(c, MAGIC);
    c->context = context;
    c->ingress = *ingress;
    if (ingress->upstream) /* a reload may end the listener before the connection */
        c->ingress.upstream = must_strdup(ingress->upstream);
    if (ingress->socket)
        c->ingress.socket = must_strdup(ingress->socket);
    c->writer = response_writer_new(c->ingress.client, stream, &writer_events, c);
    client_timer_init(&c->timer, context->loop, &context->limits, &timer_events, c);
    task_init(&c->task, run);
    list_push_back(&context->open, &c->link);
    use_stream(c, stream);
    arm(c);
}
