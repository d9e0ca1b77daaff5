/* What must hold between the values of a configuration: names, origins, listen addresses,
 * pairs of bounds. What a single value must be is in its row of config.def. Pure, without
 * states. */
#pragma once

#include "config/read.h"
#include "config/settings.h"

/* Complains of each violation. `file` is what the configuration was made from, and has the
 * lines. */
void config_check(const struct config *, const struct file *, struct complaints *);
