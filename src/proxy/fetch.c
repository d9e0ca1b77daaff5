/* A request's way to its origin, in order:
 *
 *   fetch_open()      gathering    a small body is gathered before anything is waited for
 *   on_gathered()     withheld     the owner lets it go on later (fetch_go()), or never
 *   serialize()       serialized   serialize_by: one request at a time for each value
 *   pass_gate()       gated        chooses its way (an exit); rate, weight and holds of that
 *   acquire()         queued       a line of the pool; for an upgrade a line of its own
 *   begin_try()       trying       one attempt on that line (attempt.c), once noted (noting.c)
 *   on_lost()                      the connection failed before a head: again, or fail()
 *   on_answer()                    421: once more on a line that carried nothing before
 *   on_no_line()                   nothing was sent that way: by the next exit, or fail()
 *   fetch_follow()    followed     the owner is gone, and the request was sent whole
 *   let_go()          ended        on_end, on_switch, fail(), or cancelled */
#include "proxy/fetch.h"

#include "base/rare.h"
#include "base/spares.h"
#include "proxy/attempt.h"
#include "proxy/departure.h"
#include "proxy/fetch_log.h"
#include "proxy/fetch_order.h"
#include "proxy/fetch_state.h"
#include "proxy/noting.h"
#include "proxy/tunnel.h"
#include "proxy/way_taken.h"
#include "upstream/dedicated.h"

#define MAGIC 0x66657463

struct fetch {
    struct exchange base;
    unsigned magic;
    enum fetch_state state;
    struct link in_pool;
    struct upload upload;
    struct clocks clocks;
    struct delivery delivery;
    struct departure departure;
    struct serializer_entry serialized;
    struct gate_waiter gated;
    struct pool_waiter waiter;
    struct dedicated *dedicated; /* of an upgrade, instead of a line of the pool; NULL: none */
    struct noting noting;
    unsigned tries;
    struct way_taken way;
    bool elsewhere;           /* a 421 has come: once more, on a line that carried nothing before */
    struct deadline deadline; /* of gathering, and of dialling a line of its own */
    struct task start;        /* invites the body; later, of a body that streams, goes on */
    struct task free_later;
    struct fetch_order order; /* this and `attempt` are not zeroed before fetch_open() sets them */
    struct attempt attempt;
};

static struct spares spares;

static struct fetch *self(void *owner)
{
    struct fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    return f;
}

static struct fetch *fetch_of(struct exchange *x)
{
    return self(container_of(x, struct fetch, base));
}

/* At the gate it may be on another way than the one in whose queue it was, which may be gone. */
static void enter(struct fetch *f, enum fetch_state to)
{
    STATE_ENTER_FOR(fetch, &f->state, to, pool_origin(f->order.pool)->name, 0, &f->order.id);
    if (to == FETCH_GATED)
        f->waiter.queue = NULL;
    if (to != FETCH_NOTING && to != FETCH_TRYING && to != FETCH_FOLLOWED)
        fetch_state_charge(to, f->order.timing, &f->waiter, loop_event_us(f->order.loop));
}

/* -------------------------------------------------------------------- its end */

static void free_now(struct task *task)
{
    struct fetch *f = container_of(task, struct fetch, free_later);
    attempt_free(&f->attempt);
    upload_free(&f->upload);
    free(f->dedicated);
    f->magic = 0;
    spares_give(&spares, f);
}

/* Gives back all it holds, in whatever state, and is over. `late`: its time is up. */
static void let_go(struct fetch *f, bool late)
{
    deadline_stop(&f->deadline);
    task_forget(&f->start);
    departure_close(&f->departure);
    gate_forget(&f->gated);
    pool_waiter_forget(&f->waiter);
    noting_end(&f->noting, attempt_sent(&f->attempt));
    serializer_leave(&f->serialized);
    attempt_end(&f->attempt, late);
    dedicated_close(f->dedicated);
    enter(f, FETCH_ENDED);
    way_taken_leave(&f->way, &f->order);
    pool_release(f->order.pool, &f->in_pool);
    loop_defer(f->order.loop, &f->free_later);
}

static enum sent sent(const struct exchange *x)
{
    const struct fetch *f = container_of(x, const struct fetch, base);
    MAGIC_CHECK(f, MAGIC);
    return attempt_sent(&f->attempt);
}

