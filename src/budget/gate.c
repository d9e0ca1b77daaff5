#include "budget/gate.h"

#include <stdio.h>

#include "base/log.h"
#include "budget/lane.h"
#include "budget/limits.h"
#include "budget/order_pace.h"
#include "budget/tokens.h"

#define MAGIC 0x67617465
#define OBJECT_SIZE 160
#define REVIEW_MS 100 /* minimum time between reviews that are not urgent */

struct gate {
    unsigned magic;
    struct loop *loop;
    struct tokens tokens;
    struct limits limits;
    struct lane lanes[2]; /* for orders, for all other requests */
    uint64_t came;        /* number of waiters so far */
    uint64_t lapse_ms;    /* when the first hold of a waiter in `held` may end */
    struct deadline wake; /* when the next waiter may pass, or such a hold ends */
    struct order_pace pace;
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
    return n + bot_shares_waiting(&g->limits.bots);
}

/* -------------------------------------------------------------------- holds */

static struct obstacle obstacle_of(const struct gate *g, const struct gate_waiter *w)
{
    return limits_find(&g->limits, w, loop_now(g->loop));
}

/* The time until which a hold stops all requests; now, if there is no such hold. */
static uint64_t shut_until(const struct gate *g)
{
    return limits_shut_until(&g->limits, loop_now(g->loop));
}

/* A waiter that has another response to give is refused once it is held, which is not counted. */
static bool gives_way(const struct gate *g, const struct gate_waiter *w)
{
    return w->yields && obstacle_of(g, w).until_ms != 0;
}

/* ------------------------------------------------------------------- places */

/* Is it to be refused where it cannot pass at once? Not if its token is being asked for. */
static bool refuses(const struct gate *g)
{
    return g->limits.settings->on_limit == ON_LIMIT_REFUSE && !tokens_are_asked_for(&g->tokens);
}

/* The earliest time at which a request may pass that has this many others before it. */
static uint64_t earliest(const struct gate *g, const struct obstacle *o, size_t before,
                         bool is_order)
{
    uint64_t by_rate = tokens_when(&g->tokens, shut_until(g), before + 1, is_order);
    return by_rate > o->until_ms ? by_rate : o->until_ms;
}

/* How many waiters are ahead of the one with this number, as far as is known. */
static size_t ahead_of(const struct gate *g, bool is_order, uint64_t number)
{
    return is_order ? lane_ready_before(&g->lanes[0], number)
                    : g->lanes[0].ready.count + lane_ready_before(&g->lanes[1], number);
}

/* ----------------------------------------------------------------- refusals */

static struct verdict denied(const struct gate *g, const struct gate_waiter *w, uint64_t at_ms)
{
    struct obstacle o = obstacle_of(g, w);
    struct denial d = {w->is_paced ? DENIAL_ORDERS : o.cause, g->limits.settings, o.hold, w->share,
                       g->limits.holds.weight};
    return denial_verdict(&d, at_ms, loop_now(g->loop));
}

