/* serialize_by: for each value, entries run one at a time and in order, entries with other values
 * are not delayed, each entry gets one event; and random use compared with a plain model. */
#include <stdio.h>
#include <stdlib.h>

#include "budget/serializer.h"
#include "storm.h"
#include "suite.h"

#define LONG UINT64_C(3600000)

static struct loop *loop;
static struct serializer *turns;
static unsigned events;
static bool inside;

struct caller {
    struct serializer_entry t;
    bool waits, runs;
    unsigned turned, refused; /* the number of that event, from 1 */
    uint64_t until, seq;
    unsigned value;
    void (*then)(struct caller *);
    struct verdict why;
};

static void on_admitted(void *owner)
{
    struct caller *a = owner;
    ck_assert(!inside && a->waits && !a->runs);
    a->waits = false;
    a->runs = true;
    a->turned = ++events;
    if (a->then)
        a->then(a);
}

static void on_refused(void *owner, const struct verdict *why)
{
    struct caller *a = owner;
    ck_assert(!inside && a->waits && !a->runs);
    ck_assert_int_eq(why->error, FAILURE_HTTP_REQUEST_DENIED);
    ck_assert_int_eq(why->sent, SENT_NO);
    ck_assert_int_eq(verdict_status(why), 429);
    ck_assert_uint_ge(why->retry_after, 1);
    a->waits = false;
    a->refused = ++events;
    a->why = *why;
}

static bool take(struct caller *a, const char *value, uint64_t wait_ms)
{
    char copy[40]; /* no longer valid after the call, as a request's head may be */
    snprintf(copy, sizeof copy, "%s", value);
    void (*then)(struct caller *) = a->then;
    *a = (struct caller){.t = {.owner = a, .on_admitted = on_admitted, .on_refused = on_refused},
                         .until = loop_now(loop) + wait_ms,
                         .then = then};
    bool outer = inside;
    inside = true;
    a->runs = serializer_enter(turns, &a->t, span_of(copy), a->until);
    inside = outer;
    memset(copy, 'x', sizeof copy);
    a->waits = !a->runs;
    return a->runs;
}

static void end(struct caller *a)
{
    bool outer = inside;
    inside = true;
    serializer_leave(&a->t);
    inside = outer;
    a->waits = a->runs = false;
}

static void pass_time(uint64_t ms)
{
    loop_skip(loop, ms);
    loop_skip(loop, 0);
}

static void begin(void)
{
    events = 0;
    inside = false;
    loop = loop_new();
    loop_hold(loop);
    turns = serializer_new(loop);
}

static void finish(void)
{
    serializer_free(turns);
    loop_free(loop);
}

/* ------------------------------------------------------------- by themselves */

START_TEST(test_in_order)
{
    struct caller a = {0}, b = {0}, c = {0};
    begin();
    ck_assert(take(&a, "key", LONG));
    ck_assert(!take(&b, "key", LONG) && !take(&c, "key", LONG));
    pass_time(1000);
    ck_assert_uint_eq(events, 0);
    end(&a);
    ck_assert_uint_eq(events, 0); /* never inside the call */
    pass_time(0);
    ck_assert(b.runs && c.waits);
    end(&b);
    end(&b); /* fine */
    pass_time(0);
    ck_assert(c.runs);
    end(&c);
    ck_assert(take(&a, "key", 0)); /* no queue is left */
    end(&a);
    ck_assert_uint_eq(events, 2);
    finish();
}
END_TEST

START_TEST(test_values_are_apart)
{
    static const char *const values[] = {"", "k", "K", "ke", "key", "key ", "kex"};
    struct caller first[COUNT_OF(values)] = {0}, second[COUNT_OF(values)] = {0};
    begin();
    for (size_t i = 0; i < COUNT_OF(values); i++)
        ck_assert(take(&first[i], values[i], 0));
    for (size_t i = 0; i < COUNT_OF(values); i++)
        ck_assert(!take(&second[i], values[i], LONG));
    end(&first[4]);
    pass_time(0);
    for (size_t i = 0; i < COUNT_OF(values); i++)
        ck_assert(second[i].runs == (i == 4));
    for (size_t i = 0; i < COUNT_OF(values); i++)
        end(&first[i]);
    pass_time(0);
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        ck_assert(second[i].runs);
        end(&second[i]);
    }
    finish();
}
END_TEST

START_TEST(test_absent_value)
{
    struct serializer_entry t = {0};
    begin();
    ck_assert(serializer_enter(turns, &t, (struct span){0}, 0));
    serializer_leave(&t);
    serializer_leave(&(struct serializer_entry){0}); /* never entered the queue */
    finish();
}
END_TEST

START_TEST(test_gives_up_waiting)
{
    struct caller a = {0}, b = {0}, c = {0};
    begin();
    ck_assert(take(&a, "key", LONG) && !take(&b, "key", LONG) && !take(&c, "key", LONG));
    end(&b);
    end(&a);
    pass_time(0);
    ck_assert(c.runs);
    ck_assert_uint_eq(events, 1);
    end(&c);
    finish();
}
END_TEST

/* The entry that is about to run leaves: the next one runs instead, if there is one. */
START_TEST(test_leaves_before_its_turn)
{
    struct caller a = {0}, b = {0}, c = {0}, d = {0};
    begin();
    ck_assert(take(&a, "key", LONG) && !take(&b, "key", LONG) && !take(&c, "key", LONG));
    end(&a);
    ck_assert(!take(&d, "key", LONG)); /* behind the waiting entries */
    end(&b);
    pass_time(0);
    ck_assert(c.runs && d.waits);
    end(&c);
    end(&d);
    pass_time(LONG);
    ck_assert_uint_eq(events, 1);
    ck_assert(take(&a, "key", 0));
    end(&a);
    finish();
}
END_TEST

