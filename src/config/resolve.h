/* Determines the values in effect from what a file sets. A directive's value comes from the
 * innermost block that sets it, otherwise from the preset, otherwise from the defaults block,
 * otherwise it is the built-in default. Pure, without states. */
#pragma once

#include "config/read.h"
#include "config/settings.h"

/* Sets the values of a zeroed configuration; they are kept in the arena. */
void resolve(struct arena *, const struct file *, struct config *);

/* The built-in defaults, in the form in which a file would set them. */
void resolve_read_builtin(struct arena *, struct file *);
