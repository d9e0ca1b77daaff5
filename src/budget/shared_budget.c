#include "budget/shared_budget.h"

#include <math.h>
#include <string.h>

#include "base/bucket.h"
#include "base/log.h"
#include "budget/fleet_share.h"
#include "budget/reported_limit.h"
#include "budget/store_script.h"

#define MAGIC 0x73686272
#define POLL_MS 200  /* between questions while it is used, so that holds get around */
#define FRESH_MS 500 /* what was answered longer ago may have changed */
#define URGENT_MS 20 /* between questions of orders that wait */
#define TO_TELL_MAX (HOLDS_CREDENTIALS + 2)

struct shared_budget {
    unsigned magic;
    struct store_member member;
    struct loop *loop;
    struct limits *limits;
    const char *object;
    const struct shared_budget_events *events;
    void *owner;
    char *key, *exit;
    struct config_rate rate;
    unsigned burst;
    enum budget_store_mode mode;
    struct ahead ahead;
    struct bucket share; /* while it is away: what may be used, */
    struct bucket whole; /* and what is left of the whole rate, if nobody else uses it */
    double left_level;   /* of the store's bucket, when it was last known, without untold credit */
    uint64_t left_ms;
    unsigned daemons;
    struct store_seen seen;
    struct ahead_batch asked; /* with the question under way */
    int64_t asked_weight;
    bool is_probing; /* that question asks for nothing */
    int taker;       /* while one takes a token: 1, it will wait for one; -1, it waits no longer */
    bool is_urgent;  /* an order waits, although the bucket is empty */
    bool lifts;      /* to be told */
    bool wants_now;  /* something to tell came up while a question was under way */
    int64_t weight;  /* to be told; -1: none */
    struct hold *to_tell;
    size_t to_tell_count, told_count; /* told_count: of them, in the question under way */
    uint64_t used_ms, fresh_until_ms, asked_ms, batches;
    struct deadline poll;
};

static struct shared_budget *self(void *owner)
{
    struct shared_budget *s = owner;
    MAGIC_CHECK(s, MAGIC);
    return s;
}

static uint64_t now_of(const struct shared_budget *s)
{
    return loop_now(s->loop);
}

static size_t waiting(const struct shared_budget *s)
{
    size_t n = s->events->waiting(s->owner);
    return s->taker < 0 && n == 0 ? 0 : n + (size_t)s->taker;
}

/* --------------------------------------------------------------------- asking */

static void ask(struct shared_budget *s)
{
    if (s->mode != BUDGET_STORE_UP || s->member.is_asking)
        return;
    s->asked_ms = now_of(s);
    budget_store_ask(&s->member);
    if (!deadline_is_set(&s->poll))
        deadline_in(&s->poll, POLL_MS);
}

static void ask_now(struct shared_budget *s)
{
    s->wants_now = s->member.is_asking;
    ask(s);
}

static void ask_if_low(struct shared_budget *s, bool is_urgent)
{
    uint64_t now = now_of(s);
    bool is_stale = now >= s->fresh_until_ms;
    if (is_stale || ahead_is_low(&s->ahead, waiting(s), now) ||
        (is_urgent && now >= s->asked_ms + URGENT_MS))
        ask(s);
    else if (!deadline_is_set(&s->poll))
        deadline_in(&s->poll, POLL_MS);
}

/* While it is used, it asks now and then in any case; once more to give back what is left; then
 * no more. */
static void on_poll(struct deadline *d)
{
    struct shared_budget *s = self(container_of(d, struct shared_budget, poll));
    uint64_t now = now_of(s);
    if (s->mode != BUDGET_STORE_UP)
        return;
    if (s->member.is_asking) {
        deadline_in(&s->poll, POLL_MS);
        return;
    }
    if (waiting(s))
        s->used_ms = now;
    bool has_to_tell = s->weight >= 0 || s->to_tell_count || s->lifts;
    if (s->used_ms + POLL_MS > now || has_to_tell ||
        s->ahead.ready + s->ahead.later + s->ahead.back + s->ahead.credit)
        ask(s);
}

static void decide_what_to_ask(struct shared_budget *s)
{
    uint64_t now = now_of(s);
    s->is_probing = s->mode != BUDGET_STORE_UP;
    s->told_count = s->is_probing ? 0 : s->to_tell_count;
    s->asked_weight = s->is_probing ? -1 : s->weight;
    if (s->is_probing)
        s->asked = (struct ahead_batch){0};
    else if (s->used_ms + POLL_MS > now || waiting(s))
        s->asked = ahead_ask(&s->ahead, waiting(s), now);
    else
        s->asked = ahead_give_back(&s->ahead, now);
    if (s->is_probing)
        return;
    s->batches++;
    s->weight = -1;
}

