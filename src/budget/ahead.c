#include "budget/ahead.h"

#include <math.h>

#define SLOW_MS 50    /* a time too short to say anything about the pace */
#define PARTIAL_MS 60 /* after a batch that was smaller than wanted */
#define BATCH_PART 8  /* at most this part of the burst in one batch, if that is more */

static double flow(const struct ahead *a)
{
    return a->rate.count ? (double)a->rate.count / (double)a->rate.per_ms : 0;
}

void ahead_configure(struct ahead *a, const struct config_rate *rate, unsigned burst)
{
    uint64_t most = burst ? burst : rate->count;
    if (a->rate.count == rate->count && a->rate.per_ms == rate->per_ms && a->burst == most)
        return;
    *a = (struct ahead){.rate = *rate, .burst = most};
}

/* Reserved tokens whose time has come are at hand. */
static void advance(struct ahead *a, uint64_t now_ms)
{
    uint64_t now_us = now_ms * 1000;
    if (a->later == 0 || now_us < a->next_us)
        return;
    uint64_t due = a->step_us ? (now_us - a->next_us) / a->step_us + 1 : a->later;
    due = due < a->later ? due : a->later;
    a->ready += due;
    a->later -= due;
    a->next_us += due * a->step_us;
}

/* What the bucket contains by now, at most; the others may have used it. */
static double level_at(const struct ahead *a, uint64_t now_ms)
{
    double used = (double)(a->credit + a->asked);
    if (!a->is_known)
        return (double)a->burst - used;
    double came = now_ms > a->level_ms ? (double)(now_ms - a->level_ms) * flow(a) : 0;
    return fmin((double)a->burst, a->level + came) - used;
}

bool ahead_is_empty(const struct ahead *a, uint64_t now_ms)
{
    return a->rate.count && a->ready == 0 && level_at(a, now_ms) < 1;
}

bool ahead_take(struct ahead *a, uint64_t now_ms, bool is_order)
{
    advance(a, now_ms);
    if (a->ready)
        a->ready--;
    else if (is_order && level_at(a, now_ms) >= 1)
        a->credit++;
    else if (a->rate.count)
        return false;
    a->taken++;
    return true;
}

uint64_t ahead_at_hand(struct ahead *a, bool is_order, uint64_t now_ms)
{
    advance(a, now_ms);
    double level = level_at(a, now_ms);
    return a->ready + (is_order && level >= 1 ? (uint64_t)level : 0);
}

uint64_t ahead_when(struct ahead *a, uint64_t from_ms, uint64_t n, bool is_order, uint64_t now_ms)
{
    advance(a, now_ms);
    double level = level_at(a, from_ms);
    uint64_t at_hand = a->ready + (is_order && level >= 1 ? (uint64_t)level : 0);
    if (a->rate.count == 0 || n <= at_hand)
        return from_ms;
    n -= at_hand;
    if (is_order && level >= 1)
        level -= floor(level);
    uint64_t at_us = a->next_us + (n - 1) * a->step_us;
    if (n <= a->later)
        return at_us > from_ms * 1000 ? (at_us + 999) / 1000 : from_ms;
    double short_of = (double)(n - a->later) - level;
    return short_of <= 0 ? from_ms : from_ms + (uint64_t)ceil(short_of / flow(a));
}

/* ------------------------------------------------------------------- batches */

/* Each has its part of what can be reserved, so that none takes all of it again and again. */
static uint64_t batch_most(const struct ahead *a)
{
    uint64_t soon = (uint64_t)(flow(a) * AHEAD_HORIZON_MS), part = a->burst / BATCH_PART;
    return (soon > part ? soon : part) / (a->daemons ? a->daemons : 1);
}

/* The tokens that should be at hand: where the rate or the pace is slow, none but for those that
 * wait, so that the others find them. */
static uint64_t target(const struct ahead *a, size_t waiting)
{
    uint64_t soon = (uint64_t)(a->pace * AHEAD_HORIZON_MS + 0.5), most = batch_most(a);
    soon = (soon < most ? soon : most) + waiting;
    return most == 0 ? soon > 0 : soon < most ? soon : most;
}

static void note_pace(struct ahead *a, uint64_t now_ms)
{
    uint64_t elapsed = now_ms - a->since_ms;
    if (elapsed < SLOW_MS)
        return;
    double lately = (double)a->taken / (double)elapsed;
    a->pace = lately > a->pace ? lately : (a->pace + lately) / 2;
    a->taken = 0;
    a->since_ms = now_ms;
}

bool ahead_is_low(const struct ahead *a, size_t waiting, uint64_t now_ms)
{
    if (a->rate.count == 0 || (now_ms < a->not_before_ms && a->credit == 0))
        return false;
    uint64_t wanted = target(a, waiting);
    return a->credit || (wanted && a->ready + a->later <= wanted / 2);
}

struct ahead_batch ahead_ask(struct ahead *a, size_t waiting, uint64_t now_ms)
{
    advance(a, now_ms);
    note_pace(a, now_ms);
    struct ahead_batch b = {.credit = a->credit, .back = a->back};
    uint64_t at_hand = a->ready + a->later, wanted = a->rate.count ? target(a, waiting) : 0;
    b.want = a->wanted = wanted > at_hand ? wanted - at_hand : 0;
    a->asked = a->credit;
    a->credit = a->back = 0;
    return b;
}

struct ahead_batch ahead_give_back(struct ahead *a, uint64_t now_ms)
{
    note_pace(a, now_ms);
    struct ahead_batch b = {.credit = a->credit, .back = a->back + a->ready + a->later};
    a->asked = a->credit;
    a->ready = a->later = a->credit = a->back = 0;
    a->pace = 0;
    return b;
}

void ahead_answer(struct ahead *a, const struct ahead_grant *g, uint64_t now_ms)
{
    advance(a, now_ms);
    if (g->later && a->later == 0) {
        a->next_us = now_ms * 1000 + g->wait_us;
        a->step_us = (uint64_t)(1000 / flow(a));
    }
    a->ready += g->now;
    a->later += g->later;
    a->asked = 0;
    a->is_known = true;
    a->daemons = g->daemons;
    a->level = g->level;
    a->level_ms = now_ms;
    uint64_t pause_ms = g->later ? PARTIAL_MS : g->wait_us / 1000 + 1;
    a->not_before_ms = g->now + g->later < a->wanted ? now_ms + pause_ms : 0;
}

void ahead_lost(struct ahead *a, const struct ahead_batch *b)
{
    a->credit += b->credit;
    a->asked = 0;
}

struct ahead_rest ahead_leave(struct ahead *a, uint64_t now_ms)
{
    advance(a, now_ms);
    struct ahead_rest rest = {.held = (double)(a->ready + a->later),
                              .back = (double)a->back,
                              .level = fmax(0, level_at(a, now_ms))};
    a->ready = a->later = a->asked = a->back = 0;
    a->is_known = false;
    return rest;
}

void ahead_return(struct ahead *a, int64_t used)
{
    a->credit = used > 0 ? (uint64_t)used : 0;
    a->back = used < 0 ? (uint64_t)-used : 0;
    a->is_known = false;
    a->not_before_ms = 0;
}
