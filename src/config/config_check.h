/* The conditions between several values of a configuration: names, origins, listen addresses, pairs
 * of bounds. The conditions for a single value are in its row of config.def. Pure, without
 * states. */
#pragma once

#include "config/read.h"
#include "config/settings.h"

/* Adds a complaint for each violation. `file` is what the configuration was made from; it has the
 * line numbers. */
void config_check(const struct config *, const struct file *, struct complaints *);
