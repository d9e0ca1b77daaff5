#include "front/slow_log.h"

#include <stdio.h>

#include "base/log.h"

#define TARGET_SHOWN 200

/* Of a phase that never ended, all until now; of what is left, the body. */
static void measure(const struct record *r, uint64_t now_us, uint64_t took[7])
{
    const struct trip *t = &r->trip;
    uint64_t began = now_us - r->total_us, told = 0;
    bool waits = t->waiting_us > t->lent_us, awaits = t->lent_us && !waits && !t->ttfb_us;
    took[0] = !t->waiting_us ? r->total_us : t->waiting_us > began ? t->waiting_us - began : 0;
    took[1] = waits ? now_us - t->waiting_us : t->queue_us;
    took[2] = t->dns_us;
    took[3] = t->connect_us;
    took[4] = t->tls_us;
    took[5] = awaits ? now_us - t->lent_us : t->ttfb_us;
    for (size_t i = 0; i < 6; i++)
        told += took[i];
    took[6] = r->total_us > told ? r->total_us - told : 0;
}

const char *slow_phase(const struct record *r, uint64_t now_us, uint64_t *took_us)
{
    static const char *const names[7] = {"hold", "queue", "dns", "connect", "tls", "ttfb", "body"};
    uint64_t took[7];
    size_t longest = 0;
    measure(r, now_us, took);
    for (size_t i = 1; i < COUNT_OF(took); i++)
        if (took[i] > took[longest])
            longest = i;
    *took_us = took[longest];
    return names[longest];
}

static bool may_write(struct slow_log *s, uint64_t now_us)
{
    if (now_us - s->since_us >= SLOW_LOG_WHILE_US) {
        s->since_us = now_us;
        s->lines = 0;
    }
    return s->lines++ < SLOW_LOG_LINES;
}

static void write(const struct record *r, uint64_t now_us)
{
    char object[80];
    uint64_t took;
    const char *phase = slow_phase(r, now_us, &took);
    struct span target =
        span_first(r->target, r->target.len < TARGET_SHOWN ? r->target.len : TARGET_SHOWN);
    snprintf(object, sizeof object, "upstream %s", r->upstream ? r->upstream : "-");
    LOG(WARN, object,
        "slow: %.3f s, of it %s %.3f s: %.*s %.*s%s from %s, status %u, error %s, sent=%s",
        (double)r->total_us / 1e6, phase, (double)took / 1e6, SPAN_ARG(r->method), SPAN_ARG(target),
        target.len < r->target.len ? "…" : "", r->client, r->status,
        r->error == FAILURE_NONE ? "-" : failure_name(r->error), sent_name(r->sent));
}

void slow_log_look(struct slow_log *s, const struct record *r, uint64_t now_us)
{
    if (s->limit_us == 0 || r->total_us < s->limit_us)
        return;
    if (!may_write(s, now_us)) {
        s->untold++;
        return;
    }
    if (s->untold)
        LOG(WARN, "slow_log", "%ju more slow requests were not told", (uintmax_t)s->untold);
    s->untold = 0;
    write(r, now_us);
}
