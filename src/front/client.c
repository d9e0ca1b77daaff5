#include "front/client_internal.h"

#include "base/alloc.h"
#include "base/log.h"

#define CLIENT_MAGIC 0x434c4e54u /* "CLNT" */

/* Sent ahead of what can be parsed: beyond this the stream is paused. */
#define KEEP_MAX (64 * 1024)

/* How often a client that is not read from is looked for. */
#define PEER_MS 1000
#define SHORT_READ 1024 /* of a head, while memory is short */

static struct client *self(void *owner)
{
    struct client *c = owner;
    MAGIC_CHECK(c, CLIENT_MAGIC);
    return c;
}

#define READER_LOOK_MS 250 /* so often a reader that takes nothing is looked at, at least; */
#define READER_FIRST_MS 50
#define READER_LOOKS 5 /* and so often while others are patient with it */

/* -------------------------------------------------------------------- state */

static const char *const state_names[] = {
#define X(name) #name,
    CLIENT_STATES(X)
#undef X
};

void client_become(struct client *c, enum client_state to)
{
#define TO(name) (1u << CLIENT_##name)
    static const unsigned legal[] = {
        [CLIENT_IDLE] = TO(HEAD) | TO(LEAVING) | TO(CLOSED),
        [CLIENT_HEAD] = TO(EXCHANGE) | TO(LEAVING) | TO(CLOSED),
        [CLIENT_EXCHANGE] = TO(IDLE) | TO(LOOKING) | TO(LEAVING) | TO(CLOSED),
        [CLIENT_LOOKING] = TO(IDLE) | TO(SECURING) | TO(TUNNEL) | TO(LEAVING) | TO(CLOSED),
        [CLIENT_SECURING] = TO(IDLE) | TO(CLOSED),
        [CLIENT_TUNNEL] = TO(CLOSED),
        [CLIENT_LEAVING] = TO(CLOSED),
        [CLIENT_CLOSED] = 0,
    };
#undef TO
    CHECK(legal[c->state] & (1u << to));
    LOG(DEBUG, c->ingress.client, "%s -> %s", state_names[c->state], state_names[to]);
    c->state = to;
    if (to != CLIENT_EXCHANGE && to != CLIENT_LOOKING && to != CLIENT_SECURING)
        list_remove(&c->place);
}

/* Who does not read his answers is asked for no more requests. */
bool client_listens(const struct client *c)
{
    if (c->state == CLIENT_EXCHANGE)
        return !c->call->complete && !c->call->held && !c->call->ended && !c->call->refused;
    return (c->state == CLIENT_IDLE && !c->backlogged) || c->state == CLIENT_HEAD;
}

void client_defer(struct client *c)
{
    loop_defer(c->deadline.loop, &c->task);
}

/* ------------------------------------------------------------------- ending */

static void drop_tunnel(struct client *c)
{
    if (c->tunnel)
        tunnel_close(c->tunnel);
    c->tunnel = NULL;
}

/* Off the house and off its deadline; the task frees it. */
static void detach(struct client *c)
{
    client_become(c, CLIENT_CLOSED);
    deadline_stop(&c->deadline);
    list_remove(&c->link);
    c->stream = NULL;
    drop_tunnel(c);
    leaves_forget(&c->leaf);
    client_defer(c);
}

static void cancel_exchange(struct client *c)
{
    struct exchange *x = c->call ? c->call->exchange : NULL;
    if (x == NULL)
        return;
    c->call->exchange = NULL;
    if (exchange_leave(x))
        c->call->arena = NULL; /* it is the exchange's now */
}

/* To a client without a length or chunks (HTTP/1.0) the end of the connection is
 * the end of the answer. */
static bool would_look_whole(const struct client *c)
{
    const struct call *call = c->call;
    if (c->stream == NULL || call == NULL || !call->head_out || call->framing != FRAMING_CLOSE)
        return false;
    return !call->ended || call->failed || stream_queued(c->stream) > 0;
}

