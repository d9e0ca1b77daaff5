/* The rate gate under random use, checked against simple rules: never more than burst + rate·t in
 * any window; first come, first served within a class; no request is sent while held or too late;
 * no request waits without a reason; each gets one event. */
#include "gate_fixture.h"

#include <stdlib.h>

#include "storm.h"
#include "suite.h"

#define LIVES 16 /* a few requests for each budget */
#define CALLERS 40
#define STEPS 1500
#define CREDENTIALS 4 /* 0: none */

struct life {
    struct gate_caller a;
    uint64_t until, seq;
};

static struct life lives[CALLERS];
static uint64_t seq;
static uint64_t passes[STEPS * 2]; /* when */
static size_t passed;
static uint64_t shut[CREDENTIALS], shut_all; /* until when; index 0: public requests */
static int64_t weight;
static uint64_t weight_until;
static uint64_t waited, sent_later;

/* ---------------------------------------------------------------- the rules */

static bool must_wait(const struct gate_waiter *w)
{
    uint64_t now = loop_now(loop);
    int64_t most = (int64_t)settings.weight_limit * (w->is_private ? 90 : 80) / 100;
    bool is_public = !w->is_order && !w->is_private;
    if (now < shut_all || (is_public && now < shut[0]) ||
        (w->credential && now < shut[w->credential]))
        return true;
    return !w->is_order && settings.weight_limit && now < weight_until && weight >= most;
}

/* Returns true if the request could be sent now if there were a token. A request whose refusal is
 * already deferred cannot be sent. */
static bool is_ready(const struct life *l)
{
    return l->a.waits && deadline_is_set(&l->a.w.deadline) && l->until > loop_now(loop) &&
           !must_wait(&l->a.w);
}

/* Checks that no earlier request was overtaken, and that no order was overtaken by a request that
 * is not an order. */
static void check_order(const struct life *l)
{
    for (size_t i = 0; i < CALLERS; i++) {
        const struct life *o = &lives[i];
        if (o == l || !is_ready(o))
            continue;
        ck_assert(o->a.w.is_order <= l->a.w.is_order);
        ck_assert(o->a.w.is_order < l->a.w.is_order || o->seq > l->seq);
    }
}

static void check_windows(void)
{
    const struct config_rate *r = &settings.rate;
    uint64_t burst = settings.burst ? settings.burst : r->count;
    for (size_t i = 0; r->count && i < passed; i++)
        for (size_t j = i; j < passed; j++)
            ck_assert_uint_le((j - i + 1) * r->per_ms,
                              burst * r->per_ms + (passes[j] - passes[i]) * r->count);
}

/* All tokens that were added are used if any request could use them: as many requests passed as the
 * rate allows, counted from any point at which the bucket was full. */
static bool has_token(void)
{
    double per = (double)settings.rate.per_ms, count = settings.rate.count;
    double most = settings.burst ? settings.burst : settings.rate.count, level = most;
    if (settings.rate.count == 0)
        return true;
    for (size_t i = 0; i <= passed; i++) {
        uint64_t to = i < passed ? passes[i] : loop_now(loop);
        if (i) {
            level += (double)(to - passes[i - 1]) * count / per;
            level = level < most ? level : most;
        }
        level -= i < passed;
    }
    return level > 1.001;
}

static void check_nobody_idles(void)
{
    bool token = has_token();
    for (size_t i = 0; i < CALLERS; i++)
        ck_assert(!token || !is_ready(&lives[i]));
}

/* ----------------------------------------------------------------- the life */

static void sent(struct life *l)
{
    ck_assert(!must_wait(&l->a.w));
    check_order(l);
    ck_assert_uint_lt(passed, COUNT_OF(passes));
    passes[passed++] = loop_now(loop);
}

static void on_sent(struct gate_caller *a)
{
    struct life *l = container_of(a, struct life, a);
    ck_assert_uint_lt(loop_now(loop), l->until);
    sent_later++;
    sent(l);
    if (draw(4) == 0) {
        struct life *o = &lives[draw(CALLERS)];
        if (o->a.waits)
            forget(&o->a);
    }
}

