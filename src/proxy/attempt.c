/* A try, in order:
 *
 *   attempt_begin()   the line is lent: opens the exchange on it, sends what the upload
 *                     keeps, and if that is all, finishes it             sending → awaiting
 *   attempt_body()    passes the rest of the body on as it comes
 *   attempt_finish()  the request is complete: response_timeout begins   awaiting
 *   on_interim()      a 1xx is passed on
 *   on_head()         the budget learns from the response (limit); the fetch may refuse it
 *                     (421); then through peek to the owner              → receiving
 *   on_body()         likewise through peek
 *   on_end()          the response is complete                           → ended by the fetch
 *   on_failed()       the connection failed: before the head that is on_lost, which may
 *                     lead to another try; after it on_failed, which never does
 *
 * How much of it left is told to `delivery` in four places and no other: when the head
 * comes (on_head), when the exchange on the line ends (on_end, on_failed), and when it is
 * taken back (delivery_give_up(), by attempt_give_up() and attempt_end()). As long as the
 * exchange is open it answers for itself (exchange_sent()); from then on the delivery does.
 * So what was sent is never forgotten between two tries.
 *
 * The deadline belongs to the try: no head in time, a body that stalls. Until a line is
 * lent, the queues bound the wait. */
#include "proxy/attempt.h"

#include <inttypes.h>

#include "base/rare.h"

#define MAGIC 0x61747470
#define UNREAD_MAX (1024 * 1024) /* of a response that nobody reads */

static struct attempt *self(void *owner)
{
    struct attempt *a = owner;
    MAGIC_CHECK(a, MAGIC);
    return a;
}

/* No deadline outlasts the try it was set for. From the moment when a line is lent, its answer
 * is what busy_poll waits for. */
static void enter(struct attempt *a, enum attempt_state to)
{
    STATE_ENTER_FOR(attempt, &a->state, to, pool_origin(a->order->pool)->name, a->line.number,
                    &a->order->id);
    if (to == ATTEMPT_IDLE || to == ATTEMPT_ENDED) {
        deadline_stop(&a->deadline);
        loop_received(&a->due);
    } else {
        loop_expect(a->order->loop, &a->due);
    }
}

bool attempt_is_open(const struct attempt *a)
{
    return a->exchange != NULL;
}

bool attempt_has_left(const struct attempt *a)
{
    return a->exchange && exchange_sent(a->exchange) != SENT_NO;
}

bool attempt_is_sent(const struct attempt *a)
{
    return a->exchange && a->upload->complete && exchange_sent(a->exchange) == SENT_YES;
}

/* A request that the kernel has not taken whole is being sent, even if all of it is here. */
void attempt_progress(const struct attempt *a, struct progress *p)
{
    if (!a->exchange)
        return;
    bool is_sent = attempt_is_sent(a) && !exchange_is_queued(a->exchange);
    p->state = a->state == ATTEMPT_RECEIVING ? PROGRESS_RECEIVING
               : is_sent                     ? PROGRESS_AWAITING
                                             : PROGRESS_SENDING;
    p->line = a->line.number;
    p->address = a->line.address;
}

enum sent attempt_sent(const struct attempt *a)
{
    return delivery_sent(a->delivery, a->exchange);
}

/* ------------------------------------------------------------------ its deadline */

static enum clocks_phase phase(const struct attempt *a)
{
    if (a->state != ATTEMPT_RECEIVING)
        return CLOCKS_AWAITING;
    return peek_holds(&a->peek) ? CLOCKS_HOLDING : CLOCKS_RECEIVING;
}

/* A deadline that is set and comes sooner is left: when it comes, the next one is set. */
void attempt_watch(struct attempt *a)
{
    uint64_t due = clocks_due(a->clocks, phase(a));
    if (!deadline_is_set(&a->deadline) || due < a->deadline.due)
        deadline_at(&a->deadline, due);
}

static void on_deadline(struct deadline *d)
{
    struct attempt *a = self(container_of(d, struct attempt, deadline));
    if (a->order->way->queue.waiters.count == 0)
        clocks_drain_on(a->clocks);
    bool is_sent = a->state != ATTEMPT_RECEIVING && exchange_sent(a->exchange) == SENT_YES &&
                   !exchange_is_queued(a->exchange);
    if (clocks_are_up(a->clocks, phase(a), is_sent)) {
        struct verdict why = clocks_verdict(a->clocks, phase(a));
        a->events->on_failed(a->owner, &why, true);
    } else {
        attempt_watch(a);
    }
}

