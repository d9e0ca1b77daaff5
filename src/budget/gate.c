#include "budget/gate.h"

#include <stdio.h>

#include "base/bucket.h"
#include "base/log.h"
#include "budget/bot_shares.h"
#include "budget/denial.h"
#include "budget/holds.h"
#include "budget/lane.h"
#include "budget/shared_budget.h"

#define MAGIC 0x67617465
#define PUBLIC_SHARE 8 /* tenths of weight_limit that public requests may use */
#define PRIVATE_SHARE 9
#define OBJECT_SIZE 160
#define REVIEW_MS 100 /* minimum time between reviews that are not urgent */

struct gate {
    unsigned magic;
    struct loop *loop;
    const struct upstream_config *settings;
    struct bucket bucket;
    struct shared_budget *shared; /* tokens come from there, if it is on; NULL: never */
    struct holds holds;
    struct bot_shares bots;
    struct lane lanes[2];     /* for orders, for all other requests */
    uint64_t came;            /* number of waiters so far */
    uint64_t lapse_ms;        /* when the first hold of a waiter in `held` may end */
    struct deadline wake;     /* when the next waiter may pass, or such a hold ends */
    struct deadline bot_wake; /* when the order of a bot with an order_rate may go on */
    struct deadline rethink;  /* when the next review that is not urgent is due */
    uint64_t reviewed_ms;     /* when the last review was */
    uint64_t waited, refused; /* since start */
    char object[OBJECT_SIZE]; /* for the log */
    void (*on_hold)(void *owner), *owner;
};

static size_t waiting(const struct gate *g)
{
    size_t n = 0;
    for (size_t i = 0; i < COUNT_OF(g->lanes); i++)
        n += lane_waiting(&g->lanes[i]);
    return n + bot_shares_waiting(&g->bots);
}

/* -------------------------------------------------------------------- holds */

/* Why a request may not pass, whether or not there is a token. */
struct obstacle {
    uint64_t until_ms; /* 0: there is no obstacle */
    enum denial_cause cause;
    const struct hold *hold;
};

static bool is_over_weight(const struct gate *g, int64_t share)
{
    int64_t limit = g->settings->weight_limit;
    return limit > 0 && !g->holds.weight_lifted &&
           holds_weight(&g->holds, loop_now(g->loop)) * 10 >= limit * share;
}

static bool is_weighed_down(const struct gate *g, const struct gate_waiter *w)
{
    return !w->is_order && is_over_weight(g, w->is_private ? PRIVATE_SHARE : PUBLIC_SHARE);
}

static void hinder(struct obstacle *o, enum denial_cause cause, uint64_t until_ms)
{
    if (until_ms > o->until_ms)
        *o = (struct obstacle){.until_ms = until_ms, .cause = cause};
}

static struct obstacle obstacle_of(const struct gate *g, const struct gate_waiter *w)
{
    struct obstacle o = {0};
    uint64_t now = loop_now(g->loop);
    if (g->settings->retry_after)
        o.hold = holds_find(&g->holds, !w->is_order && !w->is_private, w->credential, now);
    if (o.hold)
        o = (struct obstacle){o.hold->until_ms, DENIAL_HOLD, o.hold};
    if (g->holds.weight_until_ms > o.until_ms && is_weighed_down(g, w))
        hinder(&o, DENIAL_WEIGHT, g->holds.weight_until_ms);
    if (w->share && !w->is_order)
        hinder(&o, DENIAL_SHARE,
               bot_shares_held_until(&g->bots, w->share, g->settings->weight_limit, now));
    return o;
}

/* The time until which a hold stops all requests; now, if there is no such hold. */
static uint64_t shut_until(const struct gate *g)
{
    uint64_t now = loop_now(g->loop);
    const struct hold *h = g->settings->retry_after ? holds_find(&g->holds, false, 0, now) : NULL;
    return h ? h->until_ms : now;
}

