#include "proxy/transaction.h"

#include "base/duration.h"
#include "base/log.h"
#include "http/reply.h"
#include "proxy/credentials.h"
#include "proxy/relay.h"
#include "proxy/tally.h"

#define MAGIC 0x7472616e
#define REPLAY_MAX (64 * 1024)

#define STATES(X)                                                                                  \
    X(GATHERING, "gathering")                                                                      \
    X(WAITING, "waiting")                                                                          \
    X(AWAITING, "awaiting")                                                                        \
    X(RELAYING, "relaying")                                                                        \
    X(REPLYING, "replying")                                                                        \
    X(OVER, "over")

enum state {
#define STATE(name, text) STATE_##name,
    STATES(STATE)
#undef STATE
};

struct transaction {
    struct exchange base;
    unsigned magic;
    enum state state;
    struct transaction_order order; /* `config` is pinned */
    struct route route;
    struct verdict failure;
    const struct upstream_config *settings;
    struct relay relay;
    struct tally tally;

    struct pool *pool;
    struct link in_pool;
    struct pool_waiter waiter;
    struct exchange *try; /* on a line; NULL: none now */
    bool reused;          /* the line of the present try was */
    unsigned tries;

    struct text body; /* the request's so far, as long as it can be replayed */
    bool replayable, complete, blocked;
    struct fields trailers; /* of the request */

    uint64_t total_ms; /* total_timeout, or what the client asked for; 0: none */
    uint64_t total_at, order_at, transfer_at; /* loop time, ms; UINT64_MAX: never */
    uint64_t response_at, active_at;          /* of the try: no head by then; last body byte */
    bool paused;                              /* the client does not read */
    struct deadline deadline;
    struct task next; /* begins a streamed request, or tells our own answer */
    struct task grave;
};

static struct transaction *self(struct exchange *x)
{
    struct transaction *t = container_of(x, struct transaction, base);
    MAGIC_CHECK(t, MAGIC);
    return t;
}

/* The one place where the state changes. */
static void enter(struct transaction *t, enum state to)
{
    static const char *const names[] = {
#define STATE(name, text) [STATE_##name] = text,
        STATES(STATE)
#undef STATE
    };
    bool again = t->state == STATE_AWAITING && to == STATE_WAITING;
    CHECK((to > t->state || again) && !(t->state == STATE_RELAYING && to == STATE_REPLYING));
    LOG(DEBUG, t->order.ingress->client, "request to %s: %s, now %s",
        t->pool ? pool_origin(t->pool)->name : "-", names[t->state], names[to]);
    t->state = to;
}

/* ----------------------------------------------------------------- deadlines */

