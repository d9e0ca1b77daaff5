/* What /stats?recent shows beyond /stats: the last five minutes of an upstream, and the last
 * failures. Pure: makes JSON that its caller owns; stateless. */
#pragma once

#include <jansson.h>

#include "proxy/recent_errors.h"
#include "upstream/recent.h"

/* {"step_s", "ended", "failed", "p50_ms", "p99_ms"}: arrays with a value for each past step,
 * the newest last; null where no response came. `now_us` is loop_clock_us(). */
json_t *recent_json(const struct recent *, uint64_t now_us);

/* An array of {"at" (seconds since 1970), "upstream", "error", "status", "sent",
 * "detail", "count"}, the latest first. */
json_t *recent_errors_json(const struct recent_errors *);