/* A waiter that has another response to give is refused as soon as it is held. That does not count
 * as a refusal. */
static bool gives_way(const struct gate *g, const struct gate_waiter *w)
{
    return w->yields && obstacle_of(g, w).until_ms != 0;
}

/* ------------------------------------------------------------------- places */

static bool take_token(struct gate *g, bool is_order)
{
    return shared_budget_is_on(g->shared) ? shared_budget_take(g->shared, is_order)
                                          : bucket_take(&g->bucket, loop_now(g->loop));
}

/* The earliest time at which the n-th token from now can be taken. */
static uint64_t token_at(const struct gate *g, size_t n, bool is_order)
{
    return shared_budget_is_on(g->shared)
               ? shared_budget_when(g->shared, shut_until(g), n, is_order)
               : bucket_when(&g->bucket, shut_until(g), n);
}

/* Is it to be refused where it cannot pass at once? Not if its token is being asked for. */
static bool refuses(const struct gate *g)
{
    return g->settings->on_limit == ON_LIMIT_REFUSE &&
           !(shared_budget_is_on(g->shared) && shared_budget_is_asking(g->shared));
}

/* The earliest time at which a request may pass that has this many others before it. */
static uint64_t earliest(const struct gate *g, const struct obstacle *o, size_t before,
                         bool is_order)
{
    uint64_t by_rate = token_at(g, before + 1, is_order);
    return by_rate > o->until_ms ? by_rate : o->until_ms;
}

/* How many waiters are ahead of a new one, as far as is known. */
static size_t before_newcomer(const struct gate *g, bool is_order)
{
    return g->lanes[0].ready.count + (is_order ? 0 : g->lanes[1].ready.count);
}

/* ----------------------------------------------------------------- refusals */

static struct verdict denied(const struct gate *g, const struct gate_waiter *w, uint64_t at_ms)
{
    struct obstacle o = obstacle_of(g, w);
    struct denial d = {w->is_paced ? DENIAL_ORDERS : o.cause, g->settings, o.hold, w->share,
                       g->holds.weight};
    return denial_verdict(&d, at_ms, loop_now(g->loop));
}

/* The earliest time for this waiter if it were the first in its lane. */
static uint64_t earliest_alone(const struct gate *g, const struct gate_waiter *w)
{
    struct obstacle o = obstacle_of(g, w);
    if (w->is_paced)
        hinder(&o, DENIAL_ORDERS, bucket_when(&w->share->orders, loop_now(g->loop), 1));
    return earliest(g, &o, 0, w->is_order);
}

struct verdict gate_refusal(const struct gate_waiter *w)
{
    MAGIC_CHECK(w->gate, MAGIC);
    return denied(w->gate, w, earliest_alone(w->gate, w));
}

static void on_refusal(struct task *t)
{
    struct gate_waiter *w = container_of(t, struct gate_waiter, refusal);
    MAGIC_CHECK(w->gate, MAGIC);
    if (w->is_moved) {
        w->on_moved(w->owner);
        return;
    }
    w->gate->refused += !gives_way(w->gate, w);
    if (w->share && (w->is_paced || obstacle_of(w->gate, w).cause == DENIAL_SHARE))
        w->share->refused++;
    w->on_refused(w->owner, &w->why);
}

static void stop_waiting(struct gate_waiter *w)
{
    list_remove(&w->link);
    deadline_stop(&w->deadline);
}

static void move_later(struct gate *g, struct gate_waiter *w)
{
    stop_waiting(w);
    w->is_moved = true;
    loop_defer(g->loop, &w->refusal);
}

static void refuse_later(struct gate *g, struct gate_waiter *w, uint64_t at_ms)
{
    w->why = denied(g, w, at_ms);
    stop_waiting(w);
    loop_defer(g->loop, &w->refusal);
}

