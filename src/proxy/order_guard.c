/* A guard, in order:
 *
 *   order_guard_open()  asking      its fetch gathers the body
 *   may_go()            first       no equal order is remembered: the fetch goes on
 *                       copy        one is: the fetch is withheld
 *                       refused     there is no room to remember it
 *   on_turn()           first       the first ended unsent, so this one goes
 *   on_fate()           copy        the first itself, which has not left: another life of the daemon
 *                                   has begun the same order before it
 *   on_fate()           answering   the fetch gives way to a reply with the first's answer, or
 *                                   the exchange fails with a 409
 *   tap_*()                         events of the fetch or the reply, passed on to the client;
 *                                   those of the first say what became of the order
 *
 * What a copy says of `sent` is what is true of the order: as long as the first may have left,
 * that is not `no`. */
#include "proxy/order_guard.h"

#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/log.h"
#include "base/rare.h"
#include "base/spares.h"
#include "base/state.h"
#include "http/reply.h"
#include "proxy/credentials.h"
#include "proxy/fetch.h"
#include "proxy/order_journal.h"
#include "proxy/order_rules.h"

#define MAGIC 0x67756172

#define ORDER_GUARD_STATES(S)                                                                      \
    S(GUARD_ASKING, "asking",                                                                      \
      TO(GUARD_FIRST) | TO(GUARD_COPY) | TO(GUARD_REFUSED) | TO(GUARD_ENDED))                      \
    S(GUARD_FIRST, "first", TO(GUARD_COPY) | TO(GUARD_ENDED))                                      \
    S(GUARD_COPY, "copy", TO(GUARD_FIRST) | TO(GUARD_ANSWERING) | TO(GUARD_ENDED))                 \
    S(GUARD_REFUSED, "refused", TO(GUARD_ENDED))                                                   \
    S(GUARD_ANSWERING, "answering", TO(GUARD_ENDED))                                               \
    S(GUARD_ENDED, "ended", 0)
STATE_TYPE(order_guard, ORDER_GUARD_STATES)

struct order_guard {
    struct exchange base;
    unsigned magic;
    enum order_guard_state state;
    struct dedupe *dedupe;
    struct fetch_order order;
    bool *is_copy;
    struct exchange *inner; /* the fetch, or the reply; NULL: ended */
    struct dedupe_claim claim;
    struct kept_answer *answer; /* of the first: as far as it has come; of a copy: what it reads */
    unsigned status;            /* of the first's answer; 0: no head came */
    struct response head;       /* of the reply; its texts are the answer's */
    bool paused;                /* by the client */
    struct task refuse;
    struct task free_later;
};

static struct spares spares;

static struct order_guard *self(void *owner)
{
    struct order_guard *g = owner;
    MAGIC_CHECK(g, MAGIC);
    return g;
}

static struct order_guard *guard_of(struct exchange *x)
{
    return self(container_of(x, struct order_guard, base));
}

static const struct order_guard *guard_of_const(const struct exchange *x)
{
    const struct order_guard *g = container_of(x, const struct order_guard, base);
    MAGIC_CHECK(g, MAGIC);
    return g;
}

static const char *upstream(const struct order_guard *g)
{
    return pool_origin(g->order.pool)->name;
}

static void enter(struct order_guard *g, enum order_guard_state to)
{
    STATE_ENTER_FOR(order_guard, &g->state, to, upstream(g), 0, &g->order.id);
    *g->is_copy = to == GUARD_COPY || to == GUARD_ANSWERING;
}

/* -------------------------------------------------------------------------- its end */

static void free_now(struct task *task)
{
    struct order_guard *g = container_of(task, struct order_guard, free_later);
    kept_answer_unref(g->answer);
    g->magic = 0;
    spares_give(&spares, g);
}

/* The flag of a copy outlasts it. */
static void end(struct order_guard *g)
{
    bool was_copy = *g->is_copy;
    CHECK(g->claim.record == NULL);
    task_forget(&g->refuse);
    g->inner = NULL;
    enter(g, GUARD_ENDED);
    *g->is_copy = was_copy;
    loop_defer(g->order.loop, &g->free_later);
}

static void fail(struct order_guard *g, const struct verdict *v)
{
    end(g);
    g->base.events->on_failed(g->base.owner, v);
}

/* --------------------------------------------------------------- the fate of the first */

