#include "budget/fleet_share.h"

#include <limits.h>

struct fleet_share fleet_share_of(unsigned count, unsigned percent)
{
    return count ? (struct fleet_share){1, count} : (struct fleet_share){percent, 100};
}

/* The rate as part·count requests in of·per_ms: exact, whatever the share. */
struct fleet_rate fleet_share_rate(struct fleet_share s, const struct config_rate *rate,
                                   unsigned burst)
{
    uint64_t count = (uint64_t)rate->count * s.part;
    uint64_t most = (uint64_t)(burst ? burst : rate->count) * s.part / s.of;
    CHECK(count <= UINT_MAX);
    return (struct fleet_rate){{(unsigned)count, rate->per_ms * s.of},
                               rate->count ? (most ? (unsigned)most : 1) : 0};
}