static uint64_t after(const struct transaction *t, uint64_t ms)
{
    return ms ? loop_now(t->order.loop) + ms : UINT64_MAX;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* One that is set and comes sooner is left: when it comes, the next is set. */
static void set_deadline(struct transaction *t)
{
    uint64_t due = t->total_at;
    if (t->state == STATE_AWAITING)
        due = least(least(due, t->response_at), t->transfer_at);
    if (t->state == STATE_RELAYING) {
        uint64_t body = t->settings->body_timeout;
        due = t->paused || !body ? UINT64_MAX : t->active_at + body;
        due = least(due, t->transfer_at);
    }
    if (!deadline_is_set(&t->deadline) || due < t->deadline.due)
        deadline_at(&t->deadline, due);
}

/* ----------------------------------------------------------------- its end */

static void bury(struct task *task)
{
    struct transaction *t = container_of(task, struct transaction, grave);
    text_free(&t->body);
    config_unref(t->order.config);
    t->magic = 0;
    free(t);
}

/* Nothing holds it any more but its own last words. */
static void let_go(struct transaction *t)
{
    deadline_stop(&t->deadline);
    task_forget(&t->next);
    if (t->state == STATE_WAITING)
        pool_forget(&t->waiter);
    if (t->try)
        exchange_cancel(t->try);
    t->try = NULL;
}

/* Its numbers are final: told to the log, and its place in the pool given up. */
static void conclude(struct transaction *t)
{
    const struct upstream_config *u = t->settings ? t->settings : &t->order.config->defaults;
    if (t->order.on_record)
        tally_tell(&t->tally, t->order.on_record, t->order.record_context, &u->credential_params,
                   t->pool ? t->route.path : t->order.request->target);
    if (t->pool)
        pool_leave(t->pool, &t->in_pool);
    t->pool = NULL;
}

static void be_over(struct transaction *t)
{
    enter(t, STATE_OVER);
    loop_defer(t->order.loop, &t->grave);
}

/* ---------------------------------------------------------- answers of our own */

static void tell_reply(struct transaction *t, const struct response *head, struct span body)
{
    static const struct fields none;
    t->base.events->on_head(t->base.owner, head);
    if (t->state == STATE_REPLYING && body.len)
        t->base.events->on_body(t->base.owner, body.at, body.len);
    if (t->state != STATE_REPLYING)
        return;
    be_over(t);
    t->base.events->on_end(t->base.owner, &none);
}

static void reply(struct transaction *t)
{
    const struct request *r = t->order.request;
    const char *name = NULL, *next_hop = NULL;
    struct span body;
    if (t->pool) {
        name = arena_span(r->arena, span_of(pool_origin(t->pool)->name)).at;
        next_hop = arena_span(r->arena, span_of(pool_origin(t->pool)->next_hop)).at;
    }
    struct response *head = reply_error(r->arena, r, &t->failure, name, next_hop, &body);
    t->tally.record.bytes = body.len;
    tally_fail(&t->tally, &t->failure, false);
    conclude(t);
    tell_reply(t, head, body);
}

/* Answers with an error; called from events, never from within the asker's call. */
static void refuse(struct transaction *t, const struct verdict *why)
{
    t->failure = *why;
    let_go(t);
    enter(t, STATE_REPLYING);
    reply(t);
}

/* After the head has gone out a failure can only close short. */
static void break_off(struct transaction *t, const struct verdict *why)
{
    let_go(t);
    tally_fail(&t->tally, why, true);
    conclude(t);
    be_over(t);
    t->base.events->on_failed(t->base.owner, why);
}

static struct verdict too_late(const struct transaction *t)
{
    char limit[DURATION_TEXT_SIZE];
    uint64_t now = loop_now(t->order.loop);
    enum sent sent = t->try ? conn_exchange_sent(t->try) : SENT_NO;
    if (t->state == STATE_GATHERING) {
        struct verdict v = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO,
                                        "the request's body did not come within total_timeout");
        v.status = 408;
        return v;
    }
    if (t->state == STATE_RELAYING) {
        bool whole = now >= t->transfer_at;
        duration_text(limit, whole ? t->settings->transfer_timeout : t->settings->body_timeout);
        return verdict_make(FAILURE_CONNECTION_READ_TIMEOUT, sent,
                            whole ? "not transferred within %s" : "no byte of the body within %s",
                            limit);
    }
    duration_text(limit, now < t->total_at ? t->settings->response_timeout : t->total_ms);
    return verdict_make(FAILURE_HTTP_RESPONSE_TIMEOUT, sent, "no response head within %s", limit);
}

/* Has the time of its present state run out? A body clock stands still while the
 * client does not read; the response clock begins with the last byte sent. */
static bool is_late(struct transaction *t)
{
    uint64_t now = loop_now(t->order.loop), body = t->settings->body_timeout;
    if (now >= t->transfer_at)
        return true;
    if (t->state == STATE_RELAYING)
        return body && !t->paused && now >= t->active_at + body;
    if (now >= t->total_at)
        return true;
    if (t->state != STATE_AWAITING || now < t->response_at)
        return false;
    if (conn_exchange_sent(t->try) == SENT_YES)
        return true;
    t->response_at = after(t, t->settings->response_timeout);
    return false;
}