/* Called from events alone. Whatever went wrong last: `sent` is of all tries. */
static void fail(struct fetch *f, const struct verdict *why, bool late)
{
    struct verdict v = *why;
    v.sent = sent(&f->base);
    way_blame(f->order.way, f->order.timing->endpoint, &v);
    let_go(f, late);
    f->base.events->on_failed(f->base.owner, &v);
}

/* What waits is refused at once, and what is still in our own memory is taken back; a try of which
 * a byte has left goes on. What may be withheld, as a copy, is not about to leave yet. */
static void on_stopped(void *owner, const struct verdict *why)
{
    struct fetch *f = self(owner);
    bool undecided = f->state == FETCH_WITHHELD || (f->state == FETCH_GATHERING && f->order.may_go);
    if (undecided || attempt_has_left(&f->attempt))
        return;
    way_taken_leave(&f->way, &f->order); /* it is not to blame */
    fail(f, why, false);
}

struct verdict fetch_late(const struct exchange *x, uint64_t total_ms)
{
    const struct fetch *f = container_of(x, const struct fetch, base);
    MAGIC_CHECK(f, MAGIC);
    struct verdict v = f->state == FETCH_GATED    ? gate_refusal(&f->gated)
                       : f->state == FETCH_QUEUED ? pool_waiter_refusal(&f->waiter)
                                                  : clocks_late(total_ms);
    v.sent = sent(x);
    way_blame(f->order.way, f->order.timing->endpoint, &v);
    return v;
}

/* ------------------------------------------------------------------ its deadline */

static enum clocks_phase phase(const struct fetch *f)
{
    return f->state == FETCH_GATHERING ? CLOCKS_GATHERING
           : f->state == FETCH_QUEUED  ? CLOCKS_WAITING
                                       : CLOCKS_QUEUEING;
}

/* A deadline that is set and comes sooner is left: when it comes, the next one is set. */
static void watch(struct fetch *f)
{
    uint64_t due = clocks_due(&f->clocks, phase(f));
    if (!deadline_is_set(&f->deadline) || due < f->deadline.due)
        deadline_at(&f->deadline, due);
}

/* The serializer, the gate, the pool and the attempt each watch the time themselves. */
static void on_deadline(struct deadline *d)
{
    struct fetch *f = self(container_of(d, struct fetch, deadline));
    if (f->state != FETCH_GATHERING && f->state != FETCH_WITHHELD &&
        !(f->state == FETCH_QUEUED && dedicated_is_open(f->dedicated)))
        return;
    if (clocks_are_up(&f->clocks, phase(f), false)) {
        struct verdict why = clocks_verdict(&f->clocks, phase(f));
        fail(f, &why, true);
    } else {
        watch(f);
    }
}

/* ------------------------------------------------------------------ the retry rule */

static void pass_gate(void *owner);
static void acquire(void *owner);

/* It has passed the gate, of which it has used up nothing yet. */
static void go_on(struct fetch *f)
{
    if (way_taken_is_shut(&f->way, &f->order, &f->gated))
        pass_gate(f);
    else
        acquire(f);
}

static bool may_replay(const struct fetch *f)
{
    return f->state == FETCH_TRYING && f->upload.replayable &&
           f->tries <= f->order.settings->retries &&
           loop_now(f->order.loop) < clocks_wait_until(&f->clocks);
}

static bool may_go_again(const struct fetch *f, const struct verdict *v)
{
    const struct fetch_order *o = &f->order;
    bool is_harmless =
        o->is_safe && f->attempt.line.reused && (!o->is_private || o->settings->retry_private);
    return may_replay(f) && delivery_may_repeat(v, is_harmless);
}

/* A try of which the origin saw nothing has used up no rate limit, so that the next one need not
 * pass the gate, unless that holds it now. */
static void on_lost(void *owner, const struct verdict *v)
{
    struct fetch *f = self(owner);
    bool again = may_go_again(f, v);
    attempt_log_lost(&f->attempt, f->tries, v, again);
    if (again && v->sent == SENT_NO && !v->undone)
        rare_note(RARE_REQUEST_UNSENT_AGAIN);
    if (!again)
        fail(f, v, false);
    else if (v->sent == SENT_NO || v->undone)
        go_on(f);
    else
        pass_gate(f);
}

/* A 421 (RFC 9110 15.5.20) says that the request was not acted on, whatever its method, so it is
 * sent once more, on a connection that has carried nothing. The response there is final. */
