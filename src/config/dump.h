/* A configuration as text in the file's own syntax, which reads back to the same values.
 * Pure, without states. */
#pragma once

#include "base/text.h"
#include "config/settings.h"

/* Appends every directive with its value. */
void config_dump(const struct config *, struct text *out);

/* Do two upstreams, or the defaults of two configurations, have the same values? */
bool config_same_settings(const struct upstream_config *, const struct upstream_config *);