static void on_deadline(struct deadline *d)
{
    struct transaction *t = container_of(d, struct transaction, deadline);
    MAGIC_CHECK(t, MAGIC);
    if (!is_late(t)) {
        set_deadline(t);
        return;
    }
    struct verdict why = too_late(t);
    if (t->state == STATE_RELAYING)
        break_off(t, &why);
    else
        refuse(t, &why);
}

/* ------------------------------------------------------------------ one try */

static void acquire(struct transaction *t);

static struct response relayed(struct transaction *t, const struct response *from)
{
    const struct record *r = &t->tally.record;
    struct relay_times times = {r->queue_us, r->dns_us, r->connect_us, r->tls_us, r->ttfb_us};
    return relay_response(&t->relay, from, &times);
}

static void on_interim(void *owner, const struct response *from)
{
    struct transaction *t = owner;
    MAGIC_CHECK(t, MAGIC);
    tally_interim(&t->tally);
    struct response to = relayed(t, from);
    t->base.events->on_interim(t->base.owner, &to);
}

static void on_head(void *owner, const struct response *from)
{
    struct transaction *t = owner;
    MAGIC_CHECK(t, MAGIC);
    tally_head(&t->tally, from->status);
    enter(t, STATE_RELAYING);
    t->active_at = loop_now(t->order.loop);
    set_deadline(t);
    struct response to = relayed(t, from);
    t->base.events->on_head(t->base.owner, &to);
}

static void on_body(void *owner, const char *data, size_t len)
{
    struct transaction *t = owner;
    MAGIC_CHECK(t, MAGIC);
    t->active_at = loop_now(t->order.loop);
    t->tally.record.bytes += len;
    t->base.events->on_body(t->base.owner, data, len);
}

static void on_end(void *owner, const struct fields *trailers)
{
    struct transaction *t = owner;
    MAGIC_CHECK(t, MAGIC);
    t->try = NULL;
    struct fields to = relay_trailers(t->order.request->arena, trailers);
    let_go(t);
    tally_succeed(&t->tally);
    conclude(t);
    be_over(t);
    t->base.events->on_end(t->base.owner, &to);
}

/* The never-twice rule (SPEC 4): (a) nothing left, or (c) a harmless request on
 * a reused line that ended without a byte of an answer. */
static bool may_try_again(const struct transaction *t, const struct verdict *v)
{
    uint64_t now = loop_now(t->order.loop);
    if (!t->replayable || t->tries > t->settings->retries || now >= t->total_at ||
        now >= t->order_at)
        return false;
    if (v->sent == SENT_NO)
        return true;
    return t->order.request->is_safe && t->reused && !v->answered &&
           v->error == FAILURE_CONNECTION_TERMINATED &&
           (!t->relay.is_private || t->settings->retry_private);
}

static void on_failed(void *owner, const struct verdict *v)
{
    struct transaction *t = owner;
    MAGIC_CHECK(t, MAGIC);
    t->try = NULL;
    if (t->state == STATE_RELAYING) {
        break_off(t, v);
    } else if (may_try_again(t, v)) {
        tally_retried(&t->tally);
        acquire(t);
    } else {
        refuse(t, v);
    }
}

static void on_drain(void *owner)
{
    struct transaction *t = owner;
    MAGIC_CHECK(t, MAGIC);
    t->blocked = false;
    t->base.events->on_drain(t->base.owner);
}

static void finish_try(struct transaction *t)
{
    exchange_finish(t->try, &t->trailers);
    t->response_at = after(t, t->settings->response_timeout);
    set_deadline(t);
}

/* What was gathered goes out with the head; then the client may send on. */
static void send_gathered(struct transaction *t)
{
    bool more = t->body.len == 0 || exchange_body(t->try, t->body.at, t->body.len);
    if (t->body.len > REPLAY_MAX) {
        t->replayable = false;
        text_free(&t->body);
    }
    if (t->complete) {
        finish_try(t);
    } else if (t->blocked && more) {
        t->blocked = false;
        t->base.events->on_drain(t->base.owner);
    }
}

