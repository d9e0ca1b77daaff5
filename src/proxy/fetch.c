#include "proxy/fetch.h"

#include "base/duration.h"
#include "base/log.h"
#include "base/text.h"
#include "proxy/limit.h"
#include "proxy/peek.h"
#include "proxy/tunnel.h"
#include "upstream/dedicated.h"

#define MAGIC 0x66657463
#define REPLAY_MAX (64 * 1024)
#define UNHEARD_MAX (1024 * 1024) /* of an answer that nobody hears */
#define DRAINED_MS 2000           /* the longest that a line is kept for such an answer, */
#define DRAINED_STEP_MS 500       /* or so long where others wait for one */

#define STATES(X)                                                                                  \
    X(GATHERING, "gathering")                                                                      \
    X(QUEUEING, "queueing")                                                                        \
    X(GATED, "gated")                                                                              \
    X(WAITING, "waiting")                                                                          \
    X(AWAITING, "awaiting")                                                                        \
    X(RECEIVING, "receiving")                                                                      \
    X(OVER, "over")

enum state {
#define STATE(name, text) STATE_##name,
    STATES(STATE)
#undef STATE
};

struct fetch {
    struct exchange base;
    unsigned magic;
    enum state state;
    struct fetch_order order;
    bool reused; /* the line of the present try was */
    struct link in_pool;
    struct turn turn;
    struct gate_waiter gated;
    struct pool_waiter waiter;
    struct dedicated dedicated; /* for an upgrade, instead of a line of the pool */
    struct exchange *try;       /* on a line; NULL: none now */
    unsigned tries;

    struct text body; /* the request's so far, as long as it can be replayed */
    bool replayable, complete, blocked;
    struct fields trailers; /* of the request */

    uint64_t total_at, order_at, transfer_at; /* loop time, ms; UINT64_MAX: never */
    uint64_t response_at, active_at;          /* of the try: no head by then; last body byte */
    bool paused;                              /* the asker does not read */
    bool shares;                              /* the line of the present try does */
    bool followed;                            /* the asker is gone */
    size_t unheard;                           /* bytes of the answer since then */
    uint64_t drained_at;                      /* no order is followed for longer */
    struct peek peek;
    struct limit limit;
    struct deadline deadline;
    struct task start; /* of a request whose body streams */
    struct task grave;
};

static struct fetch *self(struct exchange *x)
{
    struct fetch *f = container_of(x, struct fetch, base);
    MAGIC_CHECK(f, MAGIC);
    return f;
}

/* What it waits for in this state is told of its way. */
static void follow(struct fetch *f)
{
    if (f->state == STATE_QUEUEING || f->state == STATE_GATED)
        trip_held(f->order.trip);
    else if (f->state == STATE_WAITING)
        trip_waits(f->order.trip);
    else if (f->state == STATE_OVER)
        trip_gave_up(f->order.trip, pool_paused_us(&f->waiter));
}

/* The one place where the state changes. */
static void enter(struct fetch *f, enum state to)
{
    static const char *const names[] = {
#define STATE(name, text) [STATE_##name] = text,
        STATES(STATE)
#undef STATE
    };
    enum state from = f->state;
    bool again = from == STATE_AWAITING && (to == STATE_GATED || to == STATE_WAITING);
    CHECK(to > from || again);
    LOG(DEBUG, pool_origin(f->order.pool)->name, "fetch: %s, now %s", names[from], names[to]);
    f->state = to;
    follow(f);
}

/* ----------------------------------------------------------------- deadlines */