static void on_deadline(struct deadline *d)
{
    struct gate_waiter *w = container_of(d, struct gate_waiter, deadline);
    MAGIC_CHECK(w->gate, MAGIC);
    refuse_later(w->gate, w, earliest_alone(w->gate, w));
}

/* ------------------------------------------------------------------- review */

/* When the first waiter of a lane may get a token. */
static uint64_t wake_at(const struct gate *g, bool is_order)
{
    uint64_t at = token_at(g, 1, is_order);
    return shared_budget_is_on(g->shared) ? shared_budget_wake(g->shared, at) : at;
}

static void set_wake(struct gate *g)
{
    uint64_t at = UINT64_MAX;
    for (size_t i = 0; i < COUNT_OF(g->lanes); i++) {
        if (g->lanes[i].ready.count)
            at = wake_at(g, i == 0);
        if (g->lanes[i].held.count && g->lapse_ms < at)
            at = g->lapse_ms;
    }
    if (at == UINT64_MAX)
        deadline_stop(&g->wake);
    else if (!deadline_is_set(&g->wake) || g->wake.due != at)
        deadline_at(&g->wake, at);
}

static void line_up(struct gate *g, struct gate_waiter *w, const struct obstacle *o)
{
    struct lane *l = &g->lanes[!w->is_order];
    bool alone = o->until_ms > shut_until(g);
    if (alone && o->until_ms < g->lapse_ms)
        g->lapse_ms = o->until_ms;
    list_push_back(alone ? &l->held : &l->ready, &w->link);
}

/* Checks all waiters: which of them are held, and which can no longer be sent in time. */
static void review(struct gate *g)
{
    size_t before = 0;
    struct list all;
    g->reviewed_ms = loop_now(g->loop);
    g->lapse_ms = UINT64_MAX;
    deadline_stop(&g->rethink);
    for (size_t i = 0; i < COUNT_OF(g->lanes); i++) {
        lane_gather(&g->lanes[i], &all);
        LIST_FOR (&all, w, struct gate_waiter, link) {
            struct obstacle o = obstacle_of(g, w);
            uint64_t at = earliest(g, &o, before + g->lanes[i].ready.count, w->is_order);
            list_remove(&w->link);
            bool is_denied = g->shared && refuses(g) && at > loop_now(g->loop);
            if (w->moves && o.until_ms)
                move_later(g, w);
            else if (at >= w->deadline.due || (w->yields && o.until_ms) || is_denied)
                refuse_later(g, w, at);
            else
                line_up(g, w, &o);
        }
        before += g->lanes[i].ready.count;
    }
    set_wake(g);
}

/* Waiters have moved back, so some may no longer be sent in time. There is no need to find this out
 * at once, since no waiter is sent after its deadline in any case. */
static void review_soon(struct gate *g)
{
    uint64_t at = g->reviewed_ms + REVIEW_MS, now = loop_now(g->loop);
    if (!deadline_is_set(&g->rethink) && waiting(g))
        deadline_at(&g->rethink, at > now ? at : now);
}

static void on_rethink(struct deadline *d)
{
    struct gate *g = container_of(d, struct gate, rethink);
    MAGIC_CHECK(g, MAGIC);
    review(g);
}

/* When a hold is over, the waiters that it applied to return to their places in the order of
 * arrival. */
static void let_in(struct gate *g)
{
    if (loop_now(g->loop) >= g->lapse_ms)
        review(g);
}

/* ------------------------------------------------------------------ passing */

/* The first waiter of a lane that may pass. A waiter whose deadline has passed is refused here, as
 * its deadline, which is due, would refuse it. */
static struct gate_waiter *next_of(struct gate *g, const struct lane *l)
{
    struct gate_waiter *w;
    while ((w = gate_waiter_first(&l->ready))) {
        if (obstacle_of(g, w).until_ms)
            review(g);
        else if (w->deadline.due <= loop_now(g->loop))
            refuse_later(g, w, earliest_alone(g, w));
        else
            break;
    }
    return w;
}

