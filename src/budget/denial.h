/* Why the gate refuses a request: the cause, and the verdict that says it in words, 429
 * http_request_denied with the seconds left. A plain value, made by the gate. Pure, without
 * states. */
#pragma once

#include "base/failure.h"
#include "budget/bot_shares.h"
#include "budget/holds.h"
#include "config/settings.h"

enum denial_cause {
    DENIAL_RATE,   /* no token in time, or it simply could not be sent in time */
    DENIAL_HOLD,   /* a hold that the exchange asked for */
    DENIAL_WEIGHT, /* weight_limit */
    DENIAL_SHARE,  /* weight_share of its bot */
    DENIAL_ORDERS  /* order_rate of its bot */
};

struct denial {
    enum denial_cause cause;
    const struct upstream_config *settings;
    const struct hold *hold;     /* of DENIAL_HOLD */
    const struct bot_share *bot; /* of DENIAL_SHARE and DENIAL_ORDERS */
    int64_t weight;              /* used, of DENIAL_WEIGHT */
};

/* `at_ms`: the earliest time at which the request could be sent. */
struct verdict denial_verdict(const struct denial *, uint64_t at_ms, uint64_t now_ms);
