/* An order under way that began while `dedupe` was off, which the guard against copies therefore does
 * not have. When a reload switches `dedupe` on, this registers it there. Embedded in the order's
 * journal entry; registered, or not (zeros). */
#pragma once

#include "config/config.h"
#include "proxy/dedupe.h"
#include "proxy/record.h"

struct order_adopted {
    struct dedupe_claim claim;
};

/* `begin`: its line in the journal, which has its digest. Nothing happens if this configuration has
 * no `dedupe` for its upstream, or if the order is known already. `id` lives as long as the entry. */
void order_adopt(struct order_adopted *, struct dedupe *, const struct config *,
                 const struct request_id *id, struct span begin);

/* The order has ended so, at `now_us` (loop_clock_us()). */
void order_adopted_end(struct order_adopted *, const struct record *, uint64_t now_us);
