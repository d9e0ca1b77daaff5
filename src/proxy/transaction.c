#include "proxy/transaction.h"

#include "base/log.h"
#include "base/spares.h"
#include "base/state.h"
#include "cache/coalescer.h"
#include "http/reply.h"
#include "proxy/credentials.h"
#include "proxy/fetch.h"
#include "proxy/fetch_order.h"
#include "proxy/no_client.h"
#include "proxy/order_guard.h"
#include "proxy/order_journal.h"
#include "proxy/order_rules.h"
#include "proxy/redact.h"
#include "proxy/rewrite.h"
#include "proxy/tally.h"
#include "proxy/tunnel.h"
#include "proxy/tunnel_open.h"
#include "proxy/tunnel_record.h"

#define MAGIC 0x7472616e

#define TRANSACTION_STATES(S)                                                                      \
    S(TRANSACTION_ASKING, "asking",                                                                \
      TO(TRANSACTION_RELAYING) | TO(TRANSACTION_FOLLOWED) | TO(TRANSACTION_REPLYING) |             \
          TO(TRANSACTION_ENDED))                                                                   \
    S(TRANSACTION_RELAYING, "relaying", TO(TRANSACTION_FOLLOWED) | TO(TRANSACTION_ENDED))          \
    S(TRANSACTION_FOLLOWED, "followed", TO(TRANSACTION_ENDED))                                     \
    S(TRANSACTION_REPLYING, "replying", TO(TRANSACTION_ENDED))                                     \
    S(TRANSACTION_ENDED, "ended", 0)
STATE_TYPE(transaction, TRANSACTION_STATES)

struct transaction {
    struct exchange base;
    unsigned magic;
    enum transaction_state state;
    struct route route;
    struct verdict failure;
    const struct upstream_config *settings;
    struct rewrite rewrite;
    struct pool *pool;
    struct link in_pool;
    struct exchange *answer; /* a fetch, a guard, a follower or a tunnel_open; NULL: it has ended */
    /* How `answer` is followed when the client has disconnected; NULL: it is not. */
    bool (*follow)(struct exchange *, const struct exchange_events *, void *owner);
    struct config *guarded_by; /* if it was guarded later on; pinned */
    struct arena *arena;       /* the request's, once followed: taken over; NULL before */
    struct link link;          /* on the list of those that are followed */
    struct task next;          /* replies or fails, outside the call that found the reason */
    struct task free_later;
    struct transaction_order order; /* this and what follows is not zeroed. `config` is pinned */
    struct tally tally;
    struct request request; /* copies, once followed */
    struct ingress ingress;
};

static struct spares spares;

static struct transaction *self(struct exchange *x)
{
    struct transaction *t = container_of(x, struct transaction, base);
    MAGIC_CHECK(t, MAGIC);
    return t;
}

static void enter(struct transaction *t, enum transaction_state to)
{
    STATE_ENTER_FOR(transaction, &t->state, to, t->order.ingress->client, 0, &t->order.request->id);
}

/* ----------------------------------------------------------------- its end */

static void free_now(struct task *task)
{
    struct transaction *t = container_of(task, struct transaction, free_later);
    config_unref(t->order.config);
    config_unref(t->guarded_by);
    arena_free(t->arena);
    t->magic = 0;
    spares_give(&spares, t);
}

static void let_go(struct transaction *t)
{
    task_forget(&t->next);
    if (t->answer)
        exchange_cancel(t->answer);
    t->answer = NULL;
}

/* The target as it may be shown: as the upstream gets it; if there is no upstream, as the
 * client sent it. */
static void add_target(const struct transaction *t, struct text *to)
{
    const struct upstream_config *u = t->settings ? t->settings : &t->order.config->defaults;
    if (t->pool)
        redact_target(to, &u->credential_params, t->route.path);
    else
        redact_unrouted(to, &u->credential_params, t->order.request->target);
}

static void tell(struct transaction *t, record_listener *listener, void *context)
{
    struct text target = {0};
    add_target(t, &target);
    tally_tell(&t->tally, listener, context, text_span(&target));
    text_free(&target);
}

