#include "proxy/fetch.h"

#include "base/log.h"
#include "base/text.h"
#include "cache/peek.h"
#include "proxy/clocks.h"
#include "proxy/delivery.h"
#include "proxy/limit.h"
#include "proxy/tunnel.h"
#include "proxy/upload.h"
#include "upstream/dedicated.h"

#define MAGIC 0x66657463
#define UNHEARD_MAX (1024 * 1024) /* of an answer that nobody hears */

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
    struct serializer_entry turn;
    struct gate_waiter gated;
    struct pool_waiter waiter;
    struct dedicated dedicated; /* for an upgrade, instead of a line of the pool */
    struct exchange *try;       /* on a line; NULL: none now */
    unsigned tries;
    bool elsewhere; /* a 421 has come: once more, on a line that carried nothing before */
    struct delivery delivery;

    struct upload upload;

    struct clocks clocks;
    bool shares;    /* the line of the present try does */
    bool followed;  /* the asker is gone */
    size_t unheard; /* bytes of the answer since then */
    struct peek peek;
    struct limit limit;
    struct deadline deadline;
    struct task start; /* invites the body; later, of a body that streams, goes on */
    struct task free_later;
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
        timing_held(f->order.timing);
    else if (f->state == STATE_WAITING)
        timing_waits(f->order.timing);
    else if (f->state == STATE_OVER)
        timing_gave_up(f->order.timing, pool_paused_us(&f->waiter));
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

static enum clocks_phase phase(const struct fetch *f)
{
    switch (f->state) {
    case STATE_GATHERING: return CLOCKS_GATHERING;
    case STATE_WAITING: return CLOCKS_WAITING;
    case STATE_AWAITING: return CLOCKS_AWAITING;
    case STATE_RECEIVING: return peek_holds(&f->peek) ? CLOCKS_HOLDING : CLOCKS_RECEIVING;
    default: return CLOCKS_QUEUEING;
    }
}

/* One that is set and comes sooner is left: when it comes, the next is set. */
static void set_deadline(struct fetch *f)
{
    uint64_t due = clocks_due(&f->clocks, phase(f));
    if (!deadline_is_set(&f->deadline) || due < f->deadline.due)
        deadline_at(&f->deadline, due);
}

/* -------------------------------------------------------------------- its end */

static void free_now(struct task *task)
{
    struct fetch *f = container_of(task, struct fetch, free_later);
    upload_free(&f->upload);
    peek_free(&f->peek);
    f->magic = 0;
    free(f);
}

static void on_seen(struct peek *p)
{
    limit_tell(&container_of(p, struct fetch, peek)->limit, p->ban_until_ms);
}

/* Gives back all it holds, in whatever state, and is over. `late`: its time is up. */
static void let_go(struct fetch *f, bool late)
{
    deadline_stop(&f->deadline);
    task_forget(&f->start);
    limit_tell(&f->limit, 0);
    peek_stop(&f->peek);
    gate_forget(&f->gated);
    pool_forget(&f->waiter);
    serializer_leave(&f->turn);
    delivery_give_up(&f->delivery, &f->try, late);
    dedicated_close(&f->dedicated);
    enter(f, STATE_OVER);
    pool_release(f->order.pool, &f->in_pool);
    loop_defer(f->order.loop, &f->free_later);
}

static enum sent sent_now(const struct fetch *f)
{
    return delivery_sent(&f->delivery, f->try);
}

static enum sent sent(const struct exchange *x)
{
    const struct fetch *f = container_of(x, const struct fetch, base);
    MAGIC_CHECK(f, MAGIC);
    return sent_now(f);
}

/* Called from events, never from within the asker's call. Whatever went wrong last:
 * `sent` is of all tries. */
static void fail(struct fetch *f, const struct verdict *why, bool late)
{
    struct verdict v = *why;
    v.sent = sent_now(f);
    let_go(f, late);
    f->base.events->on_failed(f->base.owner, &v);
}

struct verdict fetch_late(const struct exchange *x, uint64_t total_ms)
{
    const struct fetch *f = container_of(x, const struct fetch, base);
    MAGIC_CHECK(f, MAGIC);
    struct verdict v = f->state == STATE_GATED     ? gate_refusal(&f->gated)
                       : f->state == STATE_WAITING ? pool_refusal(&f->waiter)
                                                   : clocks_late(total_ms);
    v.sent = sent_now(f);
    return v;
}

