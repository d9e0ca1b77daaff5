/* What the log warns of when a configuration comes into use: settings that are dangerous, or without
 * effect, and what the local CA cannot do. Stateless. */
#pragma once

#include <time.h>

#include "config/config.h"
#include "net/ca.h"

/* `ca`: NULL if there is none. `now`: wall clock. */
void config_warnings(const struct config *, const struct ca *, time_t now);