static uint64_t after(const struct fetch *f, uint64_t ms)
{
    return ms ? loop_now(f->order.loop) + ms : UINT64_MAX;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t wait_until(const struct fetch *f)
{
    return least(least(f->total_at, f->order_at), f->transfer_at);
}

/* One that is set and comes sooner is left: when it comes, the next is set. */
static void set_deadline(struct fetch *f)
{
    uint64_t due = f->total_at;
    if (f->state == STATE_AWAITING)
        due = least(least(due, f->response_at), f->transfer_at);
    if (f->state == STATE_RECEIVING) {
        uint64_t body = f->order.settings->body_timeout;
        due = f->paused || !body ? UINT64_MAX : f->active_at + body;
        due = least(least(due, f->transfer_at), peek_holds(&f->peek) ? f->total_at : UINT64_MAX);
    }
    if (!deadline_is_set(&f->deadline) || due < f->deadline.due)
        deadline_at(&f->deadline, due);
}

/* -------------------------------------------------------------------- its end */

static void bury(struct task *task)
{
    struct fetch *f = container_of(task, struct fetch, grave);
    text_free(&f->body);
    peek_free(&f->peek);
    f->magic = 0;
    free(f);
}

static void on_seen(struct peek *p)
{
    limit_tell(&container_of(p, struct fetch, peek)->limit, p->ban_until_ms);
}

/* Gives back all it holds, in whatever state, and is over. */
static void let_go(struct fetch *f)
{
    deadline_stop(&f->deadline);
    task_forget(&f->start);
    limit_tell(&f->limit, 0);
    peek_stop(&f->peek);
    gate_forget(&f->gated);
    pool_forget(&f->waiter);
    turn_end(&f->turn);
    if (f->try)
        exchange_cancel(f->try);
    f->try = NULL;
    dedicated_close(&f->dedicated);
    enter(f, STATE_OVER);
    pool_release(f->order.pool, &f->in_pool);
    loop_defer(f->order.loop, &f->grave);
}

/* While a whole answer that was held is told, its line is given back already. */
static enum sent sent_now(const struct fetch *f)
{
    if (f->try)
        return exchange_sent(f->try);
    return f->state == STATE_RECEIVING ? SENT_YES : SENT_NO;
}

static enum sent sent(const struct exchange *x)
{
    const struct fetch *f = container_of(x, const struct fetch, base);
    MAGIC_CHECK(f, MAGIC);
    return sent_now(f);
}

/* Called from events, never from within the asker's call. */
static void fail(struct fetch *f, const struct verdict *why)
{
    struct verdict v = *why;
    let_go(f);
    f->base.events->on_failed(f->base.owner, &v);
}

static bool is_body_late(const struct fetch *f)
{
    uint64_t body = f->order.settings->body_timeout;
    return body && !f->paused && loop_now(f->order.loop) >= f->active_at + body;
}

/* The last of these is of an answer that is held until it is whole. */
static struct verdict body_too_late(const struct fetch *f, enum sent sent)
{
    char limit[DURATION_TEXT_SIZE];
    const struct upstream_config *u = f->order.settings;
    if (loop_now(f->order.loop) >= f->transfer_at)
        return verdict_make(FAILURE_CONNECTION_READ_TIMEOUT, sent, "not transferred within %s",
                            duration_text(limit, u->transfer_timeout));
    if (is_body_late(f))
        return verdict_make(FAILURE_CONNECTION_READ_TIMEOUT, sent, "no byte of the body within %s",
                            duration_text(limit, u->body_timeout));
    return verdict_make(FAILURE_HTTP_RESPONSE_TIMEOUT, sent, "the answer was not whole within %s",
                        duration_text(limit, f->order.total_ms));
}

static struct verdict too_late(const struct fetch *f)
{
    char limit[DURATION_TEXT_SIZE];
    const struct upstream_config *u = f->order.settings;
    uint64_t now = loop_now(f->order.loop);
    enum sent sent = sent_now(f);
    if (f->state == STATE_GATHERING) {
        struct verdict v = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO,
                                        "the request's body did not come within total_timeout");
        v.status = 408;
        return v;
    }
    if (f->state == STATE_RECEIVING)
        return body_too_late(f, sent);
    if (f->state == STATE_WAITING) {
        duration_text(limit, f->order.total_ms);
        return verdict_make(FAILURE_CONNECTION_TIMEOUT, SENT_NO, "no connection within %s", limit);
    }
    duration_text(limit, now >= f->transfer_at ? u->transfer_timeout
                         : now < f->total_at   ? u->response_timeout
                                               : f->order.total_ms);
    return verdict_make(FAILURE_HTTP_RESPONSE_TIMEOUT, sent, "no response head within %s", limit);
}

struct verdict fetch_late(const struct exchange *x, uint64_t total_ms)
{
    char limit[DURATION_TEXT_SIZE];
    const struct fetch *f = container_of(x, const struct fetch, base);
    MAGIC_CHECK(f, MAGIC);
    if (f->state == STATE_GATED)
        return gate_refusal(&f->gated);
    if (f->state == STATE_WAITING)
        return pool_refusal(&f->waiter);
    return verdict_make(FAILURE_HTTP_RESPONSE_TIMEOUT, sent_now(f), "no response head within %s",
                        duration_text(limit, total_ms));
}

