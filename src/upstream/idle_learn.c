#include "upstream/idle_learn.h"

#define SAME_EVENT_MS 1000
#define LAPSE_MS (3600 * 1000)
#define YOUNG_MS 2000 /* a close after a shorter time is more often a fault than a limit */
#define AGE_MIN_MS 100

struct rule {
    unsigned wanted;
    uint64_t age_min_ms;
    bool young; /* only of lines that were used, one after the other */
};

static const struct rule rules[] = {{3, YOUNG_MS, false}, {6, AGE_MIN_MS, true}};

static bool differ_little(uint64_t least_ms, uint64_t most_ms)
{
    return most_ms * 10 < least_ms * 12;
}

/* Are these certainly two events? */
static bool are_apart(const struct idle_close *a, const struct idle_close *b, bool young)
{
    uint64_t rest_a = a->at_ms - a->least_ms, rest_b = b->at_ms - b->least_ms;
    if (young)
        return rest_b >= a->at_ms;
    return b->at_ms - a->at_ms > SAME_EVENT_MS && rest_b > rest_a + SAME_EVENT_MS;
}

static bool counts(const struct idle_close *c, const struct rule *r, uint64_t least_ms,
                   uint64_t now_ms)
{
    return now_ms - c->at_ms <= LAPSE_MS && c->least_ms >= least_ms &&
           differ_little(least_ms, c->most_ms) && c->least_ms >= r->age_min_ms &&
           (c->used || !r->young);
}

/* Do enough closes agree with this as the shortest idle time? Then it is the limit until too few
 * of them are less than an hour old. */
static bool agree(struct idle_learn *l, const struct rule *r, uint64_t now_ms, uint64_t least_ms)
{
    const struct idle_close *last = NULL;
    uint64_t times[IDLE_LEARN_SEEN];
    unsigned found = 0, oldest = l->count > IDLE_LEARN_SEEN ? l->count - IDLE_LEARN_SEEN : 0;
    for (unsigned i = oldest; i < l->count; i++) {
        const struct idle_close *c = &l->seen[i % IDLE_LEARN_SEEN];
        if (!counts(c, r, least_ms, now_ms) || (last && !are_apart(last, c, r->young)))
            continue;
        last = c;
        times[found++] = c->at_ms;
    }
    if (found < r->wanted)
        return false;
    l->learned_ms = least_ms;
    l->until_ms = times[found - r->wanted] + LAPSE_MS;
    return true;
}

static void learn(struct idle_learn *l, uint64_t now_ms)
{
    uint64_t below = UINT64_MAX;
    for (size_t n = 0; n < COUNT_OF(rules); n++) {
        for (unsigned i = 0; i < IDLE_LEARN_SEEN && i < l->count; i++) {
            uint64_t age = l->seen[i].least_ms;
            if (age < below && counts(&l->seen[i], &rules[n], age, now_ms) &&
                agree(l, &rules[n], now_ms, age))
                below = age;
        }
    }
}

bool idle_learn_add(struct idle_learn *l, uint64_t now_ms, uint64_t age_ms, bool used)
{
    bool was_known = idle_learn_ms(l, now_ms) >= 0;
    struct idle_close *last = l->count ? &l->seen[(l->count - 1) % IDLE_LEARN_SEEN] : NULL;
    bool was_idle = last && age_ms > now_ms - last->at_ms; /* when the close before came */
    if (age_ms < AGE_MIN_MS && !was_idle)
        return false;
    if (was_idle && now_ms - last->at_ms <= SAME_EVENT_MS) {
        last->least_ms = age_ms < last->least_ms ? age_ms : last->least_ms;
        last->most_ms = age_ms > last->most_ms ? age_ms : last->most_ms;
        last->used &= used;
    } else {
        l->seen[l->count++ % IDLE_LEARN_SEEN] = (struct idle_close){now_ms, age_ms, age_ms, used};
    }
    learn(l, now_ms);
    return !was_known && idle_learn_ms(l, now_ms) >= 0;
}

int64_t idle_learn_ms(const struct idle_learn *l, uint64_t now_ms)
{
    return l->learned_ms && now_ms <= l->until_ms ? (int64_t)l->learned_ms : -1;
}
