/* `trunkline doctor`: takes one look at each upstream of a configuration, one after another (a
 * slow one delays the next by a quarter of a second at most), and prints what `diagnosis`
 * makes of each `checkup`. It has a loop of its own, so no daemon need run. Runs once, to its end. */
#pragma once

#include "base/check.h"

/* `only`: the one upstream to look at, or NULL for all. Returns the exit code:
 * 0, 1 if one is not well, 64 for an unknown upstream, 71 if DNS cannot start,
 * 78 for a bad configuration or one without upstreams. */
int doctor_run(const char *path, bool optional, const char *only);
