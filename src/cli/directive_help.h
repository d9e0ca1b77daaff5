/* What `trunkline help DIRECTIVE` prints: where a directive may be set, what it takes, its default
 * and its meaning, from the rows of config.def. Constant; it has no owner and no states. */
#pragma once

#include "base/text.h"

/* Appends it for each directive of this name (one may exist in bot blocks too). False: there is
 * none. */
bool directive_help(struct text *, const char *name) MUST_CHECK;
