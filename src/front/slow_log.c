#include "front/slow_log.h"

#include <stdio.h>

#include "base/log.h"

#define TARGET_SHOWN 200

enum phase { HOLD, QUEUE, DNS, CONNECT, TLS, TTFB, RETRIED, BODY, PHASES };

/* A response that never came was awaited until now; a request that followed a shared fetch
 * awaited it all the time. What no phase accounts for went into a body, of the request or of
 * the response. */
static void measure(const struct record *r, uint64_t now_us, uint64_t took[PHASES])
{
    const struct timing *t = &r->timing;
    bool awaits = t->lent_us && !t->ttfb_us, follows = r->cache.result == CACHE_COLLAPSED;
    uint64_t counted = 0;
    took[HOLD] = t->hold_us;
    took[QUEUE] = t->queue_us;
    took[DNS] = t->dns_us;
    took[CONNECT] = t->connect_us;
    took[TLS] = t->tls_us;
    took[TTFB] = awaits ? now_us - t->lent_us : follows ? r->total_us : t->ttfb_us;
    took[RETRIED] = t->retried_us;
    for (size_t i = 0; i < BODY; i++)
        counted += took[i];
    took[BODY] = r->total_us > counted ? r->total_us - counted : 0;
}

const char *slow_phase(const struct record *r, uint64_t now_us, uint64_t *took_us)
{
    static const char *const names[PHASES] = {"hold", "queue", "dns",     "connect",
                                              "tls",  "ttfb",  "retried", "body"};
    uint64_t took[PHASES];
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

static void write_line(const struct record *r, uint64_t now_us)
{
    char object[80];
    uint64_t took;
    const char *phase = slow_phase(r, now_us, &took);
    struct span target =
        span_first(r->target, r->target.len < TARGET_SHOWN ? r->target.len : TARGET_SHOWN);
    snprintf(object, sizeof object, "upstream %s", r->upstream ? r->upstream : "-");
    LOG(WARN, object,
        "slow: %.3f s, of it %s %.3f s: %.*s %.*s%s from %s, status %u, error %s, sent=%s id=%s",
        (double)r->total_us / 1e6, phase, (double)took / 1e6, SPAN_ARG(r->method), SPAN_ARG(target),
        target.len < r->target.len ? "…" : "", r->client, r->status,
        r->error == FAILURE_NONE ? "-" : failure_name(r->error), sent_name(r->sent),
        request_id_text(r->id));
}

void slow_log_look(struct slow_log *s, const struct record *r, uint64_t now_us)
{
    if (s->limit_us == 0 || r->total_us < s->limit_us)
        return;
    if (!may_write(s, now_us)) {
        s->left_out++;
        return;
    }
    if (s->left_out)
        LOG(WARN, "slow_log", "%ju more slow requests were not logged", (uintmax_t)s->left_out);
    s->left_out = 0;
    write_line(r, now_us);
}