/* The whole script asks for what the short form asked for, which has had no effect. */
static void write_request(void *owner, bool is_whole, struct text *to)
{
    struct shared_budget *s = self(owner);
    if (!is_whole)
        decide_what_to_ask(s);
    struct store_request r = {.key = span_of(s->key),
                              .exit = span_of(s->exit),
                              .id = budget_store_id(s->member.store),
                              .rate = s->rate,
                              .burst = s->burst ? s->burst : s->rate.count,
                              .horizon_ms = AHEAD_HORIZON_MS * (s->is_urgent ? 2 : 1),
                              .batch = s->asked,
                              .weight = s->asked_weight,
                              .seen = s->seen,
                              .lifts = s->lifts && !s->is_probing,
                              .holds = s->to_tell,
                              .hold_count = s->told_count,
                              .now_ms = now_of(s)};
    store_script_write(&r, is_whole, to);
}

/* -------------------------------------------------------------------- answers */

static void add_to_tell(struct shared_budget *s, const struct hold *h)
{
    if (s->to_tell_count == TO_TELL_MAX) {
        memmove(s->to_tell, s->to_tell + 1, (TO_TELL_MAX - 1) * sizeof *h);
        s->to_tell_count--;
    }
    s->to_tell = must_realloc(s->to_tell, (s->to_tell_count + 1) * sizeof *h);
    s->to_tell[s->to_tell_count++] = *h;
}

static void forget_told(struct shared_budget *s)
{
    s->to_tell_count -= s->told_count;
    if (s->told_count)
        memmove(s->to_tell, s->to_tell + s->told_count, s->to_tell_count * sizeof *s->to_tell);
    s->told_count = 0;
}

/* The store has not seen this budget before, or has lost it: holds in force are told again. */
static void tell_all(struct shared_budget *s)
{
    const struct hold *h = NULL;
    s->to_tell_count = 0;
    while ((h = holds_next(&s->limits->holds, h, now_of(s))))
        add_to_tell(s, h);
    s->wants_now = s->to_tell_count > 0;
}

static void add_hold(struct shared_budget *s, const struct hold *h)
{
    bool is_new;
    enum limits_change change = limits_hold(s->limits, h, now_of(s), &is_new);
    if (is_new)
        reported_limit_log_learned(h, "at another trunkline", h->until_ms - now_of(s), s->object);
    s->events->on_limits(s->owner, change);
}

static void lift_all(struct shared_budget *s)
{
    if (limits_lift(s->limits, now_of(s)))
        LOG(INFO, s->object, "resume of another trunkline ends its holds");
    s->events->on_limits(s->owner, LIMITS_CHANGED);
}

static void add_weight(struct shared_budget *s, int64_t weight, uint64_t left_ms)
{
    uint64_t grown, now = now_of(s);
    if (weight > holds_weight(&s->limits->holds, now))
        s->events->on_limits(s->owner, limits_weigh(s->limits, weight, left_ms, now, &grown));
}

static void take_state(struct shared_budget *s, struct store_answer *a)
{
    struct hold h;
    bool is_known = strcmp(s->seen.epoch, a->seen.epoch) == 0;
    bool is_lifted = is_known && a->seen.lifts > s->seen.lifts + (s->lifts && !s->is_probing);
    s->seen = a->seen;
    if (!s->is_probing)
        s->lifts = false;
    if (is_lifted)
        lift_all(s);
    if (!is_known)
        tell_all(s);
    while (store_answer_hold(a, now_of(s), &h))
        add_hold(s, &h);
    add_weight(s, a->weight, a->weight_left_ms);
}

/* For those that wait: at once, or when the bucket should have something to give. */
static void ask_again(struct shared_budget *s)
{
    uint64_t at = s->ahead.not_before_ms;
    ask_if_low(s, false);
    if (at > now_of(s) && !s->member.is_asking && at < s->poll.due)
        deadline_at(&s->poll, at);
}

/* An answer that comes in an outage: what it grants is unused. */
static void take_late(struct shared_budget *s, const struct ahead_grant *g)
{
    double granted = (double)(g->now + g->later);
    if (s->rate.count && granted > 0)
        bucket_set(&s->whole, bucket_level(&s->whole, now_of(s)) + granted, now_of(s));
}

static bool on_answer(void *owner, const struct store_reply *reply, bool is_late)
{
    struct shared_budget *s = self(owner);
    struct store_answer a;
    if (!store_script_read(reply, &a))
        return false;
    forget_told(s);
    s->is_urgent = false;
    s->daemons = a.grant.daemons;
    if (is_late || s->is_probing)
        take_late(s, &a.grant);
    else
        ahead_answer(&s->ahead, &a.grant, now_of(s));
    s->fresh_until_ms = is_late ? 0 : now_of(s) + FRESH_MS;
    take_state(s, &a);
    s->events->on_tokens(s->owner);
    if (s->wants_now)
        ask_now(s);
    else if (waiting(s))
        ask_again(s);
    return true;
}

