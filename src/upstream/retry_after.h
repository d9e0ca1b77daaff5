/* The value of Retry-After (RFC 9110 10.2.3). A pure function. */
#pragma once

#include "base/check.h"
#include "base/span.h"

#define RETRY_AFTER_MAX_S 3600 /* more is taken as this: a slip must not hold for days */

/* The seconds it asks for, from `now_s` (wall clock) on; 0 if it asks for
 * nothing: absent, malformed, or a date that is past. */
unsigned retry_after_s(struct span value, int64_t now_s);