START_TEST(test_refused)
{
    struct caller a = {0}, b = {0}, c = {0}, now = {0};
    begin();
    ck_assert(take(&a, "sesame", LONG));
    ck_assert(!take(&b, "sesame", 20000) && !take(&c, "sesame", LONG) && !take(&now, "sesame", 0));
    ck_assert_uint_eq(events, 0);
    pass_time(0);
    ck_assert_uint_eq(now.refused, 1);
    pass_time(10000);
    ck_assert(b.waits);
    pass_time(11000);
    ck_assert_uint_eq(b.refused, 2);
    ck_assert_ptr_nonnull(strstr(b.why.detail, "still under way"));
    ck_assert_ptr_null(strstr(b.why.detail, "sesame"));
    end(&b); /* fine */
    ck_assert(c.waits);
    end(&a);
    pass_time(0);
    ck_assert_uint_eq(c.turned, 3);
    end(&c);
    finish();
}
END_TEST

static struct caller *late;

static void end_and_linger(struct task *t)
{
    (void)t;
    end(late);
}

/* An entry's time runs out between the end of the running entry and its own turn: it is not run,
 * but the entry behind it is. */
START_TEST(test_never_late)
{
    struct caller a = {0}, b = {0}, c = {0};
    struct task ender;
    begin();
    ck_assert(take(&a, "key", LONG) && !take(&b, "key", 0) && !take(&c, "key", LONG));
    late = &a;
    task_init(&ender, end_and_linger);
    loop_defer(loop, &ender); /* runs before any deadline does */
    loop_turn(loop, false);
    pass_time(0);
    ck_assert(!b.turned && b.refused);
    ck_assert(c.runs);
    end(&c);
    ck_assert(take(&a, "key", LONG) && !take(&b, "key", 0));
    loop_defer(loop, &ender);
    loop_turn(loop, false);
    pass_time(0);
    ck_assert(!b.turned && b.refused);
    finish();
}
END_TEST

static void end_at_once(struct caller *a)
{
    a->then = NULL;
    end(a);
    ck_assert(!take(a, "key", LONG)); /* behind the other one */
}

START_TEST(test_events_from_events)
{
    struct caller a = {0}, b = {.then = end_at_once}, c = {.then = end_at_once};
    begin();
    ck_assert(take(&a, "key", LONG) && !take(&b, "key", LONG) && !take(&c, "key", LONG));
    end(&a);
    pass_time(0); /* b ends and enters again, as does c; then b runs */
    ck_assert_uint_eq(c.turned + b.turned, 3);
    ck_assert(b.runs && c.waits);
    end(&b);
    pass_time(0);
    ck_assert(c.runs);
    end(&c);
    finish();
}
END_TEST

/* ------------------------------------------------------------- a random life */

#define CALLERS 30
#define VALUES 4

static struct caller lives[CALLERS];
static uint64_t seq;

static void check_turn(struct caller *a)
{
    ck_assert_uint_lt(loop_now(loop), a->until);
    for (size_t i = 0; i < CALLERS; i++) {
        const struct caller *o = &lives[i];
        if (o == a || o->value != a->value)
            continue;
        ck_assert(!o->runs);
        ck_assert(!o->waits || o->seq > a->seq || o->until <= loop_now(loop));
    }
}

static void ask_anew(struct caller *a)
{
    char value[20];
    if (a->waits || a->runs)
        return;
    unsigned which = draw(VALUES);
    bool free_now = true;
    for (size_t i = 0; i < CALLERS; i++)
        free_now = free_now && !(lives[i].value == which && (lives[i].runs || lives[i].waits));
    snprintf(value, sizeof value, "value %u", which);
    a->then = check_turn;
    bool taken = take(a, value, draw(3) ? draw(3000) : LONG);
    ck_assert(taken == free_now);
    a->value = which;
    a->seq = ++seq;
}

/* After a turn of the loop, no entry waits while none with its value runs. */
static void check_nobody_idles(void)
{
    bool runs[VALUES] = {false};
    for (size_t i = 0; i < CALLERS; i++)
        runs[lives[i].value] |= lives[i].runs;
    for (size_t i = 0; i < CALLERS; i++)
        ck_assert(!lives[i].waits || runs[lives[i].value]);
}

static void step(void)
{
    struct caller *a = &lives[draw(CALLERS)];
    unsigned what = draw(10);
    if (what < 4)
        ask_anew(a);
    else if (what < 6)
        end(a);
    else {
        pass_time(draw(400));
        check_nobody_idles();
    }
}

START_TEST(test_random_life)
{
    begin();
    memset(lives, 0, sizeof lives);
    storm_seed(_i);
    loop_seed(loop, draw(1000000));
    storm(3000, step, NULL);
    ck_assert_uint_gt(events, 200);
    for (int round = 0; round < CALLERS + 1; round++) {
        for (size_t i = 0; i < CALLERS; i++)
            if (lives[i].runs)
                end(&lives[i]);
        pass_time(0);
    }
    for (size_t i = 0; i < CALLERS; i++)
        ck_assert(!lives[i].waits && !lives[i].runs);
    finish();
}
END_TEST

SUITE()
{
    TEST(test_in_order);
    TEST(test_values_are_apart);
    TEST(test_absent_value);
    TEST(test_gives_up_waiting);
    TEST(test_leaves_before_its_turn);
    TEST(test_refused);
    TEST(test_never_late);
    TEST(test_events_from_events);
    STORM(test_random_life, 5);
}
