/* The last five minutes in /stats: their sums, and with ?recent their steps and the last
 * failures. Pure: makes JSON that its caller owns; stateless. */
#pragma once

#include <jansson.h>

#include "proxy/recent_errors.h"
#include "upstream/recent.h"

/* The counts of the last five minutes: the rows LAST of stats_page.def. */
json_t *last_5m_json(const struct recent_sum *);

/* {"step_s", "ended", "failed", "p50_ms", "p99_ms"}: arrays with a value for each past step,
 * the newest last; null where no response came. `now_us` is loop_clock_us(). */
json_t *recent_json(const struct recent *, uint64_t now_us);

/* An array of {"at" (seconds since 1970), "upstream", "error", "status", "sent",
 * "detail", "count"}, the latest first. */
json_t *recent_errors_json(const struct recent_errors *);
