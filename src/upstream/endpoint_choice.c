#include "upstream/endpoint_choice.h"

#define FAILED_US 1000000u /* a failure counts as an answer that took at least that long */
#define OLD_MS 1000        /* a mean that old is replaced by a faster answer */
#define LEAST_WEIGHT 300   /* of an answer, in thousandths */
#define CLEARLY 16         /* better: by more than that part of the mean */

/* -------------------------------------------------------------------------- its pace */

static void move(struct endpoint_pace *p, uint64_t to_us, uint64_t weight)
{
    if (to_us >= p->mean_us)
        p->mean_us += (to_us - p->mean_us) * weight / 1000;
    else
        p->mean_us -= (p->mean_us - to_us) * weight / 1000;
}

static uint64_t weight_of(const struct endpoint_pace *p, uint64_t now_ms)
{
    uint64_t age = now_ms - p->timed_ms;
    uint64_t weight = age >= OLD_MS ? 1000 : age * 1000 / OLD_MS;
    return weight > LEAST_WEIGHT ? weight : LEAST_WEIGHT;
}

/* The first two slow ones in a row count as twice the mean, the next two as four times that, and so on. */
static uint64_t limited(struct endpoint_pace *p, uint64_t took_us)
{
    if (took_us <= 2 * p->mean_us) {
        p->slow = 0;
        return took_us;
    }
    if (p->slow < 40)
        p->slow++;
    uint64_t most = p->mean_us << (p->slow + 1) / 2;
    return took_us < most ? took_us : most;
}

void endpoint_answered(struct endpoint_pace *p, uint64_t took_us, uint64_t now_ms)
{
    uint64_t took = took_us ? took_us : 1;
    if (p->mean_us == 0)
        p->mean_us = took;
    else if (p->answers < ENDPOINT_LEARN)
        p->mean_us = took < p->mean_us ? took : p->mean_us;
    else
        move(p, limited(p, took), weight_of(p, now_ms));
    p->answers++;
    p->timed_ms = now_ms;
}

void endpoint_erred(struct endpoint_pace *p, uint64_t took_us, uint64_t now_ms)
{
    endpoint_answered(p, took_us > FAILED_US ? took_us : FAILED_US, now_ms);
}

void endpoint_failed(struct endpoint_pace *p, uint64_t took_us, uint64_t now_ms)
{
    uint64_t took = took_us > FAILED_US ? took_us : FAILED_US;
    if (took > p->mean_us)
        p->mean_us = p->mean_us ? (p->mean_us + took) / 2 : took;
    p->answers = p->answers < ENDPOINT_LEARN ? ENDPOINT_LEARN : p->answers + 1;
    p->asked_ms = p->timed_ms = now_ms;
}

/* ------------------------------------------------------------------------ not timed */

static bool is_tried(uint64_t tried, size_t i)
{
    return tried >> i & 1;
}

size_t endpoint_first(const struct endpoint_standing *at, size_t count, uint64_t tried)
{
    size_t may_probe = SIZE_MAX, any = SIZE_MAX;
    for (size_t i = count; i-- > 0;) {
        if (is_tried(tried, i))
            continue;
        any = i;
        if (at[i].may_probe)
            may_probe = i;
    }
    for (size_t i = 0; i < count; i++)
        if (!at[i].is_open && !is_tried(tried, i))
            return i;
    return may_probe != SIZE_MAX ? may_probe : any;
}

/* ----------------------------------------------------------------------------- timed */

static bool is_better(const struct endpoint_pace *a, const struct endpoint_pace *b)
{
    return a->mean_us + a->mean_us / CLEARLY < b->mean_us;
}

static bool is_known(const struct endpoint_standing *s)
{
    return !s->is_open && s->pace->mean_us;
}

/* The least mean; the last choice if none is clearly better than that. SIZE_MAX: none is known. */
static size_t least(const struct endpoint_race *r, const struct endpoint_standing *at, size_t count,
                    uint64_t tried)
{
    size_t best = SIZE_MAX, last = r->best;
    for (size_t i = 0; i < count; i++)
        if (!is_tried(tried, i) && is_known(&at[i]) &&
            (best == SIZE_MAX || at[i].pace->mean_us < at[best].pace->mean_us))
            best = i;
    bool stays = best != SIZE_MAX && last < count && !is_tried(tried, last) &&
                 is_known(&at[last]) && !is_better(at[best].pace, at[last].pace);
    return stays ? last : best;
}

size_t endpoint_best(const struct endpoint_race *r, const struct endpoint_standing *at,
                     size_t count)
{
    return least(r, at, count, 0);
}

/* The first of those that were asked least, if there is one to be learned of. */
static size_t to_learn(const struct endpoint_standing *at, size_t count)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct endpoint_pace *p = at[i].pace;
        if (at[i].is_open || p->answers >= ENDPOINT_LEARN || p->asked >= ENDPOINT_LEARN)
            continue;
        if (found == SIZE_MAX || p->asked < at[found].pace->asked)
            found = i;
    }
    return found;
}

static bool is_due(const struct endpoint_race *r, size_t others, uint64_t now_ms)
{
    return others && r->since >= ENDPOINT_PROBE_EVERY &&
           (r->since >= ENDPOINT_PROBE_AT_LEAST ||
            now_ms - r->probed_ms >= ENDPOINT_ROUND_MS / others);
}

/* The one beside the best that was not asked for longest. One without a connection is passed over,
 * and should have one when its turn comes again. */
static size_t to_probe(struct endpoint_race *r, const struct endpoint_standing *at, size_t count,
                       size_t best, uint64_t now_ms, size_t *cold)
{
    size_t found = SIZE_MAX, others = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == best || at[i].is_open)
            continue;
        others++;
        if (found == SIZE_MAX || at[i].pace->asked_ms < at[found].pace->asked_ms)
            found = i;
    }
    if (!is_due(r, others, now_ms))
        return SIZE_MAX;
    if (!at[found].is_warm) {
        *cold = found;
        at[found].pace->asked_ms = now_ms;
        return SIZE_MAX;
    }
    r->since = 0;
    r->probed_ms = now_ms;
    return found;
}

static size_t ask(const struct endpoint_standing *at, size_t i, uint64_t now_ms)
{
    at[i].pace->asked++;
    at[i].pace->asked_ms = now_ms;
    return i;
}

size_t endpoint_fastest(struct endpoint_race *r, const struct endpoint_standing *at, size_t count,
                        uint64_t tried, bool is_new, uint64_t now_ms, size_t *cold)
{
    size_t learns = is_new ? to_learn(at, count) : SIZE_MAX;
    *cold = SIZE_MAX;
    if (learns != SIZE_MAX)
        return ask(at, learns, now_ms);
    size_t best = least(r, at, count, tried);
    if (best == SIZE_MAX)
        best = endpoint_first(at, count, tried);
    if (best == SIZE_MAX)
        return SIZE_MAX;
    if (is_new) {
        r->since++;
        r->best = best;
        size_t probe = to_probe(r, at, count, best, now_ms, cold);
        if (probe != SIZE_MAX)
            return ask(at, probe, now_ms);
    }
    return ask(at, best, now_ms);
}