static void on_lost(void *owner)
{
    struct shared_budget *s = self(owner);
    s->told_count = 0;
    ahead_lost(&s->ahead, &s->asked);
    s->asked = (struct ahead_batch){0};
}

/* ---------------------------------------------------------------------- modes */

/* Begins to keep account of what is used without the store: of a bucket that has what the store's
 * had left, and what was held or on its way back. */
static void keep_account(struct shared_budget *s, struct ahead_rest rest)
{
    uint64_t now = now_of(s);
    s->whole = (struct bucket){0};
    bucket_configure(&s->whole, s->rate.count, s->rate.per_ms, s->burst, now);
    s->left_level = rest.level;
    s->left_ms = now;
    if (s->rate.count)
        bucket_set(&s->whole, rest.level + rest.held + rest.back, now);
}

/* What the store does not know to be used, and what has not flowed back: the difference between its
 * bucket, in which the credit that it was never told is still there, and that account. */
static int64_t account(const struct shared_budget *s)
{
    if (s->rate.count == 0)
        return 0;
    double burst = s->burst ? s->burst : s->rate.count;
    double flow = (double)s->rate.count / (double)s->rate.per_ms;
    double unused =
        s->left_level + (double)s->ahead.credit + flow * (double)(now_of(s) - s->left_ms);
    return llround((unused < burst ? unused : burst) - bucket_level(&s->whole, now_of(s)));
}

static void go_on_share(struct shared_budget *s, bool was_shared)
{
    uint64_t now = now_of(s);
    struct fleet_share f = fleet_share_of(s->daemons, budget_store_percent(s->member.store));
    struct fleet_rate r = fleet_share_rate(f, &s->rate, s->burst);
    struct ahead_rest rest = ahead_leave(&s->ahead, now);
    s->share = (struct bucket){0};
    bucket_configure(&s->share, r.rate.count, r.rate.per_ms, r.burst, now);
    if (was_shared && s->rate.count)
        bucket_set(&s->share, rest.held + rest.level * f.part / f.of, now);
    keep_account(s, rest);
    s->fresh_until_ms = 0;
    deadline_stop(&s->poll);
}

static bool is_holding(const struct shared_budget *s)
{
    return holds_next(&s->limits->holds, NULL, now_of(s)) != NULL;
}

/* A store that has lost everything shows it by its next answer: where there are holds to be told
 * again, that must not wait for a request, which another trunkline would send. */
static void on_reconnected(void *owner)
{
    struct shared_budget *s = self(owner);
    if (is_holding(s))
        ask_now(s);
}

static void on_mode(void *owner)
{
    struct shared_budget *s = self(owner);
    enum budget_store_mode was = s->mode;
    s->mode = budget_store_mode(s->member.store);
    if (s->mode == BUDGET_STORE_AWAY)
        go_on_share(s, was == BUDGET_STORE_UP);
    else if (s->mode == BUDGET_STORE_UP)
        ahead_return(&s->ahead, was == BUDGET_STORE_AWAY ? account(s) : 0);
    if (s->mode == BUDGET_STORE_UP && (waiting(s) || s->to_tell_count || s->lifts ||
                                       s->ahead.credit || s->ahead.back || is_holding(s)))
        ask_now(s);
    s->events->on_tokens(s->owner);
}

/* --------------------------------------------------------------- for the gate */

bool shared_budget_is_on(const struct shared_budget *s)
{
    return s && s->mode != BUDGET_STORE_OFF;
}

static bool take_share(struct shared_budget *s, uint64_t now)
{
    if (!bucket_take(&s->share, now))
        return false;
    bool had_one = bucket_take(&s->whole, now);
    (void)had_one; /* the share is what counts */
    return true;
}

bool shared_budget_take(struct shared_budget *s, bool is_order)
{
    uint64_t now = now_of(s);
    s->used_ms = now;
    if (s->mode == BUDGET_STORE_AWAY)
        return take_share(s, now);
    bool taken = (is_order || now < s->fresh_until_ms) && ahead_take(&s->ahead, now, is_order);
    s->taker = taken ? -1 : 1;
    s->is_urgent = s->is_urgent || (is_order && !taken);
    ask_if_low(s, is_order && !taken);
    s->taker = 0;
    return taken;
}

void shared_budget_touch(struct shared_budget *s)
{
    s->used_ms = now_of(s);
    if (s->mode == BUDGET_STORE_UP)
        ask_if_low(s, false);
}

