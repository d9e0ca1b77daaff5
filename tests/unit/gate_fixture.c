#include "gate_fixture.h"

#include <check.h>

struct loop *loop;
struct gate *gate;
struct upstream_config settings;
unsigned events;
bool inside;

void note_pass(void *owner)
{
    struct gate_caller *a = owner;
    ck_assert(!inside);
    ck_assert(a->waits);
    a->waits = false;
    a->passed = ++events;
    if (a->then)
        a->then(a);
}

static void note_refusal(void *owner, const struct verdict *why)
{
    struct gate_caller *a = owner;
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

struct gate_caller gate_caller(bool is_order, uint64_t credential)
{
    return (struct gate_caller){.w = {.is_order = is_order,
                                      .is_private = is_order || credential,
                                      .credential = credential,
                                      .on_pass = note_pass,
                                      .on_refused = note_refusal}};
}

bool ask(struct gate_caller *a, uint64_t wait_ms)
{
    a->w.owner = a;
    bool outer = inside;
    inside = true;
    bool passed = gate_pass(gate, &a->w, loop_now(loop) + wait_ms);
    inside = outer;
    a->waits = !passed;
    return passed;
}

void forget(struct gate_caller *a)
{
    inside = true;
    gate_forget(&a->w);
    inside = false;
    a->waits = false;
}

void limit(const struct gate_limit *l)
{
    inside = true;
    gate_limit(gate, l);
    inside = false;
}

void weigh(const char *weight, int64_t now_s)
{
    inside = true;
    gate_weigh(gate, span_of(weight), now_s, NULL);
    inside = false;
}

void pass_time(uint64_t ms)
{
    loop_skip(loop, ms);
    loop_skip(loop, 0);
}

void begin(unsigned count, uint64_t per_ms, unsigned burst)
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

void finish(void)
{
    gate_free(gate);
    loop_free(loop);
}

struct gate_view view(void)
{
    struct gate_view v;
    gate_describe(gate, &v);
    return v;
}

void answer(unsigned status, int seconds, uint64_t credential)
{
    limit(&(struct gate_limit){.status = status,
                               .asked_ms = seconds < 0 ? GATE_NOT_TOLD : seconds * 1000,
                               .is_private = credential != 0,
                               .credential = credential,
                               .bot = "grid1",
                               .path = SPAN("/limited")});
}

void tell_weight(const char *weight, int64_t second)
{
    weigh(weight, MINUTE_START + second);
}

void assert_refused(const struct gate_caller *a, const char *words, unsigned seconds)
{
    ck_assert(!a->waits && !a->passed && a->refused);
    ck_assert_str_eq(a->why.detail, words);
    ck_assert_uint_le(a->why.retry_after, seconds);
    ck_assert_uint_ge(a->why.retry_after + 2, seconds); /* real time passes too */
}

bool is_held(struct gate_caller a)
{
    bool held = gate_holds(gate, &a.w);
    bool passed = ask(&a, 0);
    ck_assert(passed == !held);
    if (!passed)
        forget(&a);
    return held;
}
