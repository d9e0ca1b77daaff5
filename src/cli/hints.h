/* Hints for `trunkline stats`: what in an upstream's numbers points to a setting or a command that
 * would help, with its name. It reads an element of "upstreams" of /stats; pure. It has no state
 * and owns nothing. */
#pragma once

#include <jansson.h>

#include "base/text.h"

/* Appends a line "hint: NAME: …" for each. `upstream` is borrowed; keys that it lacks count as 0. */
void hints_add(struct text *, json_t *upstream);