/* ------------------------------------------------------------------ the response */

static void on_interim(void *owner, const struct response *r)
{
    struct attempt *a = self(owner);
    a->fetch->events->on_interim(a->fetch->owner, r);
}

/* The beginning of the body says until when the exchange holds us off, or says nothing. */
static void on_seen(struct peek *p)
{
    limit_tell(&container_of(p, struct attempt, peek)->limit, p->ban_until_ms);
}

static void receive(struct attempt *a, const struct response *r)
{
    enter(a, ATTEMPT_RECEIVING);
    clocks_active(a->clocks);
    attempt_watch(a);
    peek_head(&a->peek, r);
    if (peek_holds(&a->peek)) /* the owner has no head yet: the time until it runs on */
        attempt_watch(a);
}

static void on_head(void *owner, const struct response *r)
{
    struct attempt *a = self(owner);
    a->order->timing->weight += limit_learn(&a->limit, r);
    pool_learn_clock(a->order->pool, &r->fields, a->order->timing->lent_us);
    delivery_answered(a->delivery);
    if (!a->events->on_answer(a->owner, r))
        return;
    timing_answered(a->order->timing, pool_stats(a->order->pool), loop_event_us(a->order->loop));
    if (a->order->is_timed)
        way_answered(a->order->way, a->order->timing->ttfb_us, r->status);
    if (r->status == 101) {
        a->exchange = NULL; /* it goes with the stream */
        a->events->on_upgraded(a->owner, r);
        return;
    }
    receive(a, r);
}

static void on_body(void *owner, const char *data, size_t len)
{
    struct attempt *a = self(owner);
    clocks_active(a->clocks);
    if (a->unread_room < len) {
        rare_note(RARE_RESPONSE_UNREAD);
        struct verdict why = verdict_make(FAILURE_NONE, SENT_YES, "nobody reads the response");
        a->events->on_failed(a->owner, &why, false);
        return;
    }
    if (a->unread_room != SIZE_MAX)
        a->unread_room -= len;
    peek_body(&a->peek, data, len);
}

/* What is still held back is told first; the owner may end the request while it is. */
static void on_end(void *owner, const struct fields *trailers)
{
    struct attempt *a = self(owner);
    a->exchange = NULL;
    delivery_end_try(a->delivery, SENT_YES, false);
    peek_flush(&a->peek);
    if (a->state != ATTEMPT_ENDED)
        a->events->on_end(a->owner, trailers);
}

/* A connection that was used before may just have reached the end of its time. */
static void note_unanswered(struct attempt *a, bool is_over)
{
    const struct fetch_order *o = a->order;
    if (o->is_timed)
        way_unanswered(o->way, loop_clock_us(o->loop) - o->timing->lent_us, is_over);
}

static void on_failed(void *owner, const struct verdict *v)
{
    struct attempt *a = self(owner);
    a->exchange = NULL;
    delivery_end_try(a->delivery, v->sent, v->undone);
    if (a->state != ATTEMPT_RECEIVING) {
        if (!a->line.reused && !v->undone)
            note_unanswered(a, true);
        enter(a, ATTEMPT_IDLE);
        a->events->on_lost(a->owner, v);
        return;
    }
    struct verdict why = *v;
    if (why.error == FAILURE_CONNECTION_TERMINATED)
        why.error = FAILURE_HTTP_RESPONSE_INCOMPLETE; /* also while the head is held back */
    a->events->on_failed(a->owner, &why, false);
}

static void on_drain(void *owner)
{
    struct attempt *a = self(owner);
    a->fetch->events->on_drain(a->fetch->owner);
}

/* ------------------------------------------------------------------- the request */

bool attempt_body(struct attempt *a, const char *data, size_t len)
{
    return upload_pass(a->upload, a->exchange, data, len);
}

void attempt_finish(struct attempt *a)
{
    exchange_finish(a->exchange, &a->upload->trailers);
    clocks_sent(a->clocks);
    if (a->state == ATTEMPT_SENDING)
        enter(a, ATTEMPT_AWAITING);
    attempt_watch(a);
}

