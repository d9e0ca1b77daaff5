#include "upstream/gate.h"

#include <stdio.h>

#include "base/duration.h"
#include "base/log.h"
#include "upstream/bucket.h"
#include "upstream/holds.h"
#include "upstream/retry_after.h"

#define MAGIC 0x67617465
#define SECONDS_MOST 86400
#define WEIGHT_MOST INT64_C(1000000000000)
#define PUBLIC_SHARE 8 /* tenths of weight_limit that quotes may use up */
#define PRIVATE_SHARE 9

struct gate {
    unsigned magic;
    struct loop *loop;
    const struct upstream_config *settings;
    struct bucket bucket;
    struct holds holds;
    struct list orders, rest; /* who waits */
    struct deadline wake;     /* when the next one may pass, or sooner */
    uint64_t held, refused;
};

/* -------------------------------------------------------------------- holds */

/* Why one may not pass, whatever the bucket holds. */
struct hold {
    uint64_t until_ms;         /* 0: it is not held */
    const struct pause *pause; /* NULL: by the weight used up */
};

static bool is_over_weight(const struct gate *g, const struct gate_waiter *w)
{
    int64_t share = w->is_private ? PRIVATE_SHARE : PUBLIC_SHARE, limit = g->settings->weight_limit;
    return !w->is_order && limit > 0 &&
           holds_weight(&g->holds, loop_now(g->loop)) * 10 >= limit * share;
}

static struct hold hold_of(const struct gate *g, const struct gate_waiter *w)
{
    struct hold h = {0};
    if (g->settings->retry_after)
        h.pause = holds_find(&g->holds, w->credential, loop_now(g->loop));
    if (h.pause)
        h.until_ms = h.pause->until_ms;
    if (is_over_weight(g, w) && g->holds.weight_until_ms > h.until_ms)
        h = (struct hold){.until_ms = g->holds.weight_until_ms};
    return h;
}

/* Until when nobody may pass; now, if anybody may. */
static uint64_t shut_until(const struct gate *g)
{
    uint64_t now = loop_now(g->loop);
    const struct pause *p = g->settings->retry_after ? holds_find(&g->holds, 0, now) : NULL;
    return p ? p->until_ms : now;
}

static bool is_held_alone(const struct gate *g, const struct gate_waiter *w)
{
    return hold_of(g, w).until_ms > shut_until(g);
}

/* ------------------------------------------------------------------- places */

/* When it may pass at the earliest, with so many others before it. */
static uint64_t earliest(const struct gate *g, const struct gate_waiter *w, size_t before)
{
    uint64_t by_rate = bucket_when(&g->bucket, shut_until(g), before + 1);
    uint64_t by_hold = hold_of(g, w).until_ms;
    return by_rate > by_hold ? by_rate : by_hold;
}

/* Those on the list that go before a newcomer, for all that is known. */
static size_t count_before(const struct gate *g, const struct list *list)
{
    size_t count = 0;
    LIST_FOR (list, w, struct gate_waiter, link)
        count += !is_held_alone(g, w);
    return count;
}

static size_t before_newcomer(const struct gate *g, bool is_order)
{
    return count_before(g, &g->orders) + (is_order ? 0 : count_before(g, &g->rest));
}

/* Whose time is over waits for its own deadline, which is due. */
static struct gate_waiter *next_on(const struct gate *g, const struct list *list)
{
    uint64_t now = loop_now(g->loop);
    LIST_FOR (list, w, struct gate_waiter, link)
        if (w->deadline.due > now && hold_of(g, w).until_ms == 0)
            return w;
    return NULL;
}

/* Who would get the next token: NULL if all are held, or none waits. */
static struct gate_waiter *next_waiter(const struct gate *g)
{
    struct gate_waiter *w = next_on(g, &g->orders);
    return w ? w : next_on(g, &g->rest);
}

/* ----------------------------------------------------------------- refusals */

static unsigned seconds_until(const struct gate *g, uint64_t at_ms)
{
    uint64_t now = loop_now(g->loop), left = at_ms > now ? at_ms - now : 0;
    if (left > SECONDS_MOST * UINT64_C(1000))
        return SECONDS_MOST;
    return left <= 1000 ? 1 : (unsigned)((left + 999) / 1000);
}

