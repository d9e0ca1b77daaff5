#include "proxy/limit.h"

#include "budget/retry_after.h"
#include "proxy/redact.h"

void limit_init(struct limit *l, struct loop *loop, const struct upstream_config *settings,
                struct span target, const struct gate_limit *whose)
{
    *l = (struct limit){loop, NULL, settings, target, *whose};
}

static uint64_t learn_weight(struct limit *l, const struct fields *fields)
{
    const char *name = l->settings->weight_header;
    const struct field *used = name ? fields_find(fields, span_of(name)) : NULL;
    return used ? gate_weigh(l->gate, used->value, loop_wall_s(l->loop), l->asked.bot) : 0;
}

/* Two fields would make a list, which no Retry-After can be (RFC 9110 10.2.3). */
static int64_t asked_ms(const struct limit *l, const struct fields *fields)
{
    const struct field *f = fields_find(fields, SPAN("Retry-After"));
    if (f == NULL || fields_count(fields, SPAN("Retry-After")) > 1)
        return GATE_NOT_TOLD;
    int64_t seconds = retry_after_s(f->value, loop_wall_s(l->loop));
    return seconds == RETRY_AFTER_NOT_TOLD ? GATE_NOT_TOLD : seconds * 1000;
}

uint64_t limit_learn(struct limit *l, const struct response *r)
{
    if (reported_limit_counts(l->settings, r->status)) {
        l->asked.status = r->status;
        l->asked.asked_ms = asked_ms(l, &r->fields);
    }
    return learn_weight(l, &r->fields);
}

static int64_t left_until(const struct limit *l, int64_t wall_clock_ms)
{
    struct timespec t = loop_wall(l->loop);
    int64_t left = wall_clock_ms - ((int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000);
    return left > 0 ? left : 0;
}

void limit_tell(struct limit *l, int64_t ban_until_ms)
{
    struct text path = {0};
    if (l->asked.status == 0)
        return;
    if (ban_until_ms)
        l->asked.asked_ms = left_until(l, ban_until_ms);
    redact_target(&path, &l->settings->credential_params,
                  span_first(l->target, span_find(l->target, '?')));
    l->asked.path = text_span(&path);
    gate_limit(l->gate, &l->asked);
    l->asked.status = 0;
    text_free(&path);
}
