/* What must hold between the values of a configuration: names, origins,
 * listen addresses, pairs of bounds. Pure. */
#pragma once

#include "config/read.h"
#include "config/settings.h"

/* `file` is what `config` was made of; it has the lines. */
void config_check(const struct config *, const struct file *, struct complaints *);
