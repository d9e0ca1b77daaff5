/* What /stats?recent shows beside /stats: the last five minutes of an upstream,
 * and the last failures. Pure: makes JSON that its caller owns. */
#pragma once

#include <jansson.h>

#include "proxy/recent_errors.h"
#include "upstream/recent.h"

/* {"step_s", "ended", "failed", "p50_ms", "p99_ms"}: lists with a value for each
 * step that is past, the newest last; null where nothing was answered. */
json_t *recent_json(const struct recent *, uint64_t now_us);

/* A list of {"at" (seconds since 1970), "upstream", "error", "status", "sent",
 * "detail", "count"}, the latest first. */
json_t *recent_errors_json(const struct recent_errors *);