static void try_on(struct transaction *t, struct line *line)
{
    static const struct exchange_events events = {on_interim, on_head,   on_body,
                                                  on_end,     on_failed, on_drain};
    const struct request *r = t->order.request;
    struct line_facts facts;
    line_describe(line, &facts);
    tally_lent(&t->tally, &facts);
    struct conn_request q = {
        .method = r->method,
        .target = t->route.path,
        .authority = span_of(pool_origin(t->pool)->authority),
        .fields = relay_request(&t->relay),
        .framing = r->framing,
        .length = r->length,
        .is_head = r->is_head,
        .expects_continue = r->expects_continue,
        .header_limit = t->order.config->max_header_size,
    };
    t->reused = facts.reused;
    t->tries++;
    t->response_at = UINT64_MAX;
    enter(t, STATE_AWAITING);
    t->try = line_open(line, &q, &events, t);
    if (!t->complete)
        set_deadline(t);
    send_gathered(t);
}

/* ------------------------------------------------------------------ a line */

static void on_line(void *owner, struct line *line)
{
    struct transaction *t = owner;
    MAGIC_CHECK(t, MAGIC);
    try_on(t, line);
}

static void on_refused(void *owner, const struct verdict *why)
{
    struct transaction *t = owner;
    MAGIC_CHECK(t, MAGIC);
    refuse(t, why);
}

static void acquire(struct transaction *t)
{
    enter(t, STATE_WAITING);
    deadline_stop(&t->deadline);
    tally_waits(&t->tally);
    t->waiter.is_order = t->order.request->is_order || t->relay.is_private;
    t->waiter.owner = t;
    t->waiter.on_line = on_line;
    t->waiter.on_refused = on_refused;
    if (t->order.request->is_order && t->order_at == UINT64_MAX)
        t->order_at = after(t, t->settings->order_wait);
    uint64_t until = least(least(t->total_at, t->order_at), t->transfer_at);
    struct line *line = pool_acquire(t->pool, &t->waiter, until);
    if (line)
        try_on(t, line);
}

/* ----------------------------------------------------- asked by the client side */

/* A small body is gathered before a line is asked for: a client that is slow
 * with it, or leaves within it, then costs nobody a line and leaves no doubt. */
static bool gathers(const struct request *r)
{
    return r->framing == FRAMING_NONE ||
           (r->framing == FRAMING_LENGTH && r->length <= REPLAY_MAX && !r->expects_continue);
}

static bool body(struct exchange *x, const char *data, size_t len)
{
    struct transaction *t = self(x);
    if (t->state > STATE_RELAYING)
        return true;
    if (t->replayable)
        text_add(&t->body, (struct span){data, len});
    if (t->try == NULL) {
        t->blocked = t->body.len >= REPLAY_MAX && !gathers(t->order.request);
        return !t->blocked;
    }
    if (t->body.len > REPLAY_MAX) {
        t->replayable = false;
        text_free(&t->body);
    }
    t->blocked = !exchange_body(t->try, data, len);
    return !t->blocked;
}

static void finish(struct exchange *x, const struct fields *trailers)
{
    struct transaction *t = self(x);
    if (t->state > STATE_RELAYING)
        return;
    t->complete = true;
    t->trailers = relay_trailers(t->order.request->arena, trailers);
    if (t->try)
        finish_try(t);
    else if (t->state == STATE_GATHERING && t->failure.error == FAILURE_NONE) {
        task_forget(&t->next);
        acquire(t);
    }
}

static void hold(struct exchange *x)
{
    struct transaction *t = self(x);
    t->paused = true;
    if (t->try)
        exchange_pause(t->try);
    if (t->state == STATE_RELAYING)
        set_deadline(t);
}

static void unhold(struct exchange *x)
{
    struct transaction *t = self(x);
    t->paused = false;
    t->active_at = loop_now(t->order.loop);
    if (t->try)
        exchange_resume(t->try);
    if (t->state == STATE_RELAYING)
        set_deadline(t);
}

