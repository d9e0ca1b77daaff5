#include "upstream/floor.h"

#define LOSS_PAUSE_MS 100
#define PACE_MS 1000

void floor_begin(struct floor *f)
{
    *f = (struct floor){0};
}

void floor_came_up(struct floor *f, const struct upstream_config *u, uint64_t now_ms)
{
    if (f->filled || ++f->came_up < u->min_idle)
        return;
    f->filled = true;
    f->next_at = now_ms;
}

/* Lines that are lost again while it fills are not replaced at that pace. */
static bool is_filling(const struct floor *f, const struct upstream_config *u, size_t connecting)
{
    return !f->filled && f->came_up + connecting < u->min_idle;
}

/* How long lines that are to be opened together wait for each other. */
static uint64_t gathering_ms(const struct upstream_config *u, const struct floor_state *s)
{
    uint64_t ms = (uint64_t)u->min_idle * PACE_MS;
    return s->lifetime_ms <= ms ? ms - PACE_MS : 0;
}

void floor_opens(struct floor *f, const struct upstream_config *u, const struct floor_state *s)
{
    uint64_t gathering = gathering_ms(u, s);
    if (is_filling(f, u, s->connecting))
        return;
    if (f->next_at + gathering < s->now_ms)
        f->next_at = s->now_ms - gathering;
    f->next_at += PACE_MS;
    if (gathering)
        f->together_at = s->now_ms;
}

void floor_lost(struct floor *f, const struct upstream_config *u, bool used, uint64_t now_ms)
{
    uint64_t ms = LOSS_PAUSE_MS;
    if (now_ms < f->lost_until) /* one of several lines that ended together */
        return;
    f->unused_losses = used ? 0 : f->unused_losses + 1;
    for (unsigned n = 1; n < f->unused_losses && ms < u->breaker_max; n++)
        ms *= 2;
    f->lost_until = now_ms + (ms < u->breaker_max ? ms : u->breaker_max);
}

uint64_t floor_when(const struct floor *f, const struct upstream_config *u,
                    const struct floor_state *s)
{
    uint64_t paced = f->next_at + gathering_ms(u, s);
    if (is_filling(f, u, s->connecting) || f->together_at == s->now_ms || f->lost_until > paced)
        return f->lost_until;
    return paced;
}
