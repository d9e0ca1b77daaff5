/* A gate, its settings and those who ask it, for the tests of src/budget/gate.c.
 * Real time passes too: what is measured in it has seconds to spare. */
#pragma once

#include <check.h>

#include "base/log.h"
#include "budget/gate.h"

#define LONG UINT64_C(3600000)

static struct loop *loop;
static struct gate *gate;
static struct upstream_config settings;
static unsigned events; /* passed or refused, in all */
static bool inside;     /* a call of the gate's is under way */

struct asker {
    struct gate_waiter w;
    bool waits;               /* for an event */
    unsigned passed, refused; /* the number of that event, from 1 */
    struct verdict why;
    void (*then)(struct asker *); /* done inside on_pass */
};

static inline void note_pass(void *owner)
{
    struct asker *a = owner;
    ck_assert(!inside);
    ck_assert(a->waits);
    a->waits = false;
    a->passed = ++events;
    if (a->then)
        a->then(a);
}

static inline void note_refusal(void *owner, const struct verdict *why)
{
    struct asker *a = owner;
    ck_assert(!inside);
    ck_assert(a->waits);
    ck_assert_int_eq(why->error, FAILURE_HTTP_REQUEST_DENIED);
    ck_assert_int_eq(why->sent, SENT_NO);
    ck_assert_int_eq(verdict_status(why), 429);
    ck_assert_uint_ge(why->retry_after, 1);
    ck_assert(why->detail[0] != '\0');
    a->waits = false;
    a->refused = ++events;
    a->why = *why;
}

static inline struct asker asker(bool is_order, uint64_t credential)
{
    return (struct asker){.w = {.is_order = is_order,
                                .is_private = is_order || credential,
                                .credential = credential,
                                .on_pass = note_pass,
                                .on_refused = note_refusal}};
}

#define QUOTE asker(false, 0)
#define ORDER asker(true, 7)

/* True: it passed at once. */
static inline bool ask(struct asker *a, uint64_t wait_ms)
{
    a->w.owner = a;
    bool outer = inside;
    inside = true;
    bool passed = gate_pass(gate, &a->w, loop_now(loop) + wait_ms);
    inside = outer;
    a->waits = !passed;
    return passed;
}

static inline void forget(struct asker *a)
{
    inside = true;
    gate_forget(&a->w);
    inside = false;
    a->waits = false;
}

static inline void limit(const struct gate_limit *l)
{
    inside = true;
    gate_limit(gate, l);
    inside = false;
}

static inline void weigh(const char *weight, int64_t now_s)
{
    inside = true;
    gate_weigh(gate, span_of(weight), now_s);
    inside = false;
}

/* What is due or deferred by `ms` from now has happened. */
static inline void pass_time(uint64_t ms)
{
    loop_skip(loop, ms);
    loop_skip(loop, 0);
}

static inline void begin(unsigned count, uint64_t per_ms, unsigned burst)
{
    static uint16_t statuses[] = {418, 429};
    settings = (struct upstream_config){.name = "test",
                                        .rate = {count, per_ms},
                                        .burst = burst,
                                        .retry_after = true,
                                        .hold_status = {statuses, COUNT_OF(statuses)},
                                        .hold_default = 1000,
                                        .hold_max = 120000};
    log_set_level(LOG_LEVEL_ERROR);
    events = 0;
    inside = false;
    loop = loop_new();
    loop_hold(loop);
    gate = gate_new(loop, &settings);
}

static inline void finish(void)
{
    gate_free(gate);
    loop_free(loop);
}

#define MINUTE_START INT64_C(1700000040) /* a full minute of the wall clock */

static inline struct gate_view view(void)
{
    struct gate_view v;
    gate_describe(gate, &v);
    return v;
}

/* Seconds; NO_TIME: it does not say. */
#define NO_TIME -1

static inline void answer(unsigned status, int seconds, uint64_t credential)
{
    limit(&(struct gate_limit){.status = status,
                               .asked_ms = seconds < 0 ? GATE_NOT_TOLD : seconds * 1000,
                               .is_private = credential != 0,
                               .credential = credential,
                               .bot = "grid1",
                               .path = SPAN("/limited")});
}

static inline void tell_weight(const char *weight, int64_t second)
{
    weigh(weight, MINUTE_START + second);
}

static inline void assert_refused(const struct asker *a, const char *words, unsigned seconds)
{
    ck_assert(!a->waits && !a->passed && a->refused);
    ck_assert_str_eq(a->why.detail, words);
    ck_assert_uint_le(a->why.retry_after, seconds);
    ck_assert_uint_ge(a->why.retry_after + 2, seconds); /* real time passes too */
}

/* One that would be held now, and refused at once as it cannot wait. */
static inline bool is_held(struct asker a)
{
    bool held = gate_holds(gate, &a.w);
    bool passed = ask(&a, 0);
    ck_assert(passed == !held);
    if (!passed)
        forget(&a);
    return held;
}