static void on_deadline(struct deadline *d)
{
    struct fetch *f = container_of(d, struct fetch, deadline);
    MAGIC_CHECK(f, MAGIC);
    if (pool_waiting(f->order.pool) == 0)
        clocks_drain_on(&f->clocks);
    bool own = f->state == STATE_GATHERING || f->state >= STATE_AWAITING || f->dedicated.line;
    if (!own) /* who it waits for has its own deadline for it */
        return;
    bool is_sent = f->state == STATE_AWAITING && exchange_sent(f->try) == SENT_YES;
    if (clocks_are_up(&f->clocks, phase(f), is_sent)) {
        struct verdict why = clocks_verdict(&f->clocks, phase(f));
        fail(f, &why, true);
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
    let_go(f, false);
    f->base.events->on_switch(f->base.owner, r, &to);
}

/* Is there anything left to send it with? */
static bool may_replay(const struct fetch *f)
{
    return !f->followed && f->upload.replayable && f->tries <= f->order.settings->retries &&
           loop_now(f->order.loop) < clocks_wait_until(&f->clocks);
}

/* RFC 9110 15.5.20: misdirected, so not acted on, whatever its method. What a line that
 * was opened for it says to it is the answer. */
static void go_elsewhere(struct fetch *f)
{
    f->elsewhere = true;
    delivery_give_up(&f->delivery, &f->try, false);
    dedicated_close(&f->dedicated);
    pass_gate(f);
}

static void on_head(void *owner, const struct response *r)
{
    struct fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    f->order.timing->weight += limit_learn(&f->limit, r);
    delivery_answered(&f->delivery);
    if (r->status == 421 && !f->elsewhere && may_replay(f)) {
        go_elsewhere(f);
        return;
    }
    timing_answered(f->order.timing, pool_stats(f->order.pool));
    if (r->status == 101) {
        switch_over(f, r);
        return;
    }
    enter(f, STATE_RECEIVING);
    clocks_active(&f->clocks);
    set_deadline(f);
    peek_head(&f->peek, r);
    if (peek_holds(&f->peek)) /* the asker has no head yet: its time runs on */
        set_deadline(f);
}

static void on_body(void *owner, const char *data, size_t len)
{
    struct fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    clocks_active(&f->clocks);
    f->unheard += f->followed ? len : 0;
    if (f->unheard > UNHEARD_MAX) {
        struct verdict why = verdict_make(FAILURE_NONE, SENT_YES, "nobody hears the answer");
        fail(f, &why, false);
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
    delivery_end_try(&f->delivery, SENT_YES, false);
    peek_flush(&f->peek);
    if (f->state == STATE_OVER)
        return;
    let_go(f, false);
    f->base.events->on_end(f->base.owner, trailers);
}

static bool may_go_again(const struct fetch *f, const struct verdict *v)
{
    const struct fetch_order *o = &f->order;
    bool is_harmless = o->is_safe && f->reused && (!o->is_private || o->settings->retry_private);
    return may_replay(f) && delivery_may_repeat(v, is_harmless);
}

static void on_failed(void *owner, const struct verdict *v)
{
    struct fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    f->try = NULL;
    delivery_end_try(&f->delivery, v->sent, v->undone);
    if (f->state == STATE_RECEIVING || !may_go_again(f, v)) {
        struct verdict why = *v;
        if (f->state == STATE_RECEIVING && why.error == FAILURE_CONNECTION_TERMINATED)
            why.error = FAILURE_HTTP_RESPONSE_INCOMPLETE; /* whoever is told, its head had come */
        fail(f, &why, false);
        return;
    }
    if (v->sent == SENT_NO || v->undone)
        acquire(f);
    else
        pass_gate(f);
}

static void on_drain(void *owner)
{
    struct fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    f->upload.blocked = false;
    f->base.events->on_drain(f->base.owner);
}

static void finish_try(struct fetch *f)
{
    exchange_finish(f->try, &f->upload.trailers);
    clocks_sent(&f->clocks);
    set_deadline(f);
}

/* What was gathered goes out with the head; then the asker may send on. */
static void send_gathered(struct fetch *f)
{
    bool goes_on = upload_begin(&f->upload, f->try);
    if (f->upload.complete)
        finish_try(f);
    else if (goes_on)
        f->base.events->on_drain(f->base.owner);
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
    timing_lent(f->order.timing, pool_stats(f->order.pool), &facts, pool_paused_us(&f->waiter));
    f->reused = facts.reused;
    f->shares = line_shares(line);
    f->tries++;
    clocks_try(&f->clocks);
    enter(f, STATE_AWAITING);
    f->order.request.authority = span_of(pool_origin(f->order.pool)->authority);
    f->try = line_open(line, &f->order.request, &events, f);
    if (f->clocks.paused) /* since an earlier try, or its own waiting */
        exchange_pause(f->try);
    if (!f->upload.complete)
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
    fail(f, why, false);
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
    f->waiter.wants_new = f->elsewhere;
    f->waiter.owner = f;
    f->waiter.on_line = on_line;
    f->waiter.on_refused = on_refused;
    struct line *line = pool_acquire(f->order.pool, &f->waiter, clocks_wait_until(&f->clocks));
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
    if (gate_pass(pool_gate(f->order.pool), &f->gated, clocks_wait_until(&f->clocks)))
        acquire(f);
}

static void take_turn(struct fetch *f)
{
    enter(f, STATE_QUEUEING);
    if (f->order.is_order)
        clocks_is_order(&f->clocks);
    f->turn =
        (struct serializer_entry){.owner = f, .on_admitted = on_pass, .on_refused = on_refused};
    uint64_t until = clocks_turn_until(&f->clocks);
    if (f->order.turn.len == 0 ||
        serializer_enter(pool_serializer(f->order.pool), &f->turn, f->order.turn, until))
        pass_gate(f);
}

/* ------------------------------------------------------------- asked by its owner */

/* A body is gathered before anything is waited for: one that is slow or never comes then costs nobody a line, and a client that leaves within it
 * leaves no doubt. Nobody else can invite a client that waits for a 100 (Continue). */
static void on_start(struct task *task)
{
    static const struct response invitation = {
        .status = 100, .reason = SPAN("Continue"), .minor = 1};
    struct fetch *f = container_of(task, struct fetch, start);
    MAGIC_CHECK(f, MAGIC);
    if (upload_is_gathered(&f->upload))
        take_turn(f);
    else
        f->base.events->on_interim(f->base.owner, &invitation);
}

static bool body(struct exchange *x, const char *data, size_t len)
{
    struct fetch *f = self(x);
    if (f->try)
        return upload_pass(&f->upload, f->try, data, len);
    bool more = upload_gather(&f->upload, data, len);
    if (!more && f->state == STATE_GATHERING)
        loop_defer(f->order.loop, &f->start);
    return more;
}

static void finish(struct exchange *x, const struct fields *trailers)
{
    struct fetch *f = self(x);
    f->upload.complete = true;
    f->upload.trailers = *trailers;
    if (f->try) {
        finish_try(f);
    } else if (f->state == STATE_GATHERING) {
        task_forget(&f->start);
        take_turn(f);
    }
}

static void pause_reading(struct exchange *x)
{
    struct fetch *f = self(x);
    f->clocks.paused = true;
    if (f->try)
        exchange_pause(f->try);
}

static void resume_reading(struct exchange *x)
{
    struct fetch *f = self(x);
    f->clocks.paused = false;
    clocks_active(&f->clocks);
    if (f->try)
        exchange_resume(f->try);
    if (f->state == STATE_RECEIVING)
        set_deadline(f);
}

/* A line of its own (for an upgrade) is nobody else's to have. */
static uint64_t patience(const struct exchange *x)
{
    const struct fetch *f = container_of(x, const struct fetch, base);
    bool holds = f->clocks.paused && f->try && !f->order.request.upgrades;
    return holds ? pool_patience(f->order.pool) : UINT64_MAX;
}

static void cancel(struct exchange *x)
{
    if (patience(x) != UINT64_MAX)
        pool_gave_way(self(x)->order.pool);
    let_go(self(x), false);
}

/* A stream that is cancelled costs no line, an exchange on one of its own does. */
bool fetch_follow(struct exchange *x, const struct exchange_events *events, void *owner)
{
    struct fetch *f = self(x);
    bool is_sent = f->try && f->upload.complete && exchange_sent(f->try) == SENT_YES;
    bool is_needed = patience(x) != UINT64_MAX;
    if (!is_sent || f->order.request.upgrades || ((f->shares || is_needed) && !f->order.is_order))
        return false;
    if (is_needed)
        pool_gave_way(f->order.pool);
    f->followed = true;
    f->base.events = f->peek.events = events;
    f->base.owner = f->peek.owner = owner;
    if (f->clocks.paused)
        resume_reading(x);
    clocks_follow(&f->clocks, f->order.is_order);
    set_deadline(f);
    return true;
}

void fetch_extend(struct exchange *x, uint64_t until_ms)
{
    struct fetch *f = self(x);
    f->clocks.total_at = until_ms;
    set_deadline(f);
}

struct exchange *fetch_open(const struct fetch_order *o, const struct exchange_events *events,
                            void *owner)
{
    static const struct exchange_ops ops = {.body = body,
                                            .finish = finish,
                                            .pause = pause_reading,
                                            .resume = resume_reading,
                                            .cancel = cancel,
                                            .sent = sent,
                                            .patience = patience};
    struct fetch *f = NEW(struct fetch);
    f->base = (struct exchange){&ops, events, owner};
    f->magic = MAGIC;
    f->order = *o;
    delivery_init(&f->delivery, &pool_stats(o->pool)->retried);
    upload_init(&f->upload, o->request.framing, o->request.length);
    clocks_init(&f->clocks, o->loop, o->settings, o->total_ms);
    limit_init(&f->limit, pool_gate(o->pool), o->settings, o->request.target,
               &(struct gate_limit){
                   .is_private = o->is_private, .credential = o->credential, .bot = o->bot});
    peek_init(&f->peek, &(struct peek_order){o->settings, o->is_order, on_seen}, o->timing, events,
              owner);
    deadline_init(&f->deadline, o->loop, on_deadline);
    task_init(&f->start, on_start);
    task_init(&f->free_later, free_now);
    pool_hold(o->pool, &f->in_pool);
    if (o->request.framing != FRAMING_NONE)
        set_deadline(f);
    if (o->invites)
        loop_defer(o->loop, &f->start);
    return &f->base;
}
