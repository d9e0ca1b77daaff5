/* What is known of some exchanges, as upstream blocks in the file's own syntax:
 * doc/presets.md says where each value comes from. Constant, owned by nobody. */
#pragma once

#include <stddef.h>

/* The block of that preset; NULL if there is none. */
const char *preset_find(const char *name);

/* The name of the n-th, in the order of SPEC and manual; NULL past the last. */
const char *preset_name(size_t n);