static struct verdict denied(const struct gate *g, const struct gate_waiter *w, uint64_t at_ms)
{
    const struct upstream_config *u = g->settings;
    struct hold h = hold_of(g, w);
    struct verdict v =
        verdict_make(FAILURE_HTTP_REQUEST_DENIED, SENT_NO, "it could not be sent in time");
    char per[DURATION_TEXT_SIZE];
    if (h.pause)
        snprintf(v.detail, sizeof v.detail, "the exchange asked for a pause of %us (%u)",
                 h.pause->seconds, h.pause->status);
    else if (h.until_ms)
        snprintf(v.detail, sizeof v.detail, "used weight %lld of %u", (long long)g->holds.weight,
                 u->weight_limit);
    else if (u->rate.count)
        snprintf(v.detail, sizeof v.detail, "rate limit of %u/%s reached", u->rate.count,
                 duration_text(per, u->rate.per_ms));
    v.status = 429;
    v.retry_after = seconds_until(g, at_ms);
    return v;
}

struct verdict gate_refusal(const struct gate_waiter *w)
{
    MAGIC_CHECK(w->gate, MAGIC);
    return denied(w->gate, w, earliest(w->gate, w, 0));
}

/* Held, it goes at once: for it there is another answer. */
static bool gives_way(const struct gate *g, const struct gate_waiter *w)
{
    return w->yields && hold_of(g, w).until_ms != 0;
}

static void on_refusal(struct task *t)
{
    struct gate_waiter *w = container_of(t, struct gate_waiter, refusal);
    MAGIC_CHECK(w->gate, MAGIC);
    w->gate->refused += !gives_way(w->gate, w);
    w->on_refused(w->owner, &w->why);
}

static void stop_waiting(struct gate *g, struct gate_waiter *w)
{
    list_remove(&w->link);
    deadline_stop(&w->deadline);
    if (g->orders.count + g->rest.count == 0)
        deadline_stop(&g->wake);
}

static void refuse_later(struct gate *g, struct gate_waiter *w, uint64_t at_ms)
{
    w->why = denied(g, w, at_ms);
    stop_waiting(g, w);
    loop_defer(g->loop, &w->refusal);
}

static void on_deadline(struct deadline *d)
{
    struct gate_waiter *w = container_of(d, struct gate_waiter, deadline);
    struct gate *g = w->gate;
    MAGIC_CHECK(g, MAGIC);
    refuse_later(g, w, earliest(g, w, 0));
}

/* ------------------------------------------------------------------ passing */

static void wake_at(struct gate *g, uint64_t at_ms)
{
    if (!deadline_is_set(&g->wake) || at_ms < g->wake.due)
        deadline_at(&g->wake, at_ms);
}

/* Refuses those who are now known to be too late, and wakes for the rest. */
static void review(struct gate *g)
{
    struct list *const lists[] = {&g->orders, &g->rest};
    size_t before = 0;
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        LIST_FOR (lists[i], w, struct gate_waiter, link) {
            uint64_t at = earliest(g, w, before);
            if (at >= w->deadline.due || gives_way(g, w)) {
                refuse_later(g, w, at);
                continue;
            }
            before += !is_held_alone(g, w);
            wake_at(g, at);
        }
    }
}

static void on_wake(struct deadline *d)
{
    struct gate *g = container_of(d, struct gate, wake);
    MAGIC_CHECK(g, MAGIC);
    struct gate_waiter *w;
    while ((w = next_waiter(g)) && bucket_take(&g->bucket, loop_now(g->loop))) {
        stop_waiting(g, w);
        w->on_pass(w->owner);
    }
    review(g);
}

static void join(struct gate *g, struct gate_waiter *w, uint64_t until_ms)
{
    g->held++;
    deadline_at(&w->deadline, until_ms);
    list_push_back(w->is_order ? &g->orders : &g->rest, &w->link);
}

bool gate_pass(struct gate *g, struct gate_waiter *w, uint64_t until_ms)
{
    MAGIC_CHECK(g, MAGIC);
    *w = (struct gate_waiter){.is_order = w->is_order,
                              .is_private = w->is_private,
                              .credential = w->credential,
                              .yields = w->yields,
                              .owner = w->owner,
                              .on_pass = w->on_pass,
                              .on_refused = w->on_refused,
                              .gate = g};
    task_init(&w->refusal, on_refusal);
    deadline_init(&w->deadline, g->loop, on_deadline);
    size_t before = before_newcomer(g, w->is_order);
    uint64_t at = earliest(g, w, before), now = loop_now(g->loop);
    if (at <= now && before == 0 && bucket_take(&g->bucket, now))
        return true;
    if (at >= until_ms || g->settings->on_limit == ON_LIMIT_REFUSE || gives_way(g, w)) {
        refuse_later(g, w, at);
        return false;
    }
    join(g, w, until_ms);
    wake_at(g, at);
    if (w->is_order && g->rest.count)
        review(g); /* the others' places are worse now */
    return false;
}

