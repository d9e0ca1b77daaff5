#include "budget/reported_limit.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/duration.h"
#include "base/log.h"

#define WEIGHT_MOST INT64_C(1000000000000)

bool reported_limit_counts(const struct upstream_config *u, unsigned status)
{
    for (size_t i = 0; u->retry_after && i < u->hold_status.count; i++)
        if (u->hold_status.at[i] == status)
            return true;
    return false;
}

static struct hold_target target_of(const struct gate_limit *l, const struct upstream_config *u)
{
    if (l->status == 418)
        return (struct hold_target){HOLD_ALL, 0};
    if (l->is_private)
        return (struct hold_target){HOLD_CREDENTIAL, l->credential};
    return (struct hold_target){u->limit_scope == LIMIT_SCOPE_IP ? HOLD_ALL : HOLD_PUBLIC, 0};
}

bool reported_limit_hold(const struct gate_limit *l, const struct upstream_config *u,
                         const struct holds *holds, uint64_t now_ms, struct hold *h)
{
    struct hold_target t = target_of(l, u);
    if (!reported_limit_counts(u, l->status) || l->asked_ms == 0)
        return false;
    *h = (struct hold){.scope = t.scope, .credential = t.credential, .status = l->status};
    h->lasts_ms = (uint64_t)l->asked_ms;
    if (l->asked_ms < 0)
        h->lasts_ms = h->step_ms = holds_step(holds, t, u->hold_default, u->hold_max, now_ms);
    if (h->lasts_ms > HOLD_MOST_MS)
        h->lasts_ms = HOLD_MOST_MS;
    h->until_ms = now_ms + h->lasts_ms;
    snprintf(h->bot, sizeof h->bot, "%s", l->bot ? l->bot : "");
    snprintf(h->path, sizeof h->path, "%.*s", SPAN_ARG(l->path));
    return true;
}

static const char *const whom[] = {"public requests wait", "all requests wait",
                                   "requests of one credential wait"};

void reported_limit_log_learned(const struct hold *h, const char *how, uint64_t left_ms,
                                const char *object)
{
    char left[DURATION_TEXT_SIZE];
    LOG(WARN, object, "held %s: %u%s%s for %s, %s left: %s", how, h->status, *h->bot ? " to " : "",
        h->bot, *h->path ? h->path : "a request", duration_text(left, left_ms), whom[h->scope]);
}

void reported_limit_log(const struct gate_limit *l, const struct hold *h, const char *object)
{
    char asked[60], lasts[DURATION_TEXT_SIZE];
    if (l->asked_ms == GATE_NOT_TOLD)
        snprintf(asked, sizeof asked, "asked for no time");
    else
        snprintf(asked, sizeof asked, "asked for %" PRId64 "s", (l->asked_ms + 999) / 1000);
    LOG(WARN, object, "held: %u%s%s for %s %s, kept %s: %s id=%s", h->status, *h->bot ? " to " : "",
        h->bot, *h->path ? h->path : "a request", asked, duration_text(lasts, h->lasts_ms),
        whom[h->scope], request_id_text(l->id));
}

/* Digits only; with anything else, the response does not state a weight. */
bool reported_weight(struct span value, int64_t *weight)
{
    value = span_trim(value);
    *weight = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return false;
        if (*weight < WEIGHT_MOST)
            *weight = *weight * 10 + (value.at[i] - '0');
    }
    return value.len > 0;
}