/* How long ago it was sent. */
static uint64_t age_ms(const struct order_guard *g)
{
    const struct fetch_order *o = &g->order;
    uint64_t now_us = loop_clock_us(o->loop), lent_us = o->timing->lent_us;
    return lent_us && lent_us < now_us ? (now_us - lent_us) / 1000 : 0;
}

static bool has_claim(const struct order_guard *g)
{
    return g->state == GUARD_FIRST && g->claim.record;
}

/* The answer is known, and can no longer become one that is kept. */
static void answer_unkept(struct order_guard *g)
{
    kept_answer_unref(g->answer);
    g->answer = NULL;
    if (has_claim(g))
        dedupe_answered(&g->claim, age_ms(g), g->status, NULL);
}

static void answer_whole(struct order_guard *g)
{
    if (!has_claim(g))
        return;
    if (g->answer)
        kept_answer_end(g->answer);
    dedupe_answered(&g->claim, age_ms(g), g->status, g->answer);
}

static void lose(struct order_guard *g, enum failure error, enum sent sent)
{
    if (has_claim(g))
        dedupe_lost(&g->claim, age_ms(g), g->status, error, sent);
}

/* What a copy fails with when its own time is up. The first may still leave while it waits. */
static struct verdict copy_is_late(const struct order_guard *g, const struct verdict *v)
{
    enum sent sent = dedupe_sent(&g->claim);
    struct verdict late = verdict_make(
        v->error, sent == SENT_NO && dedupe_is_under_way(&g->claim) ? SENT_PARTIAL : sent,
        "copy of order %s, which has no answer yet: %s", request_id_text(dedupe_id(&g->claim)),
        v->detail);
    late.status = v->status;
    return late;
}

/* ------------------------------------------------------- events of the fetch or reply */

static void tap_interim(void *owner, const struct response *r)
{
    struct order_guard *g = self(owner);
    g->base.events->on_interim(g->base.owner, r);
}

static void tap_head(void *owner, const struct response *r)
{
    struct order_guard *g = self(owner);
    if (g->state == GUARD_FIRST) {
        g->status = r->status;
        if (kept_answer_may_begin(r)) {
            g->answer = kept_answer_new(r);
            g->answer->refused = g->order.timing->refused;
            g->answer->known_refusal = g->order.timing->known_refusal;
        } else {
            answer_unkept(g);
        }
    }
    g->base.events->on_head(g->base.owner, r);
}

static void tap_body(void *owner, const char *data, size_t len)
{
    struct order_guard *g = self(owner);
    if (g->state == GUARD_FIRST && g->answer && !kept_answer_add(g->answer, data, len))
        answer_unkept(g);
    g->base.events->on_body(g->base.owner, data, len);
}

static void tap_end(void *owner, const struct fields *trailers)
{
    struct order_guard *g = self(owner);
    answer_whole(g);
    end(g);
    g->base.events->on_end(g->base.owner, trailers);
}

static void tap_failed(void *owner, const struct verdict *v)
{
    struct order_guard *g = self(owner);
    struct verdict why = *v;
    if (g->state == GUARD_COPY) {
        why = copy_is_late(g, v);
        dedupe_leave(&g->claim);
    } else if (v->error == FAILURE_NONE && g->status) {
        answer_unkept(g); /* it was merely too long to be read for a client that has left */
    } else {
        lose(g, v->error, v->sent);
    }
    fail(g, &why);
}

static void tap_drain(void *owner)
{
    struct order_guard *g = self(owner);
    g->base.events->on_drain(g->base.owner);
}

static void tap_switch(void *owner, const struct response *r, const struct switched *to)
{
    struct order_guard *g = self(owner);
    g->status = r->status;
    answer_whole(g);
    end(g);
    g->base.events->on_switch(g->base.owner, r, to);
}

static const struct exchange_events tap = {.on_interim = tap_interim,
                                           .on_head = tap_head,
                                           .on_body = tap_body,
                                           .on_end = tap_end,
                                           .on_failed = tap_failed,
                                           .on_drain = tap_drain,
                                           .on_switch = tap_switch};

/* --------------------------------------------------------------------------- of a copy */

/* Gives the copy the answer that the first got. */
static void answer_as(struct order_guard *g, struct kept_answer *answer)
{
    struct timing *timing = g->order.timing;
    exchange_cancel(g->inner);
    enter(g, GUARD_ANSWERING);
    g->answer = kept_answer_ref(answer);
    g->head = answer->head;
    timing->refused = answer->refused;
    timing->known_refusal = answer->known_refusal;
    g->inner = reply_open(g->order.loop, &g->head, text_span(&answer->body), &tap, g);
    if (g->paused)
        exchange_pause(g->inner);
}