/* Its numbers are final: the record is handed on, and the place in the pool given up. */
static void conclude(struct transaction *t)
{
    const struct transaction_order *o = &t->order;
    const struct record *r = &t->tally.record;
    order_entry_end(o->entry, r);
    if (o->on_record && (r->unknown || r->total_us >= o->record_least_us))
        tell(t, o->on_record, o->record_context);
    if (t->pool)
        pool_leave(t->pool, &t->in_pool);
    t->pool = NULL;
}

static void end(struct transaction *t)
{
    if (t->state == TRANSACTION_FOLLOWED)
        list_remove(&t->link);
    enter(t, TRANSACTION_ENDED);
    loop_defer(t->order.loop, &t->free_later);
}

/* ---------------------------------------------------------- replies of our own */

static void tell_reply(struct transaction *t, const struct response *head, struct span body)
{
    static const struct fields none;
    t->base.events->on_head(t->base.owner, head);
    if (t->state == TRANSACTION_REPLYING && body.len)
        t->base.events->on_body(t->base.owner, body.at, body.len);
    if (t->state != TRANSACTION_REPLYING)
        return;
    end(t);
    t->base.events->on_end(t->base.owner, &none);
}

/* Clients show little of a refused CONNECT, so the log has to say why. */
static void log_refusal(const struct transaction *t)
{
    const struct upstream_config *u = t->settings ? t->settings : &t->order.config->defaults;
    int status = verdict_status(&t->failure);
    struct text target = {0};
    if (!t->tally.is_connect || status < 400 || status > 499)
        return;
    redact_target(&target, &u->credential_params, t->order.request->target);
    LOG(WARN, t->order.ingress->client, "CONNECT %.*s refused: %s id=%s",
        SPAN_ARG(span_first(text_span(&target), 300)), t->failure.detail,
        request_id_text(&t->order.request->id));
    text_free(&target);
}

static void mark_copy(const struct transaction *t, struct fields *head)
{
    if (t->tally.record.duplicate)
        fields_add(head, t->order.request->arena, SPAN("Trunkline-Duplicate"), SPAN("yes"));
}

static void reply(struct transaction *t)
{
    const struct request *r = t->order.request;
    const char *name = NULL, *next_hop = NULL;
    struct span body;
    if (t->pool) {
        name = arena_span(r->arena, span_of(pool_origin(t->pool)->name)).at;
        next_hop = t->tally.record.timing.next_hop;
        next_hop = next_hop ? next_hop : pool_origin(t->pool)->next_hop;
        next_hop = arena_span(r->arena, span_of(next_hop)).at;
    }
    struct response *head = reply_error(r->arena, r, &t->failure, name, next_hop, &body);
    mark_copy(t, &head->fields);
    t->tally.record.bytes = body.len;
    enter(t, TRANSACTION_REPLYING);
    log_refusal(t);
    tally_fail(&t->tally, &t->failure, false);
    conclude(t);
    tell_reply(t, head, body);
}

/* Once the head has been relayed, a failure can only cut the response off. */
static void break_off(struct transaction *t)
{
    tally_fail(&t->tally, &t->failure, true);
    conclude(t);
    end(t);
    t->base.events->on_failed(t->base.owner, &t->failure);
}

/* There is no client to tell. A failure counts as one only for an order, and not if its
 * response was merely too long to be read (FAILURE_NONE). */
static void end_followed(struct transaction *t)
{
    const struct verdict *v = &t->failure;
    if (t->order.request->is_order && v->sent != SENT_NO && v->error != FAILURE_NONE)
        tally_fail(&t->tally, v, true);
    else
        tally_leave(&t->tally, v->sent);
    conclude(t);
    end(t);
}

/* Called from events, never from within a call of the owner. */
static void fail(struct transaction *t)
{
    let_go(t);
    if (t->state == TRANSACTION_FOLLOWED)
        end_followed(t);
    else if (t->state == TRANSACTION_RELAYING)
        break_off(t);
    else
        reply(t);
}

/* ------------------------------------------------------- events of the fetch */

static struct response relayed(struct transaction *t, const struct response *from)
{
    struct response to =
        rewrite_response(&t->rewrite, from, &t->tally.record.timing, &t->tally.record.cache);
    mark_copy(t, &to.fields);
    return to;
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
    if (t->state != TRANSACTION_FOLLOWED)
        enter(t, TRANSACTION_RELAYING);
    tally_head(&t->tally, from->status);
    if (t->order.request->is_order && from->status < 400) /* RFC 9111 4.4 */
        coalescer_forget(t->order.coalescer, t->pool, t->route.path);
    struct response to = relayed(t, from);
    t->base.events->on_head(t->base.owner, &to);
}