static void cancel(struct exchange *x)
{
    struct transaction *t = self(x);
    CHECK(t->state != STATE_OVER);
    enum sent sent = t->try ? conn_exchange_sent(t->try) : SENT_NO;
    bool concluded = t->tally.ended;
    let_go(t);
    if (!concluded) {
        tally_leave(&t->tally, sent);
        conclude(t);
    }
    be_over(t);
}

/* Told outside the asker's call, with what was sent of it by now. */
static void spoil(struct exchange *x, const struct verdict *why)
{
    struct transaction *t = self(x);
    if (t->state > STATE_RELAYING || t->failure.error != FAILURE_NONE)
        return;
    t->failure = *why;
    t->failure.sent = t->try ? conn_exchange_sent(t->try) : SENT_NO;
    let_go(t);
    loop_defer(t->order.loop, &t->next);
}

/* ------------------------------------------------------------------- opening */

/* Our own answer or failure, or the beginning of a request whose body streams: both after
 * the turn in which it was opened. */
static void go_on(struct task *task)
{
    struct transaction *t = container_of(task, struct transaction, next);
    MAGIC_CHECK(t, MAGIC);
    if (t->failure.error == FAILURE_NONE) {
        acquire(t);
    } else if (t->state == STATE_RELAYING) {
        break_off(t, &t->failure);
    } else {
        enter(t, STATE_REPLYING);
        reply(t);
    }
}

/* Trunkline-Timeout shortens total_timeout, never lengthens it. */
static bool set_limits(struct transaction *t)
{
    uint64_t asked;
    if (!relay_timeout(t->order.request, &asked, &t->failure))
        return false;
    t->total_ms = t->settings->total_timeout;
    if (asked && (!t->total_ms || asked < t->total_ms))
        t->total_ms = asked;
    t->total_at = after(t, t->total_ms);
    t->transfer_at = after(t, t->settings->transfer_timeout);
    return true;
}

static void find_pool(struct transaction *t)
{
    const struct transaction_order *o = &t->order;
    t->settings = t->route.listed ? t->route.listed : &o->config->defaults;
    t->relay = (struct relay){o->config, t->settings, o->ingress, o->request, &t->route, false};
    t->relay.is_private = request_is_private(t->settings, &o->request->fields, t->route.path);
    t->pool = pools_find(o->pools, t->route.listed, &t->route.origin);
    if (t->pool == NULL) {
        t->failure = verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO,
                                  "too many hosts without an upstream block are in use");
        return;
    }
    pool_enter(t->pool, &t->in_pool);
    tally_upstream(&t->tally, pool_stats(t->pool), pool_origin(t->pool)->name);
    if (o->refusal == NULL && set_limits(t) && o->request->framing != FRAMING_NONE)
        set_deadline(t);
}

struct exchange *transaction_open(const struct transaction_order *o,
                                  const struct exchange_events *events, void *owner)
{
    static const struct exchange_ops ops = {body, finish, hold, unhold, cancel, spoil};
    struct transaction *t = NEW(struct transaction);
    t->base = (struct exchange){&ops, events, owner};
    t->magic = MAGIC;
    t->order = *o;
    config_ref(o->config);
    t->replayable = true;
    t->total_at = t->order_at = t->transfer_at = t->response_at = UINT64_MAX;
    deadline_init(&t->deadline, o->loop, on_deadline);
    task_init(&t->next, go_on);
    task_init(&t->grave, bury);
    tally_begin(&t->tally, o->totals, o->request, o->ingress->client);
    if (o->refusal)
        t->failure = *o->refusal;
    if (o->route) {
        t->route = *o->route;
        if (t->route.kind == ROUTE_UPSTREAM && (o->refusal == NULL || t->route.listed))
            find_pool(t);
    }
    if (t->failure.error != FAILURE_NONE || !gathers(o->request))
        loop_defer(o->loop, &t->next);
    return &t->base;
}