uint64_t shared_budget_when(struct shared_budget *s, uint64_t from_ms, uint64_t n, bool is_order)
{
    uint64_t now = now_of(s);
    if (s->mode == BUDGET_STORE_AWAY)
        return bucket_when(&s->share, from_ms, n);
    bool is_stale = now >= s->fresh_until_ms && !is_order;
    uint64_t at = ahead_when(&s->ahead, from_ms, n, is_order, now);
    if (at > now ||
        (!is_stale && (s->rate.count == 0 || n <= ahead_at_hand(&s->ahead, is_order, now))))
        return at;
    return s->ahead.not_before_ms > now ? s->ahead.not_before_ms : now + 1;
}

uint64_t shared_budget_wake(struct shared_budget *s, uint64_t at_ms)
{
    uint64_t answered = s->asked_ms + budget_store_timeout_ms(s->member.store) + 1;
    bool is_known = at_ms > now_of(s) + 1;
    return !is_known && shared_budget_is_asking(s) && answered > at_ms ? answered : at_ms;
}

uint64_t shared_budget_tokens(struct shared_budget *s)
{
    uint64_t now = now_of(s);
    return s->mode == BUDGET_STORE_AWAY ? bucket_tokens(&s->share, now)
                                        : ahead_at_hand(&s->ahead, false, now);
}

bool shared_budget_is_asking(const struct shared_budget *s)
{
    return s->mode == BUDGET_STORE_UP && (s->member.is_asking || s->member.waiting.on);
}

void shared_budget_hold(struct shared_budget *s, const struct hold *h)
{
    if (s->mode == BUDGET_STORE_OFF)
        return;
    add_to_tell(s, h);
    ask_now(s);
}

void shared_budget_weigh(struct shared_budget *s, int64_t weight)
{
    s->weight = weight; /* with the next question: it is used, so there is one soon */
    if (s->mode == BUDGET_STORE_UP && !deadline_is_set(&s->poll))
        deadline_in(&s->poll, POLL_MS);
}

void shared_budget_lift(struct shared_budget *s)
{
    if (s->mode == BUDGET_STORE_OFF)
        return;
    s->to_tell_count = s->told_count = 0;
    s->lifts = true;
    ask_now(s);
}

void shared_budget_describe(const struct shared_budget *s, struct shared_budget_view *v)
{
    *v = (struct shared_budget_view){0};
    if (!shared_budget_is_on(s))
        return;
    *v = (struct shared_budget_view){.key = s->key,
                                     .word = s->mode == BUDGET_STORE_UP ? "shared" : "away",
                                     .ahead = s->ahead.ready + s->ahead.later,
                                     .credit = s->ahead.credit,
                                     .daemons = s->daemons,
                                     .batches = s->batches};
}

/* ----------------------------------------------------------------------- life */

struct shared_budget *shared_budget_new(struct budget_store *store, struct limits *limits,
                                        const char *object,
                                        const struct shared_budget_events *events, void *owner)
{
    struct shared_budget *s = NEW(struct shared_budget);
    MAGIC_INIT(s, MAGIC);
    s->loop = budget_store_loop(store);
    s->limits = limits;
    s->object = object;
    s->events = events;
    s->owner = owner;
    s->weight = -1;
    s->key = must_strdup("");
    s->exit = must_strdup("");
    s->member.owner = s;
    s->member.write = write_request;
    s->member.on_answer = on_answer;
    s->member.on_lost = on_lost;
    s->member.on_mode = on_mode;
    s->member.on_reconnected = on_reconnected;
    deadline_init(&s->poll, s->loop, on_poll);
    budget_store_join(store, &s->member);
    s->mode = budget_store_mode(store);
    return s;
}

void shared_budget_configure(struct shared_budget *s, const struct config_rate *rate,
                             unsigned burst, const char *key, const char *exit)
{
    MAGIC_CHECK(s, MAGIC);
    bool moves = strcmp(s->key, key) != 0 || strcmp(s->exit, exit) != 0;
    bool changes =
        s->rate.count != rate->count || s->rate.per_ms != rate->per_ms || s->burst != burst;
    if (!moves && !changes)
        return;
    if (moves) {
        free(s->key);
        free(s->exit);
        s->key = must_strdup(key);
        s->exit = must_strdup(exit);
        s->seen = (struct store_seen){0};
        s->ahead = (struct ahead){0};
        s->daemons = 0;
    }
    s->rate = *rate;
    s->burst = burst;
    s->fresh_until_ms = 0;
    ahead_configure(&s->ahead, rate, burst);
    if (s->mode == BUDGET_STORE_AWAY)
        go_on_share(s, false);
}

void shared_budget_free(struct shared_budget *s)
{
    MAGIC_CHECK(s, MAGIC);
    budget_store_leave(&s->member);
    deadline_stop(&s->poll);
    free(s->to_tell);
    free(s->key);
    free(s->exit);
    s->magic = 0;
    free(s);
}
