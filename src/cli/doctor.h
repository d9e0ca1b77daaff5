/* `trunkline doctor`: one look at each upstream of a configuration, one after
 * another (a slow one delays the next by a quarter of a second at most), from a loop
 * of its own; no daemon need run. Prints what `diagnosis` makes of each `checkup`. */
#pragma once

#include "base/check.h"

/* `only`: the one upstream to look at, or NULL for all. Returns the exit code:
 * 0, 1 if one is not well, 64 for an unknown upstream, 71 if DNS cannot start,
 * 78 for a bad configuration or one without upstreams. */
int doctor_run(const char *path, bool optional, const char *only);
