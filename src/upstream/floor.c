#include "upstream/floor.h"

#define LOSS_PAUSE_MS 100
#define PACE_MS 1000

void floor_begin(struct floor *f)
{
    *f = (struct floor){0};
}

void floor_came_up(struct floor *f, const struct upstream_config *u)
{
    if (!f->filled)
        f->filled = ++f->came_up >= u->min_idle;
}

/* Lines that come up and are lost within the filling are not filled up at once again. */
static bool is_filling(const struct floor *f, const struct upstream_config *u, size_t connecting)
{
    return !f->filled && f->came_up + connecting < u->min_idle;
}

void floor_opened(struct floor *f, const struct upstream_config *u, size_t connecting,
                  uint64_t now_ms)
{
    if (!is_filling(f, u, connecting))
        f->next_at = now_ms + PACE_MS;
}

void floor_lost(struct floor *f, const struct upstream_config *u, bool used, uint64_t now_ms)
{
    uint64_t ms = LOSS_PAUSE_MS;
    if (now_ms < f->lost_until) /* one of several that ended together */
        return;
    f->unused_losses = used ? 0 : f->unused_losses + 1;
    for (unsigned n = 1; n < f->unused_losses && ms < u->breaker_max; n++)
        ms *= 2;
    f->lost_until = now_ms + (ms < u->breaker_max ? ms : u->breaker_max);
}

uint64_t floor_when(const struct floor *f, const struct upstream_config *u, size_t connecting)
{
    if (is_filling(f, u, connecting) || f->lost_until > f->next_at)
        return f->lost_until;
    return f->next_at;
}