static void ask_anew(struct life *l)
{
    uint64_t credential = draw(CREDENTIALS), wait = draw(3) ? draw(4000) : 100000;
    if (l->a.waits)
        return;
    l->a = gate_caller(draw(4) == 0, credential);
    l->a.w.is_private = credential != 0;
    l->a.then = on_sent;
    l->until = loop_now(loop) + wait;
    l->seq = ++seq;
    if (ask(&l->a, wait)) {
        sent(l);
        return;
    }
    if (deadline_is_set(&l->a.w.deadline))
        waited++;
}

static void limit_somebody(void)
{
    struct gate_limit l = {.status = draw(3) ? 429 : 418, .credential = draw(CREDENTIALS)};
    uint64_t now = loop_now(loop);
    l.asked_ms = draw(4) * 1000;
    l.is_private = l.credential != 0;
    bool all = l.status == 418 || (!l.credential && settings.limit_scope == LIMIT_SCOPE_IP);
    uint64_t *until = all ? &shut_all : &shut[l.credential];
    if (l.asked_ms && *until < now + (uint64_t)l.asked_ms)
        *until = now + (uint64_t)l.asked_ms;
    limit(&l);
}

static void tell_any_weight(void)
{
    char used[20];
    int64_t now_s = 1700000040 + draw(60);
    weight = draw((unsigned)settings.weight_limit + 1);
    weight_until = loop_now(loop) + (uint64_t)(60 - now_s % 60) * 1000;
    snprintf(used, sizeof used, "%u", (unsigned)weight);
    weigh(used, now_s);
}

static void resume(void)
{
    memset(shut, 0, sizeof shut);
    shut_all = weight_until = 0;
    inside = true;
    gate_resume(gate);
    inside = false;
}

static void learn_anything(void)
{
    if (draw(20) == 0)
        resume();
    else if (draw(2))
        limit_somebody();
    else
        tell_any_weight();
}

static void step(void)
{
    struct life *l = &lives[draw(CALLERS)];
    unsigned what = draw(100);
    if (what < 60)
        ask_anew(l);
    else if (what < 65)
        forget(&l->a);
    else if (what < 67)
        learn_anything();
    else
        pass_time(draw(2) ? draw(20) : draw(700));
    if (what >= 67)
        check_nobody_idles();
}

static void end_all(void)
{
    for (int i = 0; i < 200; i++)
        pass_time(1000);
    for (size_t i = 0; i < CALLERS; i++)
        ck_assert(!lives[i].a.waits);
}

static const struct {
    unsigned count, burst, weight_limit;
    uint64_t per_ms;
} budgets[] = {{0, 0, 0, 0},      {0, 0, 100, 0}, {5, 0, 0, 1000},    {7, 1, 1000, 3000},
               {50, 3, 50, 1000}, {1, 4, 0, 333}, {1000, 10, 0, 999}, {3, 30, 200, 60000}};

START_TEST(test_random_life)
{
    begin(budgets[_i % (int)COUNT_OF(budgets)].count, budgets[_i % (int)COUNT_OF(budgets)].per_ms,
          budgets[_i % (int)COUNT_OF(budgets)].burst);
    storm_seed(_i);
    loop_seed(loop, draw(1000000));
    settings.weight_limit = budgets[_i % (int)COUNT_OF(budgets)].weight_limit;
    memset(lives, 0, sizeof lives);
    settings.limit_scope = draw(2) ? LIMIT_SCOPE_IP : LIMIT_SCOPE_CREDENTIAL;
    memset(shut, 0, sizeof shut);
    shut_all = 0;
    passed = 0;
    waited = sent_later = weight_until = 0;
    storm(STEPS, step, NULL);
    end_all();
    check_windows();
    struct gate_view v;
    gate_describe(gate, &v);
    ck_assert_uint_eq(v.rate_held, waited);
    ck_assert_uint_eq(v.rate_refused, events - sent_later);
    ck_assert_uint_gt(v.rate_refused + v.rate_held, 10);
    ck_assert_uint_gt(passed, 10);
    finish();
}
END_TEST

SUITE()
{
    TIMEOUT(120);
    STORM(test_random_life, LIVES);
}