/* Has the time of its present state run out? A body clock stands still while the
 * asker does not read; the response clock begins with the last byte sent. */
static bool is_late(struct fetch *f)
{
    uint64_t now = loop_now(f->order.loop);
    if (now >= f->transfer_at || (now >= f->total_at && peek_holds(&f->peek)))
        return true;
    if (f->state == STATE_RECEIVING)
        return is_body_late(f);
    if (now >= f->total_at)
        return true;
    if (f->state != STATE_AWAITING || now < f->response_at)
        return false;
    if (sent_now(f) == SENT_YES)
        return true;
    f->response_at = after(f, f->order.settings->response_timeout);
    return false;
}

/* The answer to no order, which nobody hears, may take a while as long as nobody needs
 * its line. */
static void drain_on(struct fetch *f)
{
    uint64_t now = loop_now(f->order.loop);
    if (f->drained_at > now && now >= f->transfer_at && pool_waiting(f->order.pool) == 0)
        f->transfer_at = least(now + DRAINED_STEP_MS, f->drained_at);
}

static void on_deadline(struct deadline *d)
{
    struct fetch *f = container_of(d, struct fetch, deadline);
    MAGIC_CHECK(f, MAGIC);
    drain_on(f);
    bool own = f->state == STATE_GATHERING || f->state >= STATE_AWAITING || f->dedicated.line;
    if (!own) /* who it waits for has its own deadline for it */
        return;
    if (is_late(f)) {
        struct verdict why = too_late(f);
        fail(f, &why);
    } else {
        set_deadline(f);
    }
}

/* ------------------------------------------------------------------ one try */

static void pass_gate(struct fetch *f);
static void acquire(struct fetch *f);

static void on_interim(void *owner, const struct response *r)
{
    struct fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    f->base.events->on_interim(f->base.owner, r);
}

/* The tunnel holds the pool before the fetch lets go of it. */
static void switch_over(struct fetch *f, const struct response *r)
{
    struct span ahead;
    struct stream *stream = line_surrender(f->dedicated.line, &ahead);
    f->try = NULL;
    struct switched to = {
        .tunnel = tunnel_new(f->order.loop, f->order.pool, TUNNEL_UPGRADE, stream, ahead)};
    let_go(f);
    f->base.events->on_switch(f->base.owner, r, &to);
}

static void on_head(void *owner, const struct response *r)
{
    struct fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    trip_answered(f->order.trip, pool_stats(f->order.pool));
    f->order.trip->weight += limit_learn(&f->limit, r);
    if (r->status == 101) {
        switch_over(f, r);
        return;
    }
    enter(f, STATE_RECEIVING);
    f->active_at = loop_now(f->order.loop);
    set_deadline(f);
    peek_head(&f->peek, r);
    if (peek_holds(&f->peek)) /* the asker has no head yet: its time runs on */
        set_deadline(f);
}

static void on_body(void *owner, const char *data, size_t len)
{
    struct fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    f->active_at = loop_now(f->order.loop);
    f->unheard += f->followed ? len : 0;
    if (f->unheard > UNHEARD_MAX) {
        struct verdict why = verdict_make(FAILURE_NONE, SENT_YES, "nobody hears the answer");
        fail(f, &why);
        return;
    }
    peek_body(&f->peek, data, len);
}

static void on_end(void *owner, const struct fields *trailers)
{
    struct fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    f->try = NULL;
    pool_stats(f->order.pool)->drained += f->followed;
    peek_flush(&f->peek);
    if (f->state == STATE_OVER)
        return;
    let_go(f);
    f->base.events->on_end(f->base.owner, trailers);
}

/* The never-twice rule (SPEC 4): (a) nothing left, or (c) a harmless request on
 * a reused line that ended without a byte of an answer. */
static bool may_try_again(const struct fetch *f, const struct verdict *v)
{
    const struct upstream_config *u = f->order.settings;
    if (f->followed || !f->replayable || f->tries > u->retries ||
        loop_now(f->order.loop) >= wait_until(f))
        return false;
    if (v->sent == SENT_NO)
        return true;
    return f->order.is_safe && f->reused && !v->answered &&
           v->error == FAILURE_CONNECTION_TERMINATED && (!f->order.is_private || u->retry_private);
}

