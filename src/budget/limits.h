/* What may stop a request whether or not there is a token: holds, the weight of the upstream, and
 * its bot's share of that. Embedded in its gate, which writes here. Without states. */
#pragma once

#include "budget/bot_shares.h"
#include "budget/denial.h"
#include "budget/gate_waiter.h"
#include "budget/holds.h"

struct limits {
    const struct upstream_config *settings;
    struct holds holds;
    struct bot_shares bots;
};

/* Why a request may not pass. */
struct obstacle {
    uint64_t until_ms; /* 0: there is no obstacle */
    enum denial_cause cause;
    const struct hold *hold;
};

/* The one that ends last. */
struct obstacle limits_find(const struct limits *, const struct gate_waiter *, uint64_t now_ms);

/* Adds one, if it ends later. */
void obstacle_add(struct obstacle *, enum denial_cause, uint64_t until_ms);

/* The time until which a hold stops all requests; now, if there is no such hold. */
uint64_t limits_shut_until(const struct limits *, uint64_t now_ms);

/* Is so much weight used that public or private requests are held? */
bool limits_weigh_on(const struct limits *, bool is_private, uint64_t now_ms);

/* What a change means for requests that wait: nothing; a longer or shorter wait; that some are held
 * now that were not, or the other way round. */
enum limits_change { LIMITS_SAME, LIMITS_PROLONGED, LIMITS_CHANGED };

/* A hold begins, or is prolonged. `is_new`: as holds_add() says. */
enum limits_change limits_hold(struct limits *, const struct hold *, uint64_t now_ms, bool *is_new);

/* So much weight is used, for `left_ms` more. `grown`: by how much it is more than before. */
enum limits_change limits_weigh(struct limits *, int64_t weight, uint64_t left_ms, uint64_t now_ms,
                                uint64_t *grown);

/* An operator ends all holds, and those because of the weight. True: there was one. */
bool limits_lift(struct limits *, uint64_t now_ms);
