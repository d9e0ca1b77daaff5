/* File descriptors: how many the process may have, and how near it is to that limit. There is one
 * limit per process, without an owner. The last descriptors are rationed: new clients are refused
 * first, then new connections to origins, and the daemon's own files last. */
#pragma once

#include "base/check.h"

/* Raises the limit towards `wanted`, as far as permitted. Returns the limit now in force. */
size_t descriptors_raise(size_t wanted);

/* ENOUGH: no shortage. FEW: too few to serve another client. SCARCE: too few even to send that
 * client an error. GONE: too few to open another connection to an origin. */
enum descriptors { DESCRIPTORS_ENOUGH, DESCRIPTORS_FEW, DESCRIPTORS_SCARCE, DESCRIPTORS_GONE };

/* What is left after `fd`, which must have been opened just now: the kernel gives out the lowest
 * free number, so that `fd` shows how many are in use. */
enum descriptors descriptors_beside(int fd);

/* Logs what is refused for lack of descriptors, at most once a minute. */
void descriptors_complain(const char *object, const char *what);
