#include "upstream/idle_learn.h"

#define AGE_MIN_MS 100
#define SAME_EVENT_MS 1000
#define LAPSE_MS (3600 * 1000)

void idle_learn_add(struct idle_learn *l, uint64_t now_ms, uint64_t age_ms)
{
    if (age_ms < AGE_MIN_MS)
        return;
    if (l->count) {
        unsigned last = (l->count - 1) % IDLE_LEARN_SEEN;
        if (now_ms - l->seen[last].at_ms < SAME_EVENT_MS &&
            now_ms - l->seen[last].at_ms <= age_ms) {
            if (age_ms > l->seen[last].age_ms)
                l->seen[last].age_ms = age_ms;
            return;
        }
    }
    l->seen[l->count % IDLE_LEARN_SEEN].at_ms = now_ms;
    l->seen[l->count % IDLE_LEARN_SEEN].age_ms = age_ms;
    l->count++;
}

int64_t idle_learn_ms(const struct idle_learn *l, uint64_t now_ms)
{
    uint64_t least = UINT64_MAX;
    unsigned valid = 0;
    for (unsigned i = 0; i < IDLE_LEARN_SEEN && i < l->count; i++) {
        if (now_ms - l->seen[i].at_ms > LAPSE_MS)
            continue;
        valid++;
        if (l->seen[i].age_ms < least)
            least = l->seen[i].age_ms;
    }
    return valid < 2 ? -1 : (int64_t)least;
}