void client_close(struct client *c, const char *why)
{
    if (c->state == CLIENT_CLOSED)
        return;
    LOG(DEBUG, c->ingress.client, "closed: %s", why);
    struct stream *stream = c->stream;
    bool breaks = would_look_whole(c);
    detach(c);
    cancel_exchange(c);
    if (stream == NULL)
        return;
    if (breaks)
        stream_reset(stream);
    else
        stream_close(stream);
}

/* Linger bounds its guests tightly, so a long answer is waited for here. */
void client_leave(struct client *c)
{
    cancel_exchange(c);
    drop_tunnel(c);
    client_flush(c);
    if (c->backlogged) {
        if (c->state != CLIENT_LEAVING)
            client_become(c, CLIENT_LEAVING);
        return;
    }
    struct stream *stream = c->stream;
    struct lingering *linger = c->house->linger;
    detach(c);
    linger_take(linger, stream);
}

static void client_free(struct client *c)
{
    client_call_free(c);
    buf_clear(&c->kept);
    task_forget(&c->task);
    free((char *)c->ingress.upstream);
    free((char *)c->ingress.socket);
    free((char *)c->ingress.tunnel);
    c->magic = 0;
    free(c);
}

/* What the kernel still has of the last answer goes out behind a close, too; what
 * is queued here would be lost by it. */
void client_dismiss(struct client *c)
{
    bool rests = c->state == CLIENT_IDLE || c->state == CLIENT_LOOKING;
    if (!rests || c->kept.size || !stream_is_quiet(c->stream))
        return;
    if (stream_queued(c->stream))
        client_leave(c);
    else
        client_close(c, "trunkline is shutting down");
}

/* A request that was sent ahead is the next in turn, whatever its client has read. */
static void take_next(struct client *c)
{
    c->backlogged = false;
    client_go_on(c);
}

void client_settle(struct client *c)
{
    if (c->state == CLIENT_IDLE && c->kept.size)
        take_next(c);
    switch (c->state) {
    case CLIENT_HEAD: client_refuse(c, &c->house->ending); break;
    case CLIENT_EXCHANGE:
        if (!c->call->ended && !c->call->refused)
            client_refuse(c, &c->house->ending);
        break;
    case CLIENT_IDLE: client_dismiss(c); break;
    case CLIENT_LOOKING:
    case CLIENT_SECURING:
    case CLIENT_TUNNEL: client_close(c, "trunkline is shutting down"); break;
    case CLIENT_LEAVING:
    case CLIENT_CLOSED: break;
    }
    client_arm(c);
}

/* ---------------------------------------------------------------- deadlines */

static enum client_wait wanted_wait(const struct client *c)
{
    switch (c->state) {
    case CLIENT_IDLE:
        if (c->kept.size && !c->backlogged)
            return WAIT_TURN;
        return stream_queued(c->stream) ? WAIT_QUEUE : WAIT_IDLE;
    case CLIENT_HEAD: return WAIT_HEAD;
    case CLIENT_LOOKING: return c->intercepts ? WAIT_TLS : WAIT_IDLE;
    case CLIENT_SECURING: return WAIT_TLS;
    case CLIENT_EXCHANGE:
        if (client_listens(c))
            return WAIT_BODY;
        if (stream_queued(c->stream))
            return WAIT_READER;
        return c->reading_paused ? WAIT_PEER : WAIT_NONE;
    case CLIENT_LEAVING: return WAIT_QUEUE;
    case CLIENT_TUNNEL:
    case CLIENT_CLOSED: break;
    }
    return WAIT_NONE;
}

/* How long a reader may take nothing of its answer: less if its exchange holds a
 * connection that others wait for (contract 11, "Bodies first"). */
static uint64_t reader_patience(const struct client *c)
{
    uint64_t most = c->house->limits.body_timeout_ms;
    uint64_t patience = c->call->exchange ? exchange_patience(c->call->exchange) : most;
    return patience < most ? patience : most;
}

static void look_soon(struct client *c)
{
    uint64_t soon = reader_patience(c) / READER_LOOKS;
    deadline_in(&c->deadline, soon < READER_LOOK_MS ? soon : READER_LOOK_MS);
}

