/* An order under way that began while `dedupe` was off, so that the guard against copies does not
 * know it: from a reload that switches `dedupe` on, its entry in the journal stands for it. Embedded
 * in that entry; it stands for its order, or does not (zeros). */
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