static bool on_answer(void *owner, const struct response *r)
{
    struct fetch *f = self(owner);
    if (r->status != 421 || f->elsewhere || !may_replay(f) || departure_is_stopped(&f->departure)) {
        f->noting.status = r->status;
        return true;
    }
    fetch_log_elsewhere(&f->order, &f->attempt.line, f->tries);
    rare_note(RARE_REQUEST_ELSEWHERE);
    f->elsewhere = true;
    attempt_give_up(&f->attempt);
    dedicated_close(f->dedicated);
    pass_gate(f);
    return false;
}

/* ------------------------------------------------------------ how an attempt ends it */

/* The tunnel holds the pool before the fetch lets go of it. */
static void on_upgraded(void *owner, const struct response *r)
{
    struct fetch *f = self(owner);
    struct span ahead;
    struct stream *stream = line_surrender(f->dedicated->line, &ahead);
    struct switched to = {.tunnel = tunnel_new(f->order.loop, f->order.pool, f->order.way,
                                               TUNNEL_UPGRADE, stream, ahead)};
    if (departure_is_stopped(&f->departure))
        tunnel_set_freezes(to.tunnel, f->order.freezes, f->order.bot_said);
    let_go(f, false);
    f->base.events->on_switch(f->base.owner, r, &to);
}

static void on_end(void *owner, const struct fields *trailers)
{
    struct fetch *f = self(owner);
    f->order.way->stats->drained += f->state == FETCH_FOLLOWED;
    let_go(f, false);
    f->base.events->on_end(f->base.owner, trailers);
}

static void on_failed(void *owner, const struct verdict *why, bool late)
{
    fail(self(owner), why, late);
}

static const struct attempt_events attempt_events = {.on_answer = on_answer,
                                                     .on_upgraded = on_upgraded,
                                                     .on_end = on_end,
                                                     .on_lost = on_lost,
                                                     .on_failed = on_failed};

/* ------------------------------------------------------- serializer, gate, line, try */

static void on_refused(void *owner, const struct verdict *why)
{
    fail(self(owner), why, false);
}

static void enter_gate(struct fetch *f)
{
    enter(f, FETCH_GATED);
    if (gate_pass(f->order.way->gate, &f->gated, clocks_wait_until(&f->clocks)))
        acquire(f);
    else
        fetch_log_held(&f->order, &f->gated);
}

/* There is no line that way. What was not sent goes to the next endpoint, or by the next exit. */
static void on_no_line(void *owner, const struct verdict *why)
{
    struct fetch *f = self(owner);
    bool may = sent(&f->base) == SENT_NO && !pool_is_draining(f->order.pool) &&
               loop_now(f->order.loop) < clocks_wait_until(&f->clocks);
    switch (may ? way_taken_next(&f->way, &f->order, &f->gated) : WAY_NONE) {
    case WAY_NONE: fail(f, why, false); break;
    case WAY_ENDPOINT: go_on(f); break;
    case WAY_EXIT: enter_gate(f); break;
    }
}

/* It has waited for that endpoint for long enough, if there is another. */
static void on_slow(struct deadline *d)
{
    struct fetch *f = self(container_of(d, struct fetch, way.slow));
    if (f->state != FETCH_QUEUED || !way_taken_hurries(&f->way, &f->order))
        return;
    pool_waiter_forget(&f->waiter);
    dedicated_close(f->dedicated);
    go_on(f);
}

/* A hold has begun that way, or it is gone from the configuration. */
static void on_recall(void *owner)
{
    struct fetch *f = self(owner);
    if (way_taken_stays(&f->way, &f->order, &f->gated))
        return;
    pool_waiter_forget(&f->waiter);
    go_on(f);
}

/* What began while the line was waited for is asked about at the very last. */
static void begin_try(void *owner, struct line *line)
{
    struct fetch *f = self(owner);
    if (departure_ask_last(&f->departure, clocks_wait_until(&f->clocks))) {
        line_return(line);
        return;
    }
    bool goes = noting_ask(&f->noting, line, clocks_wait_until(&f->clocks));
    deadline_stop(&f->deadline);
    enter(f, goes ? FETCH_TRYING : FETCH_NOTING);
    if (!goes)
        return;
    f->tries++;
    attempt_begin(&f->attempt, line, pool_waiter_paused_us(&f->waiter) + f->noting.waited_us);
}