static void on_fate(void *owner, const struct dedupe_fate *fate)
{
    struct order_guard *g = self(owner);
    if (g->state == GUARD_FIRST)
        enter(g, GUARD_COPY);
    LOG(DEBUG, upstream(g), "not sent: a copy of order %s id=%s", request_id_text(fate->id),
        request_id_text(&g->order.id));
    if (fate->answer) {
        answer_as(g, fate->answer);
        return;
    }
    struct verdict v = dedupe_verdict(fate);
    exchange_cancel(g->inner);
    fail(g, &v);
}

static bool on_turn(void *owner)
{
    struct order_guard *g = self(owner);
    if (!fetch_go(g->inner))
        return false;
    rare_note(RARE_ORDER_COPY_WENT);
    enter(g, GUARD_FIRST);
    return true;
}

static void on_late(void *owner, const struct request_id *id)
{
    struct order_guard *g = self(owner);
    char limit[DURATION_TEXT_SIZE];
    struct verdict v = verdict_make(
        FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO,
        "not sent within %s: it waited for order %s, a copy, which was not sent either",
        duration_text(limit, g->order.settings->order_wait), request_id_text(id));
    exchange_cancel(g->inner);
    *g->is_copy = false;
    fail(g, &v);
}

static bool may_stop(const void *owner)
{
    const struct order_guard *g = owner;
    return g->order.entry && order_entry_may_stop(g->order.entry);
}

static enum sent first_sent(const void *owner)
{
    const struct order_guard *g = owner;
    return exchange_sent(g->inner);
}

/* ------------------------------------------------------------------------ it is judged */

/* Later in the turn, since it is judged within a call of the owner. */
static void on_refused(struct task *task)
{
    struct order_guard *g = self(container_of(task, struct order_guard, refuse));
    struct verdict v =
        verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO,
                     "dedupe remembers %d orders, and has no room for another", DEDUPE_ORDERS_MAX);
    exchange_cancel(g->inner);
    fail(g, &v);
}

/* An order that could not be remembered is not sent: a copy of it would be sent too. One that
 * cancels does less harm twice than not at all. */
static bool goes_unremembered(struct order_guard *g)
{
    const struct conn_request *r = &g->order.request;
    rare_note(RARE_ORDER_NOT_REMEMBERED);
    if (order_class(g->order.settings, r->method, r->target) == ORDER_CANCELS)
        return true;
    enter(g, GUARD_REFUSED);
    loop_defer(g->order.loop, &g->refuse);
    return false;
}

static bool may_go(void *owner, const struct conn_request *r, struct span body)
{
    struct order_guard *g = self(owner);
    const struct upstream_config *u = g->order.settings;
    struct order_digest digest;
    if (!order_digest_once(g->order.digest, u, r, body, &digest))
        return true;
    switch (dedupe_enter(g->dedupe, &g->claim, upstream(g), &digest, u->dedupe)) {
    case DEDUPE_FIRST: enter(g, GUARD_FIRST); return true;
    case DEDUPE_COPY: enter(g, GUARD_COPY); return false;
    default: return goes_unremembered(g);
    }
}

/* ------------------------------------------------------------------- asked by its owner */

static bool body(struct exchange *x, const char *data, size_t len)
{
    return exchange_body(guard_of(x)->inner, data, len);
}

static void finish(struct exchange *x, const struct fields *trailers)
{
    exchange_finish(guard_of(x)->inner, trailers);
}

static void pause_reading(struct exchange *x)
{
    struct order_guard *g = guard_of(x);
    g->paused = true;
    exchange_pause(g->inner);
}

static void resume_reading(struct exchange *x)
{
    struct order_guard *g = guard_of(x);
    g->paused = false;
    exchange_resume(g->inner);
}

static enum sent sent(const struct exchange *x)
{
    const struct order_guard *g = guard_of_const(x);
    if (g->state == GUARD_ANSWERING)
        return SENT_YES;
    return g->state == GUARD_COPY ? dedupe_sent(&g->claim) : exchange_sent(g->inner);
}

static uint64_t patience(const struct exchange *x)
{
    return exchange_patience(guard_of_const(x)->inner);
}

static void progress(const struct exchange *x, struct progress *p)
{
    *p = exchange_progress(guard_of_const(x)->inner);
}