void gate_forget(struct gate_waiter *w)
{
    task_forget(&w->refusal);
    if (w->gate)
        stop_waiting(w->gate, w);
}

/* ----------------------------------------------------------------- learning */

static void log_pause(const struct gate *g, const struct pause *p)
{
    char object[100];
    const char *name = g->settings->name;
    snprintf(object, sizeof object, "upstream %s", name ? name : "(unlisted)");
    LOG(WARN, object, "the exchange asked for a pause of %us (%u): %s", p->seconds, p->status,
        p->credential ? "requests of one credential wait" : "all requests wait");
}

static void learn_pause(struct gate *g, const struct gate_answer *a)
{
    uint64_t now = loop_now(g->loop);
    struct pause p = {.status = a->status, .seconds = retry_after_s(a->retry_after, a->now_s)};
    if ((a->status != 429 && a->status != 418) || p.seconds == 0 || !g->settings->retry_after)
        return;
    if (a->status == 429 && a->is_private)
        p.credential = a->credential;
    p.until_ms = now + (uint64_t)p.seconds * 1000;
    if (holds_find(&g->holds, p.credential, now) == NULL)
        log_pause(g, &p);
    holds_pause(&g->holds, &p, now);
}

/* Digits only; what is no number was not said. */
static uint64_t learn_weight(struct gate *g, const struct gate_answer *a)
{
    struct span value = span_trim(a->weight);
    int64_t weight = 0, second = a->now_s % 60;
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return 0;
        if (weight < WEIGHT_MOST)
            weight = weight * 10 + (value.at[i] - '0');
    }
    if (value.len == 0)
        return 0;
    return holds_weigh(&g->holds, weight, loop_now(g->loop), (uint64_t)(60 - second) * 1000);
}

/* What was learned may end a hold as well: a weight can fall. */
static void settle(struct gate *g)
{
    if (g->orders.count + g->rest.count)
        review(g);
}

uint64_t gate_learn(struct gate *g, const struct gate_answer *a)
{
    MAGIC_CHECK(g, MAGIC);
    learn_pause(g, a);
    uint64_t grown = learn_weight(g, a);
    settle(g);
    return grown;
}

/* ------------------------------------------------------------------ looking */

bool gate_holds(const struct gate *g, const struct gate_waiter *w)
{
    MAGIC_CHECK(g, MAGIC);
    return hold_of(g, w).until_ms != 0;
}

void gate_describe(const struct gate *g, struct gate_view *view)
{
    MAGIC_CHECK(g, MAGIC);
    uint64_t now = loop_now(g->loop), until = hold_of(g, &(struct gate_waiter){0}).until_ms;
    *view = (struct gate_view){
        .rate_held = g->held,
        .rate_refused = g->refused,
        .weight_used = holds_weight(&g->holds, now),
        .held_ms = until > now ? until - now : 0,
    };
}

/* ----------------------------------------------------------------- its life */

struct gate *gate_new(struct loop *loop, const struct upstream_config *settings)
{
    struct gate *g = NEW(struct gate);
    g->magic = MAGIC;
    g->loop = loop;
    g->settings = settings;
    bucket_configure(&g->bucket, &settings->rate, settings->burst, loop_now(loop));
    holds_init(&g->holds);
    list_init(&g->orders);
    list_init(&g->rest);
    deadline_init(&g->wake, loop, on_wake);
    return g;
}

void gate_configure(struct gate *g, const struct upstream_config *settings)
{
    MAGIC_CHECK(g, MAGIC);
    g->settings = settings;
    bucket_configure(&g->bucket, &settings->rate, settings->burst, loop_now(g->loop));
    settle(g);
}

void gate_free(struct gate *g)
{
    MAGIC_CHECK(g, MAGIC);
    CHECK(g->orders.count == 0 && g->rest.count == 0);
    deadline_stop(&g->wake);
    g->magic = 0;
    free(g);
}