/* A pause may have begun meanwhile, or a hold that way. */
static void on_noted(void *owner, struct line *line)
{
    struct fetch *f = self(owner);
    bool may = way_taken_stays(&f->way, &f->order, &f->gated) && !f->order.way->queue.paused;
    if (line && !may)
        line_return(line);
    if (line && may)
        begin_try(f, line);
    else
        go_on(f);
}

static void acquire(void *owner)
{
    struct fetch *f = self(owner);
    struct line *line;
    if (departure_ask(&f->departure))
        return;
    way_taken_settle(&f->way, &f->order);
    enter(f, FETCH_QUEUED);
    f->waiter.wants_new = f->elsewhere;
    if (f->order.request.upgrades) {
        dedicated_open(f->dedicated, f->order.loop, f->order.pool, f->order.way);
        watch(f);
    } else if ((line = pool_acquire(f->order.pool, f->order.way, &f->waiter,
                                    clocks_wait_until(&f->clocks)))) {
        begin_try(f, line);
        return;
    }
    way_taken_waits(&f->way, &f->order);
}

/* Also told by the serializer, and by a gate. Where it has tried all exits, it stays with the last. */
static void pass_gate(void *owner)
{
    struct fetch *f = self(owner);
    if (departure_ask(&f->departure))
        return;
    (void)way_taken_choose(&f->way, &f->order, &f->gated);
    enter_gate(f);
}

static void serialize(struct fetch *f)
{
    struct span value = f->order.serialize_value;
    deadline_stop(&f->deadline);
    enter(f, FETCH_SERIALIZED);
    if (departure_ask(&f->departure))
        return;
    f->serialized =
        (struct serializer_entry){.owner = f, .on_admitted = pass_gate, .on_refused = on_refused};
    if (value.len == 0 || serializer_enter(pool_serializer(f->order.pool), &f->serialized, value,
                                           clocks_serialize_until(&f->clocks)))
        pass_gate(f);
    else
        fetch_log_serialized(&f->order);
}

/* The body is here, whole (only then it may be withheld) or in part; order_wait begins. */
static void on_gathered(struct fetch *f)
{
    const struct fetch_order *o = &f->order;
    if (o->is_order)
        clocks_is_order(&f->clocks);
    if (o->may_go && f->upload.complete &&
        !o->may_go(f->base.owner, &o->request, text_span(&f->upload.kept))) {
        enter(f, FETCH_WITHHELD);
        watch(f);
    } else {
        serialize(f);
    }
}

bool fetch_go(struct exchange *x)
{
    struct fetch *f = fetch_of(x);
    CHECK(f->state == FETCH_WITHHELD);
    if (loop_now(f->order.loop) >= clocks_wait_until(&f->clocks))
        return false;
    serialize(f);
    return true;
}

/* ------------------------------------------------------------- asked by its owner */

/* A body is gathered first, so that a slow one costs no line. Here one is invited (100). */
static void on_start(struct task *task)
{
    static const struct response invitation = {
        .status = 100, .reason = SPAN("Continue"), .minor = 1};
    struct fetch *f = self(container_of(task, struct fetch, start));
    if (upload_is_gathered(&f->upload))
        on_gathered(f);
    else
        f->base.events->on_interim(f->base.owner, &invitation);
}

static bool body(struct exchange *x, const char *data, size_t len)
{
    struct fetch *f = fetch_of(x);
    if (attempt_is_open(&f->attempt))
        return attempt_body(&f->attempt, data, len);
    bool more = upload_gather(&f->upload, data, len);
    if (!more && f->state == FETCH_GATHERING)
        loop_defer(f->order.loop, &f->start);
    return more;
}

static void finish(struct exchange *x, const struct fields *trailers)
{
    struct fetch *f = fetch_of(x);
    f->upload.complete = true;
    f->upload.trailers = *trailers;
    if (attempt_is_open(&f->attempt)) {
        attempt_finish(&f->attempt);
    } else if (f->state == FETCH_GATHERING) {
        task_forget(&f->start);
        on_gathered(f);
    }
}

static void pause_reading(struct exchange *x)
{
    attempt_pause(&fetch_of(x)->attempt);
}

static void resume_reading(struct exchange *x)
{
    attempt_resume(&fetch_of(x)->attempt);
}

static void progress(const struct exchange *x, struct progress *p)
{
    const struct fetch *f = container_of(x, const struct fetch, base);
    MAGIC_CHECK(f, MAGIC);
    bool connects = dedicated_is_open(f->dedicated) || pool_waiter_connects(&f->waiter);
    if (f->state < FETCH_TRYING)
        *p = (struct progress){.state = fetch_state_progress(f->state, connects)};
    else
        attempt_progress(&f->attempt, p);
}