/* The waiter that gets the next token; NULL: all waiters are held, or there are none. */
static struct gate_waiter *next_waiter(struct gate *g)
{
    if (shut_until(g) > loop_now(g->loop))
        return NULL;
    struct gate_waiter *w = next_of(g, &g->lanes[0]);
    return w ? w : next_of(g, &g->lanes[1]);
}

static void on_wake(struct deadline *d)
{
    struct gate *g = container_of(d, struct gate, wake);
    MAGIC_CHECK(g, MAGIC);
    struct gate_waiter *w;
    let_in(g);
    while ((w = next_waiter(g)) && take_token(g, w->is_order)) {
        stop_waiting(w);
        w->on_pass(w->owner);
    }
    set_wake(g);
}

static void begin_to_wait(struct gate *g, struct gate_waiter *w, enum denial_cause cause,
                          uint64_t until_ms)
{
    g->waited += w->number == 0 && !(g->shared && shared_budget_is_asking(g->shared));
    w->number = ++g->came;
    if (w->share)
        w->share->held += cause == DENIAL_SHARE || cause == DENIAL_ORDERS;
    deadline_at(&w->deadline, until_ms);
}

static void join(struct gate *g, struct gate_waiter *w, const struct obstacle *o, uint64_t until_ms)
{
    begin_to_wait(g, w, o->cause, until_ms);
    line_up(g, w, o);
    set_wake(g);
    if (w->is_order && g->lanes[1].ready.count)
        review_soon(g);
}

/* True: it takes a token and passes. False: it waits in its lane, or is refused. */
static bool pass_or_join(struct gate *g, struct gate_waiter *w, uint64_t until_ms)
{
    size_t before = before_newcomer(g, w->is_order);
    struct obstacle o = obstacle_of(g, w);
    uint64_t now = loop_now(g->loop);
    if (before == 0 && o.until_ms <= now && shut_until(g) <= now && take_token(g, w->is_order))
        return true;
    if (o.until_ms > now && shared_budget_is_on(g->shared))
        shared_budget_touch(g->shared);
    uint64_t at = earliest(g, &o, before, w->is_order);
    if (at >= until_ms || refuses(g) || (w->yields && o.until_ms))
        refuse_later(g, w, at);
    else
        join(g, w, &o, until_ms);
    return false;
}

/* -------------------------------------------------------------- orders of a bot */

static void set_bot_wake(struct gate *g)
{
    uint64_t at = bot_shares_next(&g->bots, loop_now(g->loop));
    if (at == UINT64_MAX)
        deadline_stop(&g->bot_wake);
    else
        deadline_at(&g->bot_wake, at);
}

/* An order beyond its bot's order_rate waits before it goes to its lane, so that it does not delay
 * others there. True: it may go there at once. */
static bool keeps_pace(struct gate *g, struct gate_waiter *w, uint64_t until_ms)
{
    uint64_t now = loop_now(g->loop);
    if (!w->places || !bot_share_is_paced(w->share))
        return true;
    if (w->share->waiting.count == 0 && bucket_take(&w->share->orders, now))
        return true;
    uint64_t at = bucket_when(&w->share->orders, now, w->share->waiting.count + 1);
    w->is_paced = true;
    if (at >= until_ms || g->settings->on_limit == ON_LIMIT_REFUSE) {
        refuse_later(g, w, at);
        return false;
    }
    begin_to_wait(g, w, DENIAL_ORDERS, until_ms);
    list_push_back(&w->share->waiting, &w->link);
    set_bot_wake(g);
    return false;
}

static void let_bot_on(struct gate *g, struct bot_share *b)
{
    struct gate_waiter *w;
    while ((w = gate_waiter_first(&b->waiting)) && bucket_take(&b->orders, loop_now(g->loop))) {
        uint64_t until = w->deadline.due;
        stop_waiting(w);
        w->is_paced = false;
        if (pass_or_join(g, w, until))
            w->on_pass(w->owner);
    }
}