static void on_failed(void *owner, const struct verdict *v)
{
    struct fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    f->try = NULL;
    if (f->state == STATE_RECEIVING || !may_try_again(f, v)) {
        struct verdict why = *v;
        if (f->state == STATE_RECEIVING && why.error == FAILURE_CONNECTION_TERMINATED)
            why.error = FAILURE_HTTP_RESPONSE_INCOMPLETE; /* whoever is told, its head had come */
        fail(f, &why);
        return;
    }
    pool_stats(f->order.pool)->retried++;
    if (v->sent == SENT_NO)
        acquire(f);
    else
        pass_gate(f);
}

static void on_drain(void *owner)
{
    struct fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    f->blocked = false;
    f->base.events->on_drain(f->base.owner);
}

static void finish_try(struct fetch *f)
{
    exchange_finish(f->try, &f->trailers);
    f->response_at = after(f, f->order.settings->response_timeout);
    set_deadline(f);
}

/* What is longer is not kept for another try. */
static void keep_replayable(struct fetch *f)
{
    if (f->body.len <= REPLAY_MAX)
        return;
    f->replayable = false;
    text_free(&f->body);
}

/* What was gathered goes out with the head; then the asker may send on. */
static void send_gathered(struct fetch *f)
{
    bool more = f->body.len == 0 || exchange_body(f->try, f->body.at, f->body.len);
    keep_replayable(f);
    if (f->complete) {
        finish_try(f);
    } else if (f->blocked && more) {
        f->blocked = false;
        f->base.events->on_drain(f->base.owner);
    }
}

static void try_on(struct fetch *f, struct line *line)
{
    static const struct exchange_events events = {.on_interim = on_interim,
                                                  .on_head = on_head,
                                                  .on_body = on_body,
                                                  .on_end = on_end,
                                                  .on_failed = on_failed,
                                                  .on_drain = on_drain};
    struct line_facts facts;
    line_describe(line, &facts);
    trip_lent(f->order.trip, pool_stats(f->order.pool), &facts, pool_paused_us(&f->waiter));
    f->reused = facts.reused;
    f->shares = line_shares(line);
    f->tries++;
    f->response_at = UINT64_MAX;
    enter(f, STATE_AWAITING);
    f->order.request.authority = span_of(pool_origin(f->order.pool)->authority);
    f->try = line_open(line, &f->order.request, &events, f);
    if (!f->complete)
        set_deadline(f);
    send_gathered(f);
}

/* --------------------------------------------------- its turn, the gate, a line */

static void on_line(void *owner, struct line *line)
{
    struct fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    try_on(f, line);
}

static void on_refused(void *owner, const struct verdict *why)
{
    struct fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    fail(f, why);
}

static void acquire(struct fetch *f)
{
    enter(f, STATE_WAITING);
    if (f->order.request.upgrades) {
        f->dedicated.owner = f;
        f->dedicated.on_line = on_line;
        f->dedicated.on_failed = on_refused;
        dedicated_open(&f->dedicated, f->order.loop, f->order.pool);
        set_deadline(f);
        return;
    }
    f->waiter.is_order = f->order.is_order || f->order.is_private;
    f->waiter.rides_alone = f->order.is_order;
    f->waiter.yields = f->order.yields;
    f->waiter.owner = f;
    f->waiter.on_line = on_line;
    f->waiter.on_refused = on_refused;
    struct line *line = pool_acquire(f->order.pool, &f->waiter, wait_until(f));
    if (line)
        try_on(f, line);
}

/* It is its turn, or the gate lets it pass. */
static void on_pass(void *owner)
{
    struct fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    (f->state == STATE_QUEUEING ? pass_gate : acquire)(f);
}

static void pass_gate(struct fetch *f)
{
    enter(f, STATE_GATED);
    f->gated.is_order = f->order.is_order;
    f->gated.is_private = f->order.is_private;
    f->gated.credential = f->order.credential;
    f->gated.yields = f->order.yields;
    f->gated.owner = f;
    f->gated.on_pass = on_pass;
    f->gated.on_refused = on_refused;
    if (gate_pass(pool_gate(f->order.pool), &f->gated, wait_until(f)))
        acquire(f);
}

static void take_turn(struct fetch *f)
{
    enter(f, STATE_QUEUEING);
    if (f->order.is_order)
        f->order_at = after(f, f->order.settings->order_wait);
    f->turn = (struct turn){.owner = f, .on_turn = on_pass, .on_refused = on_refused};
    uint64_t until = least(wait_until(f), after(f, f->order.settings->serialize_timeout));
    if (f->order.turn.len == 0 ||
        turn_take(pool_turns(f->order.pool), &f->turn, f->order.turn, until))
        pass_gate(f);
}