static void cancel(struct exchange *x)
{
    struct order_guard *g = guard_of(x);
    enum sent sent = exchange_sent(g->inner);
    exchange_cancel(g->inner);
    if (g->state == GUARD_COPY)
        dedupe_leave(&g->claim);
    else if (g->status && g->claim.record)
        lose(g, FAILURE_HTTP_RESPONSE_INCOMPLETE, SENT_YES);
    else
        lose(g, FAILURE_NONE, sent);
    end(g);
}

bool order_guard_follow(struct exchange *x, const struct exchange_events *events, void *owner)
{
    struct order_guard *g = guard_of(x);
    if ((g->state != GUARD_FIRST && g->state != GUARD_ASKING) || !fetch_follow(g->inner, &tap, g))
        return false;
    g->base.events = events;
    g->base.owner = owner;
    return true;
}

static bool is_too_long(enum framing framing, uint64_t length)
{
    return framing == FRAMING_LENGTH && length > ORDER_DIGEST_BODY_MAX;
}

bool order_guard_concerns(const struct fetch_order *o)
{
    const struct conn_request *r = &o->request;
    return o->settings->dedupe && o->is_private && !is_too_long(r->framing, r->length) &&
           order_is_accounted(o->settings, r->method, r->target);
}

const struct upstream_config *order_guard_settings(const struct config *c, const char *upstream,
                                                   const struct request *r, struct span path)
{
    const struct upstream_config *u = config_find(c, upstream, strlen(upstream));
    u = u ? config_for_path(u, path.at, path.len) : &c->defaults;
    bool concerns = u->dedupe && request_is_private(u, &r->fields, path) &&
                    !is_too_long(r->framing, r->length) && order_is_accounted(u, r->method, path);
    return concerns ? u : NULL;
}

static struct order_guard *guard_new(struct dedupe *dedupe, bool *is_copy,
                                     const struct exchange_events *events, void *owner)
{
    static const struct exchange_ops ops = {.body = body,
                                            .finish = finish,
                                            .pause = pause_reading,
                                            .resume = resume_reading,
                                            .cancel = cancel,
                                            .sent = sent,
                                            .patience = patience,
                                            .progress = progress};
    static const struct dedupe_events dedupe_events = {on_fate, on_turn, on_late, first_sent,
                                                       may_stop};
    struct order_guard *g = SPARES_NEW(&spares, struct order_guard);
    g->base = (struct exchange){&ops, events, owner};
    MAGIC_INIT(g, MAGIC);
    g->dedupe = dedupe;
    g->is_copy = is_copy;
    g->claim = (struct dedupe_claim){.events = &dedupe_events, .owner = g, .id = &g->order.id};
    task_init(&g->refuse, on_refused);
    task_init(&g->free_later, free_now);
    return g;
}

struct exchange *order_guard_open(struct dedupe *dedupe, const struct fetch_order *o, bool *is_copy,
                                  const struct exchange_events *events, void *owner)
{
    struct order_guard *g = guard_new(dedupe, is_copy, events, owner);
    g->order = *o;
    g->order.may_go = may_go;
    g->inner = fetch_open(&g->order, &tap, g);
    return &g->base;
}

/* It goes, whatever is known: what is beyond its gathering has been told that it may. */
static void take_part(struct order_guard *g, const struct fetch_seen *seen)
{
    struct order_digest digest;
    const struct upstream_config *u = g->order.settings;
    bool has_body = seen->upload->complete && seen->upload->replayable;
    if (!has_body || !order_digest(u, &g->order.request, text_span(&seen->upload->kept), &digest))
        return;
    enum dedupe_part part = dedupe_enter(g->dedupe, &g->claim, upstream(g), &digest, u->dedupe);
    if (part == DEDUPE_COPY)
        dedupe_leave(&g->claim);
    else if (part == DEDUPE_FIRST)
        enter(g, GUARD_FIRST);
}

struct exchange *order_guard_adopt(struct dedupe *dedupe, struct exchange *fetch,
                                   const struct upstream_config *settings, bool *is_copy,
                                   const struct exchange_events *events, void *owner)
{
    static const struct fetch_guarding how = {&tap, may_go};
    struct order_guard *g = guard_new(dedupe, is_copy, events, owner);
    const struct fetch_seen seen = fetch_guard(fetch, &how, g);
    g->order = *seen.order;
    g->order.settings = settings;
    g->inner = fetch;
    g->status = seen.status;
    take_part(g, &seen);
    return &g->base;
}