static void on_bot_wake(struct deadline *d)
{
    struct gate *g = container_of(d, struct gate, bot_wake);
    MAGIC_CHECK(g, MAGIC);
    let_in(g);
    for (size_t i = 0; i < g->bots.count; i++)
        let_bot_on(g, g->bots.at[i]);
    set_bot_wake(g);
}

void gate_limit_bots(struct gate *g, const struct config *c)
{
    MAGIC_CHECK(g, MAGIC);
    bot_shares_configure(&g->bots, c->bots, c->bot_count, loop_now(g->loop));
    set_bot_wake(g);
    review(g);
}

bool gate_pass(struct gate *g, struct gate_waiter *w, uint64_t until_ms)
{
    MAGIC_CHECK(g, MAGIC);
    *w = (struct gate_waiter){.is_order = w->is_order,
                              .is_private = w->is_private,
                              .places = w->places,
                              .credential = w->credential,
                              .yields = w->yields,
                              .bot = w->bot,
                              .owner = w->owner,
                              .on_pass = w->on_pass,
                              .on_refused = w->on_refused,
                              .on_moved = w->on_moved,
                              .moves = w->moves,
                              .gate = g,
                              .share = bot_shares_ask(&g->bots, w->bot, loop_now(g->loop))};
    task_init(&w->refusal, on_refusal);
    deadline_init(&w->deadline, g->loop, on_deadline);
    let_in(g);
    return keeps_pace(g, w, until_ms) && pass_or_join(g, w, until_ms);
}

void gate_forget(struct gate_waiter *w)
{
    task_forget(&w->refusal);
    if (w->gate == NULL)
        return;
    stop_waiting(w);
    set_wake(w->gate);
}

void gate_recall(struct gate *g)
{
    struct gate_waiter *w;
    MAGIC_CHECK(g, MAGIC);
    for (size_t i = 0; i < COUNT_OF(g->lanes); i++) {
        while ((w = gate_waiter_first(&g->lanes[i].ready)) ||
               (w = gate_waiter_first(&g->lanes[i].held)))
            move_later(g, w);
    }
    for (size_t i = 0; i < g->bots.count; i++)
        while ((w = gate_waiter_first(&g->bots.at[i]->waiting)))
            move_later(g, w);
    set_wake(g);
    set_bot_wake(g);
}

static uint64_t tokens(const struct gate *g)
{
    return shared_budget_is_on(g->shared) ? shared_budget_tokens(g->shared)
                                          : bucket_tokens(&g->bucket, loop_now(g->loop));
}

void gate_stand(const struct gate *g, const struct gate_waiter *w, struct gate_standing *s)
{
    MAGIC_CHECK(g, MAGIC);
    uint64_t now = loop_now(g->loop);
    struct gate_waiter it = *w;
    it.share = bot_shares_find(&g->bots, w->bot);
    struct obstacle o = obstacle_of(g, &it);
    size_t before = before_newcomer(g, w->is_order);
    int64_t limit = g->settings->weight_limit, weight = holds_weight(&g->holds, now);
    s->is_held = o.until_ms > now;
    s->pass_ms = earliest(g, &o, before, w->is_order);
    s->tokens = g->settings->rate.count ? (int64_t)tokens(g) - (int64_t)before : INT64_MAX;
    s->weight_share = limit > 0 && weight > 0 ? (unsigned)(weight * 1000 / limit) : 0;
}

void gate_watch(struct gate *g, const char *exit, void (*on_hold)(void *owner), void *owner)
{
    const char *name = g->settings->name;
    g->on_hold = on_hold;
    g->owner = owner;
    snprintf(g->object, sizeof g->object, "upstream %.63s%s%s", name ? name : "(unlisted)",
             exit ? " exit " : "", exit ? exit : "");
}

/* ----------------------------------------------------------------- learning */