/* What was gathered goes out with the head; then the owner may send on. */
static void send_gathered(struct attempt *a)
{
    bool goes_on = upload_begin(a->upload, a->exchange);
    if (a->upload->complete)
        attempt_finish(a);
    else if (goes_on)
        a->fetch->events->on_drain(a->fetch->owner);
}

static struct exchange *open_on(struct attempt *a, struct line *line)
{
    static const struct exchange_events events = {.on_interim = on_interim,
                                                  .on_head = on_head,
                                                  .on_body = on_body,
                                                  .on_end = on_end,
                                                  .on_failed = on_failed,
                                                  .on_drain = on_drain};
    struct conn_request request = a->order->request;
    request.authority = span_of(a->order->way->host->authority);
    request.id = &a->order->id;
    return line_open(line, &request, &events, a);
}

void attempt_begin(struct attempt *a, struct line *line, uint64_t paused_us)
{
    a->limit.gate = a->order->way->gate;
    line_describe(line, &a->line);
    timing_lent(a->order->timing, pool_stats(a->order->pool), &a->line, paused_us,
                loop_event_us(a->order->loop));
    a->shares = line_shares(line);
    way_lent(a->order->way);
    clocks_try(a->clocks);
    enter(a, ATTEMPT_SENDING);
    a->exchange = open_on(a, line);
    if (a->clocks->paused) /* since an earlier try, or while it waited */
        exchange_pause(a->exchange);
    if (!a->upload->complete)
        attempt_watch(a);
    send_gathered(a);
}

/* ------------------------------------------------------------------ asked by its owner */

void attempt_log_lost(const struct attempt *a, unsigned number, const struct verdict *v, bool again)
{
    LOG(DEBUG, pool_origin(a->order->pool)->name,
        "attempt %u failed on a %s connection: %s: %s, sent=%s%s%s line=%" PRIu64 " id=%s", number,
        a->line.reused ? "reused" : "new", failure_name(v->error), v->detail, sent_name(v->sent),
        v->undone ? ", not processed by the origin" : "", again ? "; trying again" : "",
        a->line.number, request_id_text(&a->order->id));
}

void attempt_pause(struct attempt *a)
{
    a->clocks->paused = true;
    if (a->exchange)
        exchange_pause(a->exchange);
}

void attempt_resume(struct attempt *a)
{
    a->clocks->paused = false;
    clocks_active(a->clocks);
    if (a->exchange)
        exchange_resume(a->exchange);
    if (a->state == ATTEMPT_RECEIVING)
        attempt_watch(a);
}

void attempt_redirect(struct attempt *a)
{
    peek_redirect(&a->peek, a->fetch->events, a->fetch->owner);
}

void attempt_follow(struct attempt *a)
{
    a->unread_room = UNREAD_MAX;
    attempt_redirect(a);
    if (a->clocks->paused)
        attempt_resume(a);
    clocks_follow(a->clocks, a->order->is_order);
    attempt_watch(a);
}

void attempt_give_up(struct attempt *a)
{
    delivery_give_up(a->delivery, &a->exchange, false);
    enter(a, ATTEMPT_IDLE);
}

void attempt_end(struct attempt *a, bool late)
{
    limit_tell(&a->limit, 0);
    peek_stop(&a->peek);
    if (a->exchange && a->state != ATTEMPT_RECEIVING)
        note_unanswered(a, late);
    delivery_give_up(a->delivery, &a->exchange, late);
    enter(a, ATTEMPT_ENDED);
}

void attempt_init(struct attempt *a)
{
    const struct fetch_order *o = a->order;
    MAGIC_INIT(a, MAGIC);
    a->unread_room = SIZE_MAX;
    limit_init(
        &a->limit, o->loop, o->settings, o->request.target,
        &(struct gate_limit){
            .is_private = o->is_private, .credential = o->credential, .bot = o->bot, .id = &o->id});
    peek_init(&a->peek,
              &(struct peek_order){.settings = o->settings,
                                   .is_order = o->is_order,
                                   .on_seen = on_seen,
                                   .upstream = pool_origin(o->pool)->name,
                                   .id = &o->id},
              o->timing, a->fetch->events, a->fetch->owner);
    deadline_init(&a->deadline, o->loop, on_deadline);
}

void attempt_free(struct attempt *a)
{
    peek_free(&a->peek);
    a->magic = 0;
}
