/* The share of a rate that one trunkline may use while it cannot ask the store: 1/n of those that
 * spoke lately, or what the configuration says. A plain value; pure, without states. */
#pragma once

#include "base/check.h"
#include "config/settings.h"

struct fleet_share {
    unsigned part, of; /* part / of, at most 1 */
};

/* `count`: how many trunklines spoke within the last 10 s, this one among them; 0: not known, so it
 * is `percent`. */
struct fleet_share fleet_share_of(unsigned count, unsigned percent);

/* That share of a rate and its burst (0: the count), which is at least one request. */
struct fleet_rate {
    struct config_rate rate;
    unsigned burst;
};
struct fleet_rate fleet_share_rate(struct fleet_share, const struct config_rate *, unsigned burst);