/* Waiters that were not held may be held now, and waiters in `ready` may move to `held`. */
static bool add_hold(struct gate *g, const struct hold *h)
{
    uint64_t now = loop_now(g->loop), shut = shut_until(g);
    const struct hold *old = holds_find(&g->holds, h->scope == HOLD_PUBLIC, h->credential, now);
    bool prolongs = old && old->scope == h->scope && (h->scope == HOLD_ALL || old->until_ms > shut);
    bool is_new = holds_add(&g->holds, h, now);
    if (g->on_hold)
        g->on_hold(g->owner);
    if (prolongs || waiting(g) == 0)
        review_soon(g);
    else
        review(g);
    return is_new;
}

void gate_limit(struct gate *g, const struct gate_limit *l)
{
    MAGIC_CHECK(g, MAGIC);
    struct hold h;
    if (!reported_limit_hold(l, g->settings, &g->holds, loop_now(g->loop), &h))
        return;
    if (add_hold(g, &h))
        reported_limit_log(l, &h, g->object);
    if (g->shared)
        shared_budget_hold(g->shared, &h);
}

void gate_resume(struct gate *g)
{
    MAGIC_CHECK(g, MAGIC);
    if (holds_lift(&g->holds, loop_now(g->loop)))
        LOG(INFO, g->object, "resume ends its holds");
    holds_turn(&g->holds, false, loop_now(g->loop));
    bot_shares_lift(&g->bots);
    if (g->shared)
        shared_budget_lift(g->shared);
    review(g);
}

static uint64_t weigh(struct gate *g, int64_t weight, uint64_t left_ms)
{
    bool public = is_over_weight(g, PUBLIC_SHARE), private = is_over_weight(g, PRIVATE_SHARE);
    holds_turn(&g->holds, public, loop_now(g->loop));
    uint64_t grown = holds_weigh(&g->holds, weight, loop_now(g->loop), left_ms);
    holds_turn(&g->holds, is_over_weight(g, PUBLIC_SHARE), loop_now(g->loop));
    if (public != is_over_weight(g, PUBLIC_SHARE) || private != is_over_weight(g, PRIVATE_SHARE))
        review(g);
    else if (public)
        review_soon(g); /* the waiters are held for a longer or a shorter time */
    return grown;
}

uint64_t gate_weigh(struct gate *g, struct span value, int64_t now_s, const char *bot)
{
    MAGIC_CHECK(g, MAGIC);
    int64_t weight, second = now_s % 60;
    if (!reported_weight(value, &weight))
        return 0;
    uint64_t grown = weigh(g, weight, (uint64_t)(60 - second) * 1000);
    bot_shares_use(&g->bots, bot, grown, g->holds.weight_until_ms, loop_now(g->loop));
    if (g->shared)
        shared_budget_weigh(g->shared, weight);
    return grown;
}

struct holds *gate_limits(struct gate *g)
{
    MAGIC_CHECK(g, MAGIC);
    return &g->holds;
}

void gate_restored(struct gate *g)
{
    MAGIC_CHECK(g, MAGIC);
    review(g);
}

/* ------------------------------------------------------------------ looking */

bool gate_holds(const struct gate *g, const struct gate_waiter *w)
{
    MAGIC_CHECK(g, MAGIC);
    struct gate_waiter it = *w;
    it.share = bot_shares_find(&g->bots, w->bot);
    return obstacle_of(g, &it).until_ms != 0;
}

void gate_describe(const struct gate *g, struct gate_view *view)
{
    MAGIC_CHECK(g, MAGIC);
    uint64_t now = loop_now(g->loop), until = obstacle_of(g, &(struct gate_waiter){0}).until_ms;
    *view = (struct gate_view){
        .rate_held = g->waited,
        .rate_refused = g->refused,
        .weight_used = holds_weight(&g->holds, now),
        .held_ms = until > now ? until - now : 0,
        .turned_ms = holds_turned(&g->holds, until > now, now),
        .bots = &g->bots,
        .weight_limit = g->settings->weight_limit,
        .now_ms = now,
    };
    if (g->settings->retry_after)
        view->hold_count = holds_show(&g->holds, view->holds, GATE_HOLDS_SHOWN, now);
    if (g->shared)
        shared_budget_describe(g->shared, &view->shared);
}