static void on_body(void *owner, const char *data, size_t len)
{
    struct transaction *t = owner;
    MAGIC_CHECK(t, MAGIC);
    t->tally.record.bytes += len;
    t->base.events->on_body(t->base.owner, data, len);
}

static void on_end(void *owner, const struct fields *trailers)
{
    struct transaction *t = owner;
    MAGIC_CHECK(t, MAGIC);
    t->answer = NULL;
    task_forget(&t->next);
    struct fields to = rewrite_trailers(t->order.request->arena, trailers);
    if (t->state == TRANSACTION_FOLLOWED && !t->order.request->is_order)
        tally_leave(&t->tally, SENT_YES); /* a response came, but reached no client */
    else
        tally_succeed(&t->tally);
    conclude(t);
    end(t);
    t->base.events->on_end(t->base.owner, &to);
}

static void on_failed(void *owner, const struct verdict *v)
{
    struct transaction *t = owner;
    MAGIC_CHECK(t, MAGIC);
    t->answer = NULL, t->failure = *v;
    fail(t);
}

static void on_drain(void *owner)
{
    struct transaction *t = owner;
    MAGIC_CHECK(t, MAGIC);
    t->base.events->on_drain(t->base.owner);
}

/* The tunnel takes a copy of the record along: its bytes are known only when it ends. */
static void give_record_to(struct transaction *t, struct tunnel *tunnel)
{
    const struct transaction_order *o = &t->order;
    struct tunnel_taker to = {tunnel, t->tally.began_us, o->on_record, o->record_least_us,
                              o->record_context};
    t->tally.record.tunnel = RECORD_TUNNEL_OPENED;
    if (o->on_record)
        tell(t, tunnel_take_record, &to);
}

/* The head of a 101 belongs to the protocol that follows, so its hop-by-hop fields stay. */
static void on_switch(void *owner, const struct response *head, const struct switched *to)
{
    struct transaction *t = owner;
    MAGIC_CHECK(t, MAGIC);
    t->answer = NULL;
    task_forget(&t->next);
    tally_switch(&t->tally, head->status);
    if (to->tunnel)
        give_record_to(t, to->tunnel);
    conclude(t);
    end(t);
    struct response relayed_head = rewrite_switch(t->order.request->arena, head);
    t->base.events->on_switch(t->base.owner, &relayed_head, to);
}

static const struct exchange_events fetch_events = {.on_interim = on_interim,
                                                    .on_head = on_head,
                                                    .on_body = on_body,
                                                    .on_end = on_end,
                                                    .on_failed = on_failed,
                                                    .on_drain = on_drain,
                                                    .on_switch = on_switch};

/* ----------------------------------------------------- asked by the client side */

static enum sent sent_now(const struct transaction *t)
{
    return t->answer ? exchange_sent(t->answer) : t->failure.sent;
}

static enum sent sent(const struct exchange *x)
{
    const struct transaction *t = container_of(x, const struct transaction, base);
    MAGIC_CHECK(t, MAGIC);
    return t->tally.ended ? t->tally.record.sent : sent_now(t);
}

void transaction_describe(const struct under_way_entry *e, struct request_view *to,
                          struct text *target)
{
    const struct transaction *t = container_of(e, const struct transaction, tally.under_way);
    MAGIC_CHECK(t, MAGIC);
    const struct record *r = &t->tally.record;
    *to = (struct request_view){.id = r->id,
                                .age_us = loop_clock_us(t->order.loop) - t->tally.began_us,
                                .client = r->client,
                                .bot = r->bot,
                                .upstream = r->upstream,
                                .method = r->method,
                                .progress = {.state = PROGRESS_READING},
                                .sent = sent_now(t),
                                .left = r->left};
    if (t->answer)
        to->progress = exchange_progress(t->answer);
    add_target(t, target);
}

static bool body(struct exchange *x, const char *data, size_t len)
{
    struct transaction *t = self(x);
    return t->answer == NULL || exchange_body(t->answer, data, len);
}