/* A line of its own (for an upgrade) is nobody else's to have. */
static uint64_t patience(const struct exchange *x)
{
    const struct fetch *f = container_of(x, const struct fetch, base);
    bool holds = f->clocks.paused && attempt_is_open(&f->attempt) && !f->order.request.upgrades;
    return holds ? pool_queue_patience(&f->order.way->queue) : UINT64_MAX;
}

static void cancel(struct exchange *x)
{
    struct fetch *f = fetch_of(x);
    if (patience(x) != UINT64_MAX)
        pool_queue_gave_way(&f->order.way->queue);
    let_go(f, false);
}

/* A stream that is cancelled costs no line, an exchange on one of its own does. */
bool fetch_follow(struct exchange *x, const struct exchange_events *events, void *owner)
{
    struct fetch *f = fetch_of(x);
    bool is_needed = patience(x) != UINT64_MAX;
    if (!attempt_is_sent(&f->attempt) || f->order.request.upgrades ||
        ((f->attempt.shares || is_needed) && !f->order.is_order))
        return false;
    if (is_needed)
        pool_queue_gave_way(&f->order.way->queue);
    rare_note(RARE_REQUEST_FOLLOWED);
    enter(f, FETCH_FOLLOWED);
    f->base = (struct exchange){x->ops, events, owner};
    attempt_follow(&f->attempt);
    return true;
}

struct fetch_seen fetch_guard(struct exchange *x, const struct fetch_guarding *how, void *owner)
{
    struct fetch *f = fetch_of(x);
    f->base = (struct exchange){x->ops, how->events, owner};
    f->order.may_go = how->may_go;
    attempt_redirect(&f->attempt);
    return (struct fetch_seen){&f->order, &f->upload, f->noting.status};
}

void fetch_extend(struct exchange *x, uint64_t until_ms)
{
    struct fetch *f = fetch_of(x);
    f->clocks.total_at = until_ms;
    if (attempt_is_open(&f->attempt))
        attempt_watch(&f->attempt);
    else
        watch(f);
}

static void init_waiters(struct fetch *f)
{
    fetch_order_is_gated(&f->order, &f->gated);
    fetch_order_waits(&f->order, &f->waiter);
    f->gated.owner = f->waiter.owner = f;
    f->gated.on_pass = acquire;
    f->gated.on_refused = on_refused;
    f->gated.on_moved = pass_gate;
    f->waiter.on_line = begin_try;
    f->waiter.on_refused = on_no_line;
    f->waiter.on_recall = on_recall;
    if (f->order.request.upgrades)
        f->dedicated = dedicated_new(f, begin_try, on_no_line);
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
                                            .patience = patience,
                                            .progress = progress};
    static const struct noting_events noting_events = {on_noted, on_refused};
    struct fetch *f = SPARES_NEW_UP_TO(&spares, struct fetch, order);
    f->base = (struct exchange){&ops, events, owner};
    MAGIC_INIT(f, MAGIC);
    f->order = *o;
    delivery_init(&f->delivery, &pool_stats(o->pool)->retried);
    upload_init(&f->upload, o->request.framing, o->request.length);
    clocks_init(&f->clocks, o->loop, o->settings, o->total_ms);
    init_waiters(f);
    way_taken_init(&f->way, &f->order, &f->delivery, &f->clocks, on_slow);
    noting_init(&f->noting, &noting_events, f, &f->order, &f->upload);
    f->attempt = (struct attempt){.events = &attempt_events,
                                  .owner = f,
                                  .order = &f->order,
                                  .fetch = &f->base,
                                  .clocks = &f->clocks,
                                  .upload = &f->upload,
                                  .delivery = &f->delivery};
    attempt_init(&f->attempt);
    deadline_init(&f->deadline, o->loop, on_deadline);
    f->departure = (struct departure){.order = &f->order, .on_stopped = on_stopped, .owner = f};
    departure_open(&f->departure);
    task_init(&f->start, on_start);
    task_init(&f->free_later, free_now);
    pool_hold(o->pool, &f->in_pool);
    if (o->request.framing != FRAMING_NONE)
        watch(f);
    if ((o->may_go || !departure_ask(&f->departure)) && o->invites)
        loop_defer(o->loop, &f->start);
    return &f->base;
}
