#include "upstream/breaker.h"

uint64_t breaker_when(const struct breaker *b, size_t probes, bool urgent)
{
    if (breaker_is_open(b))
        return probes ? UINT64_MAX : b->retry_at;
    return urgent ? 0 : b->retry_at;
}

static uint64_t pause_ms(const struct upstream_config *u, unsigned n, uint32_t random)
{
    uint64_t ms = u->breaker_min;
    while (n-- && ms < u->breaker_max)
        ms *= 2;
    if (ms > u->breaker_max)
        ms = u->breaker_max;
    return ms * (800 + random % 401) / 1000;
}

static void enter(struct breaker *b, enum breaker_state to)
{
    STATE_ENTER(breaker, &b->state, to, b->object, 0);
}

bool breaker_failed(struct breaker *b, const struct upstream_config *u, uint64_t now_ms,
                    uint32_t random)
{
    bool was_open = breaker_is_open(b), opens = ++b->failures >= u->breaker_failures;
    b->retry_at = now_ms + pause_ms(u, b->openings, random);
    b->openings += opens;
    if (opens != was_open)
        enter(b, opens ? BREAKER_OPEN : BREAKER_CLOSED);
    return opens && !was_open;
}

void breaker_succeeded(struct breaker *b)
{
    b->failures = b->openings = 0;
    b->retry_at = 0;
    if (breaker_is_open(b))
        enter(b, BREAKER_CLOSED);
}

const char *breaker_word(const struct breaker *b, size_t probes)
{
    return !breaker_is_open(b) ? "closed" : probes ? "half_open" : "open";
}

unsigned breaker_retry_after(const struct breaker *b, uint64_t now_ms)
{
    uint64_t left = b->retry_at > now_ms ? b->retry_at - now_ms : 0;
    return left <= 1000 ? 1 : (unsigned)((left + 999) / 1000);
}
