/* File descriptors: how many the process may have, and how near it is to that limit. Owned by
 * nobody: one per process, like the log. The last ones are shared out: new clients are refused
 * first, then new connections to origins, and the daemon's own files last. */
#pragma once

#include "base/check.h"

/* Raises the limit towards `wanted`, as far as it may; returns what it is then. */
size_t descriptors_raise(size_t wanted);

/* ENOUGH; FEW: too few to serve another client; SCARCE: even to tell it so; GONE:
 * for another line. */
enum descriptors { DESCRIPTORS_ENOUGH, DESCRIPTORS_FEW, DESCRIPTORS_SCARCE, DESCRIPTORS_GONE };

/* What is left beside `fd`, which was made just now (the kernel gives out the
 * lowest number that is free). */
enum descriptors descriptors_beside(int fd);

/* Logs what is refused for want of descriptors, once a minute at most. */
void descriptors_complain(const char *object, const char *what);
