#include "budget/denial.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/duration.h"

#define SECONDS_MOST 86400

static unsigned seconds_until(uint64_t at_ms, uint64_t now_ms)
{
    uint64_t left = at_ms > now_ms ? at_ms - now_ms : 0;
    if (left > SECONDS_MOST * UINT64_C(1000))
        return SECONDS_MOST;
    return left <= 1000 ? 1 : (unsigned)((left + 999) / 1000);
}

static void explain_hold(const struct hold *h, struct verdict *v)
{
    char lasts[DURATION_TEXT_SIZE];
    if (h->step_ms)
        snprintf(v->detail, sizeof v->detail, "held for %s: the exchange answered %u",
                 duration_text(lasts, h->lasts_ms), h->status);
    else
        snprintf(v->detail, sizeof v->detail, "the exchange asked for a pause of %" PRIu64 "s (%u)",
                 (h->lasts_ms + 999) / 1000, h->status);
}

static void explain_rate(const struct config_rate *rate, struct verdict *v)
{
    char per[DURATION_TEXT_SIZE];
    if (rate->count)
        snprintf(v->detail, sizeof v->detail, "rate limit of %u/%s reached", rate->count,
                 duration_text(per, rate->per_ms));
}

static void explain_share(const struct denial *d, uint64_t now_ms, struct verdict *v)
{
    snprintf(v->detail, sizeof v->detail,
             "bot %s has used weight %" PRIu64 " of %u, its share is %u%%", d->bot->bot,
             bot_share_weight(d->bot, now_ms), d->settings->weight_limit,
             d->bot->settings->weight_share);
}

static void explain_orders(const struct bot_share *b, struct verdict *v)
{
    char per[DURATION_TEXT_SIZE];
    const struct config_rate *rate = &b->settings->order_rate;
    snprintf(v->detail, sizeof v->detail, "order rate of %u/%s of bot %s reached", rate->count,
             duration_text(per, rate->per_ms), b->bot);
}

struct verdict denial_verdict(const struct denial *d, uint64_t at_ms, uint64_t now_ms)
{
    struct verdict v =
        verdict_make(FAILURE_HTTP_REQUEST_DENIED, SENT_NO, "it could not be sent in time");
    switch (d->cause) {
    case DENIAL_RATE: explain_rate(&d->settings->rate, &v); break;
    case DENIAL_HOLD: explain_hold(d->hold, &v); break;
    case DENIAL_WEIGHT:
        snprintf(v.detail, sizeof v.detail, "used weight %" PRId64 " of %u", d->weight,
                 d->settings->weight_limit);
        break;
    case DENIAL_SHARE: explain_share(d, now_ms, &v); break;
    case DENIAL_ORDERS: explain_orders(d->bot, &v); break;
    }
    v.status = 429;
    v.retry_after = seconds_until(at_ms, now_ms);
    return v;
}