static void set_deadline(struct client *c, enum client_wait wait)
{
    const struct client_limits *limits = &c->house->limits;
    c->wait = wait;
    switch (wait) {
    case WAIT_NONE: deadline_stop(&c->deadline); break;
    case WAIT_IDLE: deadline_in(&c->deadline, limits->idle_timeout_ms); break;
    case WAIT_TLS:
    case WAIT_HEAD: deadline_in(&c->deadline, limits->header_timeout_ms); break;
    case WAIT_BODY:
        c->last_input = loop_now(c->house->loop);
        deadline_in(&c->deadline, limits->body_timeout_ms);
        break;
    case WAIT_QUEUE:
        c->taken = stream_taken(c->stream);
        deadline_in(&c->deadline, limits->body_timeout_ms);
        break;
    case WAIT_READER:
        c->taken = stream_taken(c->stream);
        c->taken_at = loop_now(c->house->loop);
        deadline_in(&c->deadline, READER_FIRST_MS); /* it is not held back yet */
        break;
    case WAIT_TURN: deadline_in(&c->deadline, 0); break;
    case WAIT_PEER: deadline_in(&c->deadline, PEER_MS); break;
    }
}

/* Only a change moves the deadline, so that a trickle does not. */
void client_arm(struct client *c)
{
    enum client_wait wanted = wanted_wait(c);
    if (c->state != CLIENT_CLOSED && wanted != c->wait)
        set_deadline(c, wanted);
}

static void refuse_late(struct client *c, const char *words)
{
    struct verdict v = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO, "%s", words);
    v.status = 408;
    client_refuse(c, &v);
}

/* What came since is known by its time. */
static void body_expired(struct client *c)
{
    uint64_t due = c->last_input + c->house->limits.body_timeout_ms;
    if (due > loop_now(c->house->loop))
        deadline_at(&c->deadline, due);
    else
        refuse_late(c, "the request's body did not come in time");
}

/* What was taken since is known by the count alone: a client that stopped
 * reading is found after one to two timeouts. */
static void queue_expired(struct client *c)
{
    if (stream_queued(c->stream) && stream_taken(c->stream) == c->taken)
        client_close(c, "it does not read its answer");
    else
        set_deadline(c, wanted_wait(c));
}

/* Looked at again and again, since who waits for the connection may come at any time. */
static void look_at_reader(struct client *c)
{
    uint64_t now = loop_now(c->house->loop);
    if (stream_taken(c->stream) != c->taken) {
        c->taken = stream_taken(c->stream);
        c->taken_at = now;
    }
    if (now - c->taken_at >= reader_patience(c))
        client_close(c, "it does not read its answer");
    else
        look_soon(c);
}

/* Who is held back is not read from, and so not heard when it leaves. */
static void look_for_peer(struct client *c)
{
    if (stream_is_broken(c->stream))
        client_close(c, "it left while it was held back");
    else
        set_deadline(c, wanted_wait(c));
}

static void on_expired(struct deadline *d)
{
    struct client *c = self(container_of(d, struct client, deadline));
    switch (c->wait) {
    case WAIT_NONE: break;
    case WAIT_IDLE: client_leave(c); break;
    case WAIT_TLS:
        if (c->state == CLIENT_LOOKING) {
            client_leave(c);
            break;
        }
        client_give_up_tls(c, FAILURE_CONNECTION_TIMEOUT,
                           "the client's TLS handshake did not end in time");
        break;
    case WAIT_HEAD: refuse_late(c, "the request's head did not come in time"); break;
    case WAIT_BODY: body_expired(c); break;
    case WAIT_QUEUE: queue_expired(c); break;
    case WAIT_READER: look_at_reader(c); break;
    case WAIT_TURN:
        c->wait = WAIT_NONE;
        client_go_on(c);
        break;
    case WAIT_PEER: look_for_peer(c); break;
    }
    client_arm(c);
}

/* -------------------------------------------------------------------- input */

