/* Freezes an upstream when too many orders of unknown fate come within a time
 * (freeze_on_unknown): whatever is wrong there, further orders would only add to it.
 * Owned by the proxy. It remembers, for each upstream, when the last ones came; no states. */
#pragma once

#include "config/settings.h"
#include "proxy/freezes.h"

struct unknown_watch;

/* `freezes` outlives it. */
struct unknown_watch *unknown_watch_new(struct loop *, struct freezes *);
void unknown_watch_free(struct unknown_watch *);

/* One has come. With the one that makes it `most.count` within `most.per_ms`, the upstream is
 * frozen later in this turn; then counting begins anew. A count of 0: never. */
void unknown_watch_note(struct unknown_watch *, const char *upstream,
                        const struct config_rate *most);
