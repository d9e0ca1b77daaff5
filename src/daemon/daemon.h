/* The daemon as a whole: builds the modules, wires them, runs the loop, and
 * drains. One per process. */
#pragma once

#include <stdbool.h>

/* Runs in the foreground until a signal ends it; returns the exit code
 * (sysexits.h). With `optional` a missing file means the built-in defaults;
 * `verbose` is log_level = debug, whatever the file says. */
int daemon_run(const char *path, bool optional, bool verbose);