/* The earliest time for this waiter if it were the first in its lane. */
static uint64_t earliest_alone(const struct gate *g, const struct gate_waiter *w)
{
    struct obstacle o = obstacle_of(g, w);
    if (w->is_paced)
        obstacle_add(&o, DENIAL_ORDERS, bucket_when(&w->share->orders, loop_now(g->loop), 1));
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

static void set_wake(struct gate *g)
{
    uint64_t at = UINT64_MAX;
    for (size_t i = 0; i < COUNT_OF(g->lanes); i++) {
        uint64_t next =
            g->lanes[i].ready.count ? tokens_wake(&g->tokens, shut_until(g), i == 0) : UINT64_MAX;
        at = next < at ? next : at;
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
    lane_insert(alone ? &l->held : &l->ready, w);
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
            bool is_denied = g->tokens.shared && refuses(g) && at > loop_now(g->loop);
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

/* After a hold, waiters that it applied to return to their places in the order of arrival. */
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
    while ((w = next_waiter(g)) && tokens_take(&g->tokens, w->is_order, loop_now(g->loop))) {
        stop_waiting(w);
        w->on_pass(w->owner);
    }
    set_wake(g);
}

static void begin_to_wait(struct gate *g, struct gate_waiter *w, enum denial_cause cause,
                          uint64_t until_ms)
{
    g->waited += !w->has_waited && !tokens_are_asked_for(&g->tokens);
    w->has_waited = true;
    if (w->share)
        w->share->held += cause == DENIAL_SHARE || cause == DENIAL_ORDERS;
    deadline_at(&w->deadline, until_ms);
}

static void join(struct gate *g, struct gate_waiter *w, const struct obstacle *o, uint64_t until_ms)
{
    begin_to_wait(g, w, o->cause, until_ms);
    line_up(g, w, o);
    set_wake(g);
    if (list_next(&w->link) || (w->is_order && g->lanes[1].ready.count))
        review_soon(g);
}

/* True: it takes a token and passes. False: it waits in its lane, or is refused. */
static bool pass_or_join(struct gate *g, struct gate_waiter *w, uint64_t until_ms)
{
    size_t ahead = ahead_of(g, w->is_order, w->number);
    struct obstacle o = obstacle_of(g, w);
    uint64_t now = loop_now(g->loop);
    if (ahead == 0 && o.until_ms <= now && shut_until(g) <= now &&
        tokens_take(&g->tokens, w->is_order, loop_now(g->loop)))
        return true;
    if (o.until_ms > now)
        tokens_touch(&g->tokens);
    uint64_t at = earliest(g, &o, ahead, w->is_order);
    if (at >= until_ms || refuses(g) || (w->yields && o.until_ms))
        refuse_later(g, w, at);
    else
        join(g, w, &o, until_ms);
    return false;
}

/* -------------------------------------------------------------- orders of a bot */

static bool keeps_pace(struct gate *g, struct gate_waiter *w, uint64_t until_ms)
{
    uint64_t at;
    if (order_pace_take(&g->pace, w, &at))
        return true;
    if (at >= until_ms || g->limits.settings->on_limit == ON_LIMIT_REFUSE) {
        refuse_later(g, w, at);
        return false;
    }
    begin_to_wait(g, w, DENIAL_ORDERS, until_ms);
    order_pace_wait(&g->pace, w);
    return false;
}

static void on_turn(void *owner, struct gate_waiter *w)
{
    struct gate *g = owner;
    MAGIC_CHECK(g, MAGIC);
    uint64_t until = w->deadline.due;
    stop_waiting(w);
    let_in(g);
    if (pass_or_join(g, w, until))
        w->on_pass(w->owner);
}

void gate_limit_bots(struct gate *g, const struct config *c)
{
    MAGIC_CHECK(g, MAGIC);
    bot_shares_configure(&g->limits.bots, c->bots, c->bot_count, loop_now(g->loop));
    order_pace_review(&g->pace);
    review(g);
}

bool gate_pass(struct gate *g, struct gate_waiter *w, uint64_t until_ms)
{
    MAGIC_CHECK(g, MAGIC);
    uint64_t number = w->gate == g ? w->number : ++g->came;
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
                              .number = number,
                              .share = bot_shares_ask(&g->limits.bots, w->bot, loop_now(g->loop))};
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
    for (size_t i = 0; i < g->limits.bots.count; i++)
        while ((w = gate_waiter_first(&g->limits.bots.at[i]->waiting)))
            move_later(g, w);
    set_wake(g);
    order_pace_review(&g->pace);
}

void gate_stand(const struct gate *g, const struct gate_waiter *w, struct gate_standing *s)
{
    MAGIC_CHECK(g, MAGIC);
    uint64_t now = loop_now(g->loop);
    struct gate_waiter it = *w;
    it.share = bot_shares_find(&g->limits.bots, w->bot);
    struct obstacle o = obstacle_of(g, &it);
    size_t before = ahead_of(g, w->is_order, UINT64_MAX);
    int64_t limit = g->limits.settings->weight_limit, weight = holds_weight(&g->limits.holds, now);
    s->is_held = o.until_ms > now;
    s->pass_ms = earliest(g, &o, before, w->is_order);
    s->tokens = g->limits.settings->rate.count
                    ? (int64_t)tokens_count(&g->tokens, now) - (int64_t)before
                    : INT64_MAX;
    s->weight_share = limit > 0 && weight > 0 ? (unsigned)(weight * 1000 / limit) : 0;
}

void gate_watch(struct gate *g, const char *exit, void (*on_hold)(void *owner), void *owner)
{
    const char *name = g->limits.settings->name;
    g->on_hold = on_hold;
    g->owner = owner;
    snprintf(g->object, sizeof g->object, "upstream %.63s%s%s", name ? name : "(unlisted)",
             exit ? " exit " : "", exit ? exit : "");
}

/* ----------------------------------------------------------------- learning */

/* Looks at the waiters as far as what changed demands. */
static void follow(struct gate *g, enum limits_change change)
{
    if (change == LIMITS_CHANGED && waiting(g))
        review(g);
    else if (change != LIMITS_SAME)
        review_soon(g);
}

/* True: it is new, and to be logged. */
static bool add_hold(struct gate *g, const struct hold *h)
{
    bool is_new;
    enum limits_change change = limits_hold(&g->limits, h, loop_now(g->loop), &is_new);
    if (g->on_hold)
        g->on_hold(g->owner);
    follow(g, change);
    return is_new;
}

void gate_limit(struct gate *g, const struct gate_limit *l)
{
    MAGIC_CHECK(g, MAGIC);
    struct hold h;
    if (!reported_limit_hold(l, g->limits.settings, &g->limits.holds, loop_now(g->loop), &h))
        return;
    if (add_hold(g, &h))
        reported_limit_log(l, &h, g->object);
    if (g->tokens.shared)
        shared_budget_hold(g->tokens.shared, &h);
}

void gate_resume(struct gate *g)
{
    MAGIC_CHECK(g, MAGIC);
    if (g->tokens.shared)
        shared_budget_lift(g->tokens.shared);
    if (limits_lift(&g->limits, loop_now(g->loop)))
        LOG(INFO, g->object, "resume ends its holds");
    review(g);
}

uint64_t gate_weigh(struct gate *g, struct span value, int64_t now_s, const char *bot)
{
    MAGIC_CHECK(g, MAGIC);
    int64_t weight, second = now_s % 60;
    if (!reported_weight(value, &weight))
        return 0;
    uint64_t grown;
    follow(g, limits_weigh(&g->limits, weight, (uint64_t)(60 - second) * 1000, loop_now(g->loop),
                           &grown));
    bot_shares_use(&g->limits.bots, bot, grown, g->limits.holds.weight_until_ms, loop_now(g->loop));
    if (g->tokens.shared)
        shared_budget_weigh(g->tokens.shared, weight);
    return grown;
}

struct holds *gate_limits(struct gate *g)
{
    MAGIC_CHECK(g, MAGIC);
    return &g->limits.holds;
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
    it.share = bot_shares_find(&g->limits.bots, w->bot);
    return obstacle_of(g, &it).until_ms != 0;
}

void gate_describe(const struct gate *g, struct gate_view *view)
{
    MAGIC_CHECK(g, MAGIC);
    uint64_t now = loop_now(g->loop), until = obstacle_of(g, &(struct gate_waiter){0}).until_ms;
    *view = (struct gate_view){
        .rate_held = g->waited,
        .rate_refused = g->refused,
        .weight_used = holds_weight(&g->limits.holds, now),
        .held_ms = until > now ? until - now : 0,
        .turned_ms = holds_turned(&g->limits.holds, until > now, now),
        .bots = &g->limits.bots,
        .weight_limit = g->limits.settings->weight_limit,
        .now_ms = now,
    };
    if (g->limits.settings->retry_after)
        view->hold_count = holds_show(&g->limits.holds, view->holds, GATE_HOLDS_SHOWN, now);
    if (g->tokens.shared)
        shared_budget_describe(g->tokens.shared, &view->shared);
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
    if (g->limits.settings->on_limit == ON_LIMIT_REFUSE && waiting(g))
        review(g);
}

static void on_shared(void *owner, enum limits_change change)
{
    struct gate *g = sharing(owner);
    if (g->on_hold)
        g->on_hold(g->owner);
    follow(g, change);
}

static size_t count_waiting(void *owner)
{
    return waiting(sharing(owner));
}

void gate_share(struct gate *g, struct budget_store *store, const char *key, const char *exit)
{
    static const struct shared_budget_events events = {on_tokens, on_shared, count_waiting};
    MAGIC_CHECK(g, MAGIC);
    if (store == NULL)
        return;
    if (g->tokens.shared == NULL)
        g->tokens.shared = shared_budget_new(store, &g->limits, g->object, &events, g);
    shared_budget_configure(g->tokens.shared, &g->limits.settings->rate, g->limits.settings->burst,
                            key, exit);
    review(g);
}

/* ----------------------------------------------------------------- its life */

struct gate *gate_new(struct loop *loop, const struct upstream_config *settings)
{
    struct gate *g = NEW(struct gate);
    g->magic = MAGIC;
    g->loop = loop;
    g->limits.settings = settings;
    g->lapse_ms = UINT64_MAX;
    bucket_configure(&g->tokens.bucket, settings->rate.count, settings->rate.per_ms,
                     settings->burst, loop_now(loop));
    holds_init(&g->limits.holds);
    for (size_t i = 0; i < COUNT_OF(g->lanes); i++)
        lane_init(&g->lanes[i]);
    gate_watch(g, NULL, NULL, NULL);
    deadline_init(&g->wake, loop, on_wake);
    order_pace_init(&g->pace, loop, &g->limits.bots, on_turn, g);
    deadline_init(&g->rethink, loop, on_rethink);
    return g;
}

void gate_configure(struct gate *g, const struct upstream_config *settings)
{
    MAGIC_CHECK(g, MAGIC);
    g->limits.settings = settings;
    bucket_configure(&g->tokens.bucket, settings->rate.count, settings->rate.per_ms,
                     settings->burst, loop_now(g->loop));
    review(g);
}

void gate_free(struct gate *g)
{
    MAGIC_CHECK(g, MAGIC);
    CHECK(waiting(g) == 0);
    deadline_stop(&g->wake);
    order_pace_end(&g->pace);
    deadline_stop(&g->rethink);
    if (g->tokens.shared)
        shared_budget_free(g->tokens.shared);
    bot_shares_free(&g->limits.bots);
    holds_free(&g->limits.holds);
    g->magic = 0;
    free(g);
}