/* The rest of the request, and further ones, but none after the last. */
static bool is_wanted(const struct client *c)
{
    const struct call *call = c->call;
    if (c->state != CLIENT_EXCHANGE)
        return c->state == CLIENT_IDLE || c->state == CLIENT_LOOKING;
    bool is_last = call->complete && call->last && !call->may_switch;
    return !call->ended && !call->refused && !is_last;
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

/* What asks for more goes first: those under way are to end. */
static void refuse_for_memory(struct client *c)
{
    struct verdict why =
        verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO, "trunkline is out of memory");
    client_refuse(c, &why);
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
    c->last_input = loop_now(c->house->loop);
    if (client_listens(c) && c->kept.size == 0)
        used = client_parse(c, data, readable(c, len));
    if (c->state == CLIENT_HEAD && alloc_is_short())
        refuse_for_memory(c);
    keep(c, data + used, len - used);
    if (c->state == CLIENT_LOOKING)
        client_look(c);
    client_arm(c);
}

/* Parses what was kept; with nothing kept too, as a parser that was paused at
 * the last byte of a body has not told the request's end yet. */
void client_go_on(struct client *c)
{
    const char *at;
    size_t len;
    if (client_listens(c) && c->state == CLIENT_EXCHANGE)
        (void)client_parse(c, "", 0);
    while (client_listens(c) && (len = buf_front(&c->kept, &at)))
        buf_consume(&c->kept, client_parse(c, at, len));
    if (c->state != CLIENT_CLOSED && c->reading_paused && c->kept.size <= KEEP_MAX / 2) {
        c->reading_paused = false;
        stream_resume(c->stream);
    }
}

/* Is a complete answer still on its way? Its client may well read it to the
 * end after it said that it sends no more. */
static bool is_being_read(struct client *c)
{
    bool answered = c->state == CLIENT_IDLE ||
                    (c->state == CLIENT_EXCHANGE && c->call->ended && !c->call->failed);
    if (!answered)
        return false;
    client_flush(c);
    return stream_queued(c->stream) > 0;
}

static void on_end(void *owner, enum stream_end how, const char *why)
{
    struct client *c = self(owner);
    if (how == STREAM_EOF && c->state == CLIENT_LEAVING)
        return;
    if (how == STREAM_EOF && is_being_read(c))
        client_leave(c);
    else
        client_close(c, why);
    client_arm(c);
}

static void on_drain(void *owner)
{
    struct client *c = self(owner);
    c->backlogged = false;
    if (c->state == CLIENT_LEAVING) {
        client_leave(c);
        return;
    }
    if (c->call && c->call->paused && c->call->exchange) {
        c->call->paused = false;
        exchange_resume(c->call->exchange);
    }
    client_arm(c);
}

/* ------------------------------------------------------------ end of a turn */

static void finish_call(struct client *c)
{
    struct call *call = c->call;
    if (call->failed) {
        client_close(c, "the answer failed");
    } else if (call->last || !call->complete || c->house->draining) {
        client_leave(c);
    } else {
        client_call_free(c);
        client_become(c, CLIENT_IDLE);
    }
}

/* Of pipelined requests each turn takes one (WAIT_TURN): who sends many waits himself. */
static void run(struct task *t)
{
    struct client *c = self(container_of(t, struct client, task));
    if (c->state == CLIENT_CLOSED) {
        client_free(c);
        return;
    }
    client_flush(c);
    if (c->state == CLIENT_EXCHANGE && c->call->ended)
        finish_call(c);
    else if (c->state == CLIENT_EXCHANGE)
        client_go_on(c);
    client_arm(c);
}

void client_listen(struct client *c)
{
    static const struct stream_events events = {
        .on_data = on_data, .on_end = on_end, .on_drain = on_drain};
    stream_bind(c->stream, &events, c);
    stream_resume(c->stream);
}

void client_new(struct clients *house, struct stream *stream, const struct ingress *ingress)
{
    struct client *c = NEW(struct client);
    MAGIC_INIT(c, CLIENT_MAGIC);
    c->house = house;
    c->stream = stream;
    c->ingress = *ingress;
    if (ingress->upstream) /* a reload may end the listener before the connection */
        c->ingress.upstream = must_strdup(ingress->upstream);
    if (ingress->socket)
        c->ingress.socket = must_strdup(ingress->socket);
    deadline_init(&c->deadline, house->loop, on_expired);
    task_init(&c->task, run);
    list_push_back(&house->open, &c->link);
    client_listen(c);
    client_arm(c);
}
