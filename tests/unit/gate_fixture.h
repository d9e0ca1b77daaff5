/* A gate, its settings and those who ask it, for the tests of src/upstream/gate.c.
 * Real time passes too: what is measured in it has seconds to spare. */
#pragma once

#include <check.h>

#include "base/log.h"
#include "upstream/gate.h"

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

static inline void learn(const struct gate_answer *answer)
{
    inside = true;
    gate_learn(gate, answer);
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
    settings = (struct upstream_config){
        .name = "test", .rate = {count, per_ms}, .burst = burst, .retry_after = true};
    log_set_level(LOG_LEVEL_ERROR);
    events = 0;
    inside = false;
    loop = loop_new();
    gate = gate_new(loop, &settings);
}

static inline void finish(void)
{
    gate_free(gate);
    loop_free(loop);
}
