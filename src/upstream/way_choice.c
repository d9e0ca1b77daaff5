#include "upstream/way_choice.h"

/* A way that would refuse at once comes before one that would let the request wait, since the
 * request then still goes to that one. */
static unsigned rank(const struct way_standing *s)
{
    return s->is_held * 2 + s->is_open;
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Less than 0: `a` is better. */
static int compare_standing(const struct way_standing *a, const struct way_standing *b)
{
    int by = compare(rank(a), rank(b));
    bool any = a->tokens > 0 || b->tokens > 0;
    if (by == 0 && (a->is_held || !any))
        by = compare(a->pass_ms, b->pass_ms);
    if (by == 0)
        by = (b->tokens > a->tokens) - (b->tokens < a->tokens);
    if (by == 0)
        by = compare(a->weight_share, b->weight_share);
    return by ? by : (b->free_lines > a->free_lines) - (b->free_lines < a->free_lines);
}

size_t way_choice(const struct way_standing *at, size_t count, uint64_t tried, size_t turn)
{
    size_t best = SIZE_MAX;
    CHECK(count <= EXITS_MAX);
    for (size_t n = 0; n < count; n++) {
        size_t i = (turn + n) % count;
        if (tried >> i & 1)
            continue;
        if (best == SIZE_MAX || compare_standing(&at[i], &at[best]) < 0)
            best = i;
    }
    return best;
}

/* The finalizer of splitmix64. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

size_t way_choice_of(const uint64_t *hashes, size_t count, uint64_t credential)
{
    size_t best = 0;
    uint64_t most = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t score = mix(mix(hashes[i]) ^ credential);
        if (i == 0 || score > most) {
            best = i;
            most = score;
        }
    }
    return best;
}