/* -------------------------------------------------------- shared with others */

static struct gate *sharing(void *owner)
{
    struct gate *g = owner;
    MAGIC_CHECK(g, MAGIC);
    return g;
}

static void on_tokens(void *owner)
{
    struct gate *g = sharing(owner);
    on_wake(&g->wake);
    if (g->settings->on_limit == ON_LIMIT_REFUSE && waiting(g))
        review(g);
}

static void on_shared_hold(void *owner, const struct hold *h)
{
    struct gate *g = sharing(owner);
    if (add_hold(g, h))
        reported_limit_log_learned(h, "at another trunkline", h->until_ms - loop_now(g->loop),
                                   g->object);
}

static void on_lift(void *owner)
{
    struct gate *g = sharing(owner);
    if (holds_lift(&g->holds, loop_now(g->loop)))
        LOG(INFO, g->object, "resume of another trunkline ends its holds");
    holds_turn(&g->holds, false, loop_now(g->loop));
    bot_shares_lift(&g->bots);
    review(g);
}

static void on_shared_weight(void *owner, int64_t weight, uint64_t left_ms)
{
    struct gate *g = sharing(owner);
    if (weight > holds_weight(&g->holds, loop_now(g->loop)))
        weigh(g, weight, left_ms);
}

static size_t count_waiting(void *owner)
{
    return waiting(sharing(owner));
}

void gate_share(struct gate *g, struct budget_store *store, const char *key, const char *exit)
{
    static const struct shared_budget_events events = {on_tokens, on_shared_hold, on_lift,
                                                       on_shared_weight, count_waiting};
    MAGIC_CHECK(g, MAGIC);
    if (store == NULL)
        return;
    if (g->shared == NULL)
        g->shared = shared_budget_new(store, &g->holds, &events, g);
    shared_budget_configure(g->shared, &g->settings->rate, g->settings->burst, key, exit);
    review(g);
}

/* ----------------------------------------------------------------- its life */

struct gate *gate_new(struct loop *loop, const struct upstream_config *settings)
{
    struct gate *g = NEW(struct gate);
    g->magic = MAGIC;
    g->loop = loop;
    g->settings = settings;
    g->lapse_ms = UINT64_MAX;
    bucket_configure(&g->bucket, settings->rate.count, settings->rate.per_ms, settings->burst,
                     loop_now(loop));
    holds_init(&g->holds);
    for (size_t i = 0; i < COUNT_OF(g->lanes); i++)
        lane_init(&g->lanes[i]);
    gate_watch(g, NULL, NULL, NULL);
    deadline_init(&g->wake, loop, on_wake);
    deadline_init(&g->bot_wake, loop, on_bot_wake);
    deadline_init(&g->rethink, loop, on_rethink);
    return g;
}

void gate_configure(struct gate *g, const struct upstream_config *settings)
{
    MAGIC_CHECK(g, MAGIC);
    g->settings = settings;
    bucket_configure(&g->bucket, settings->rate.count, settings->rate.per_ms, settings->burst,
                     loop_now(g->loop));
    review(g);
}

void gate_free(struct gate *g)
{
    MAGIC_CHECK(g, MAGIC);
    CHECK(waiting(g) == 0);
    deadline_stop(&g->wake);
    deadline_stop(&g->bot_wake);
    deadline_stop(&g->rethink);
    if (g->shared)
        shared_budget_free(g->shared);
    bot_shares_free(&g->bots);
    holds_free(&g->holds);
    g->magic = 0;
    free(g);
}
