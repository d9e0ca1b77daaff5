/* A moment as text: RFC 3339 in UTC with milliseconds, "2026-11-27T09:00:00.123Z", as in the log
 * and the access log. A pure function, without owner or state. */
#pragma once

#include <time.h>

#define TIMESTAMP_SIZE 40

/* Writes it to `text` and returns `text`. */
const char *timestamp_text(char text[TIMESTAMP_SIZE], const struct timespec *);