static void finish(struct exchange *x, const struct fields *trailers)
{
    struct transaction *t = self(x);
    struct fields to = rewrite_trailers(t->order.request->arena, trailers);
    if (t->answer)
        exchange_finish(t->answer, &to);
}

static void pause_reading(struct exchange *x)
{
    struct transaction *t = self(x);
    if (t->answer)
        exchange_pause(t->answer);
}

static void resume_reading(struct exchange *x)
{
    struct transaction *t = self(x);
    if (t->answer)
        exchange_resume(t->answer);
}

static uint64_t patience(const struct exchange *x)
{
    const struct transaction *t = container_of(x, const struct transaction, base);
    return t->answer ? exchange_patience(t->answer) : UINT64_MAX;
}

static void cancel(struct exchange *x)
{
    struct transaction *t = self(x);
    CHECK(t->state != TRANSACTION_ENDED);
    enum sent sent = sent_now(t);
    t->tally.record.left = true;
    bool concluded = t->tally.ended;
    let_go(t);
    if (!concluded) {
        tally_leave(&t->tally, sent);
        conclude(t);
    }
    end(t);
}

/* It owns the request's arena from here on, and copies what else the owner has lent it. */
static void take_over_request(struct transaction *t)
{
    struct arena *a = t->order.request->arena;
    t->arena = a;
    t->request = *t->order.request;
    t->ingress = *t->order.ingress;
    const char **names[] = {&t->ingress.upstream, &t->ingress.socket, &t->ingress.tunnel};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (*names[i])
            *names[i] = arena_span(a, span_of(*names[i])).at;
    t->order.request = t->rewrite.request = &t->request;
    t->order.ingress = t->rewrite.ingress = &t->ingress;
    t->tally.record.client = t->ingress.client;
    t->tally.record.id = &t->request.id;
}

/* False: the request was not sent whole, and is to be cancelled. */
static bool leave(struct exchange *x)
{
    struct transaction *t = self(x);
    bool goes_on = (t->state == TRANSACTION_ASKING || t->state == TRANSACTION_RELAYING) &&
                   t->failure.error == FAILURE_NONE;
    if (!goes_on || !t->answer || !t->follow || !t->follow(t->answer, &fetch_events, t))
        return false;
    t->tally.record.left = true;
    enter(t, TRANSACTION_FOLLOWED);
    take_over_request(t);
    t->base.events = &no_client_events;
    t->base.owner = NULL;
    list_push_back(t->order.followed, &t->link);
    return true;
}

struct exchange *transaction_of(struct link *link)
{
    struct transaction *t = LIST_ENTRY(link, struct transaction, link);
    MAGIC_CHECK(t, MAGIC);
    return &t->base;
}

/* Fails outside the call of the owner, with what of the request was sent by now. */
static void refuse(struct exchange *x, const struct verdict *why)
{
    struct transaction *t = self(x);
    if (t->state == TRANSACTION_REPLYING || t->state == TRANSACTION_ENDED ||
        t->failure.error != FAILURE_NONE)
        return;
    t->failure = *why;
    t->failure.sent = sent_now(t);
    let_go(t);
    loop_defer(t->order.loop, &t->next);
}

/* ------------------------------------------------------------------- opening */

/* Replies or fails, or answers a CONNECT before anything is dialled. */
static void on_next(struct task *task)
{
    struct transaction *t = container_of(task, struct transaction, next);
    MAGIC_CHECK(t, MAGIC);
    if (t->failure.error != FAILURE_NONE) {
        fail(t);
        return;
    }
    struct switched to = tunnel_open_switched(&t->route.origin, NULL);
    to.intercepts = t->route.intercepts;
    to.looks |= to.intercepts;
    on_switch(t, &tunnel_open_answer, &to);
}

/* Trunkline-Timeout can shorten total_timeout, but not extend it. */
static bool find_limit(struct transaction *t, uint64_t *total_ms)
{
    uint64_t asked;
    if (!rewrite_timeout(t->order.request, &asked, &t->failure))
        return false;
    *total_ms = t->settings->total_timeout;
    if (asked && (!*total_ms || asked < *total_ms))
        *total_ms = asked;
    return true;
}

/* Fetches it by itself; or, where the configuration lets public requests share a response,
 * by way of the store and the coalescer. */
