#include "base/bucket.h"

static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t level_at(const struct bucket *b, uint64_t now_ms)
{
    uint64_t came = times(now_ms > b->at_ms ? now_ms - b->at_ms : 0, b->flow);
    return came < b->most - b->level ? b->level + came : b->most;
}

void bucket_configure(struct bucket *b, unsigned count, uint64_t per_ms, unsigned burst,
                      uint64_t now_ms)
{
    CHECK(count == 0 || per_ms > 0);
    struct bucket old = *b;
    *b = (struct bucket){.flow = count, .cost = per_ms, .at_ms = now_ms};
    b->most = times(burst ? burst : count, b->cost);
    b->level = b->most;
    if (old.flow == 0 || b->flow == 0)
        return;
    uint64_t kept = times(level_at(&old, now_ms) / old.cost, b->cost);
    if (kept < b->level)
        b->level = kept;
}

void bucket_set(struct bucket *b, double tokens, uint64_t now_ms)
{
    double most = (double)b->most, level = tokens * (double)b->cost;
    b->level = level < 0 ? 0 : level < most ? (uint64_t)level : b->most;
    b->at_ms = now_ms;
}

double bucket_level(const struct bucket *b, uint64_t now_ms)
{
    return (double)level_at(b, now_ms) / (double)b->cost;
}

bool bucket_take(struct bucket *b, uint64_t now_ms)
{
    if (b->flow == 0)
        return true;
    b->level = level_at(b, now_ms);
    b->at_ms = now_ms;
    if (b->level < b->cost)
        return false;
    b->level -= b->cost;
    return true;
}

uint64_t bucket_tokens(const struct bucket *b, uint64_t now_ms)
{
    return level_at(b, now_ms) / b->cost;
}

uint64_t bucket_when(const struct bucket *b, uint64_t from_ms, uint64_t n)
{
    uint64_t level = level_at(b, from_ms), needed = times(n, b->cost), at;
    if (b->flow == 0 || level >= needed)
        return from_ms;
    uint64_t wait = (needed - level) / b->flow + ((needed - level) % b->flow != 0);
    return __builtin_add_overflow(from_ms, wait, &at) ? UINT64_MAX : at;
}
