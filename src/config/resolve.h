/* From what a file sets to the values in effect: a directive's value is that of the innermost
 * block that sets it, otherwise the preset's, otherwise that of defaults, otherwise the
 * built-in one. Pure, without states. */
#pragma once

#include "config/read.h"
#include "config/settings.h"

/* Fills the values of a zeroed configuration; they live in the arena. */
void resolve(struct arena *, const struct file *, struct config *);

/* The built-in defaults, as if a file had set them. */
void resolve_read_builtin(struct arena *, struct file *);