/* ------------------------------------------------------------- asked by its owner */

/* A small body is gathered before anything is waited for: a client that is slow
 * with it, or leaves within it, then costs nobody a line and leaves no doubt. */
static bool gathers(const struct conn_request *r)
{
    return r->framing == FRAMING_NONE ||
           (r->framing == FRAMING_LENGTH && r->length <= REPLAY_MAX && !r->expects_continue);
}

static void on_start(struct task *task)
{
    struct fetch *f = container_of(task, struct fetch, start);
    MAGIC_CHECK(f, MAGIC);
    take_turn(f);
}

static bool body(struct exchange *x, const char *data, size_t len)
{
    struct fetch *f = self(x);
    if (f->replayable)
        text_add(&f->body, (struct span){data, len});
    if (f->try == NULL) {
        f->blocked = f->body.len >= REPLAY_MAX && !gathers(&f->order.request);
        return !f->blocked;
    }
    keep_replayable(f);
    f->blocked = !exchange_body(f->try, data, len);
    return !f->blocked;
}

static void finish(struct exchange *x, const struct fields *trailers)
{
    struct fetch *f = self(x);
    f->complete = true;
    f->trailers = *trailers;
    if (f->try) {
        finish_try(f);
    } else if (f->state == STATE_GATHERING) {
        task_forget(&f->start);
        take_turn(f);
    }
}

static void hold(struct exchange *x)
{
    struct fetch *f = self(x);
    f->paused = true;
    if (f->try)
        exchange_pause(f->try);
}

static void unhold(struct exchange *x)
{
    struct fetch *f = self(x);
    f->paused = false;
    f->active_at = loop_now(f->order.loop);
    if (f->try)
        exchange_resume(f->try);
    if (f->state == STATE_RECEIVING)
        set_deadline(f);
}

static void cancel(struct exchange *x)
{
    let_go(self(x));
}

/* An answer to an order is read as long as the origin may take; any other for a while. */
static void bound_followed(struct fetch *f)
{
    uint64_t now = loop_now(f->order.loop);
    f->total_at = UINT64_MAX;
    if (f->order.is_order)
        return;
    f->drained_at = now + DRAINED_MS;
    f->transfer_at = now + DRAINED_STEP_MS;
}

/* A stream that is cancelled costs no line, an exchange on one of its own does. */
bool fetch_follow(struct exchange *x, const struct exchange_events *events, void *owner)
{
    struct fetch *f = self(x);
    bool is_sent = f->try && f->complete && exchange_sent(f->try) == SENT_YES;
    if (!is_sent || f->order.request.upgrades || (f->shares && !f->order.is_order))
        return false;
    f->followed = true;
    f->base.events = f->peek.events = events;
    f->base.owner = f->peek.owner = owner;
    if (f->paused)
        unhold(x);
    bound_followed(f);
    set_deadline(f);
    return true;
}

void fetch_extend(struct exchange *x, uint64_t until_ms)
{
    struct fetch *f = self(x);
    f->total_at = until_ms;
    set_deadline(f);
}

struct exchange *fetch_open(const struct fetch_order *o, const struct exchange_events *events,
                            void *owner)
{
    static const struct exchange_ops ops = {.body = body,
                                            .finish = finish,
                                            .pause = hold,
                                            .resume = unhold,
                                            .cancel = cancel,
                                            .sent = sent};
    struct fetch *f = NEW(struct fetch);
    f->base = (struct exchange){&ops, events, owner};
    f->magic = MAGIC;
    f->order = *o;
    f->replayable = true;
    f->order_at = f->response_at = UINT64_MAX;
    f->total_at = after(f, o->total_ms);
    f->transfer_at = after(f, o->settings->transfer_timeout);
    limit_init(&f->limit, pool_gate(o->pool), o->settings, o->request.target,
               &(struct gate_limit){
                   .is_private = o->is_private, .credential = o->credential, .bot = o->bot});
    peek_init(&f->peek, &(struct peek_order){o->settings, o->is_order, on_seen}, o->trip, events,
              owner);
    deadline_init(&f->deadline, o->loop, on_deadline);
    task_init(&f->start, on_start);
    task_init(&f->grave, bury);
    pool_hold(o->pool, &f->in_pool);
    if (o->request.framing != FRAMING_NONE)
        set_deadline(f);
    if (!gathers(&o->request))
        loop_defer(o->loop, &f->start);
    return &f->base;
}