static void begin(struct transaction *t, uint64_t total_ms)
{
    const struct fetch_order fetch = fetch_order_of(&t->rewrite, t->order.loop, t->pool,
                                                    t->order.freezes, &t->tally.record, total_ms);
    const struct cache_policy policy =
        cache_policy_of(t->settings, t->order.request, t->rewrite.is_private);
    if (order_guard_concerns(&fetch)) {
        t->answer =
            order_guard_open(t->order.dedupe, &fetch, &t->tally.record.duplicate, &fetch_events, t);
        t->follow = order_guard_follow;
        return;
    }
    if (!policy.allowed || t->order.entry || pool_is_draining(t->pool) ||
        order_is_accounted(t->settings, t->order.request->method, t->route.path)) {
        t->answer = fetch_open(&fetch, &fetch_events, t);
        t->follow = fetch_follow;
        return;
    }
    struct follower_order order = {.fetch = fetch,
                                   .policy = policy,
                                   .config = t->order.config,
                                   .arena = t->order.request->arena,
                                   .status = &t->tally.record.cache};
    t->answer = coalescer_open(t->order.coalescer, &order, &fetch_events, t);
}

void transaction_guard(struct under_way_entry *e, struct config *c)
{
    struct transaction *t = container_of(e, struct transaction, tally.under_way);
    const struct upstream_config *u =
        t->answer && t->follow == fetch_follow
            ? order_guard_settings(c, t->tally.record.upstream, t->order.request, t->route.path)
            : NULL;
    if (u == NULL)
        return;
    t->guarded_by = config_ref(c);
    t->answer = order_guard_adopt(t->order.dedupe, t->answer, u, &t->tally.record.duplicate,
                                  &fetch_events, t);
    t->follow = order_guard_follow;
}

static void find_pool(struct transaction *t)
{
    const struct transaction_order *o = &t->order;
    const struct span path = t->route.path;
    uint64_t total_ms;
    t->settings = t->route.listed ? config_for_path(t->route.listed, path.at, path.len)
                                  : &o->config->defaults;
    t->rewrite = (struct rewrite){o->config, t->settings, o->ingress, o->request, &t->route, false};
    t->rewrite.is_private = request_is_private(t->settings, &o->request->fields, path);
    t->pool = pools_find(o->pools, t->route.listed, &t->route.origin);
    if (t->pool == NULL) {
        t->failure = verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO,
                                  "too many hosts without an upstream block are in use");
        return;
    }
    if (t->tally.is_connect) /* no request */
        pool_hold(t->pool, &t->in_pool);
    else
        pool_enter(t->pool, &t->in_pool);
    tally_upstream(&t->tally, pool_stats(t->pool), pool_origin(t->pool)->name, t->settings, path);
    if (o->refusal || !find_limit(t, &total_ms))
        return;
    if (t->tally.is_connect)
        t->answer = tunnel_open(&(struct tunnel_open_order){o->loop, t->pool, &t->route.origin,
                                                            &o->request->id, total_ms, o->freezes,
                                                            t->tally.record.bot_said},
                                &fetch_events, t);
    else
        begin(t, total_ms);
}

struct exchange *transaction_open(const struct transaction_order *o,
                                  const struct exchange_events *events, void *owner)
{
    static const struct exchange_ops ops = {.body = body,
                                            .finish = finish,
                                            .pause = pause_reading,
                                            .resume = resume_reading,
                                            .cancel = cancel,
                                            .sent = sent,
                                            .refuse = refuse,
                                            .leave = leave,
                                            .patience = patience};
    struct transaction *t = SPARES_NEW_UP_TO(&spares, struct transaction, order);
    t->base = (struct exchange){&ops, events, owner};
    t->magic = MAGIC;
    t->order = *o;
    config_ref(o->config);
    task_init(&t->next, on_next);
    task_init(&t->free_later, free_now);
    tally_begin(&t->tally, o->loop, o->totals, o->request, o->ingress->client);
    t->tally.record.entry = o->entry;
    if (o->refusal)
        t->failure = *o->refusal;
    if (o->route) {
        t->route = *o->route;
        if (t->route.kind == ROUTE_UPSTREAM && !t->route.answers_first &&
            (o->refusal == NULL || t->route.listed))
            find_pool(t);
    }
    if (t->failure.error != FAILURE_NONE || t->route.answers_first)
        loop_defer(o->loop, &t->next);
    return &t->base;
}
