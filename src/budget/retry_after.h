/* The value of Retry-After (RFC 9110 10.2.3). A pure function. */
#pragma once

#include "base/check.h"
#include "base/span.h"

#define RETRY_AFTER_NOT_TOLD (-1)

/* The seconds it asks for, from `now_s` (wall clock) on, 0 for a date that is past;
 * RETRY_AFTER_NOT_TOLD if it is none: absent, or neither digits nor a date. What is
 * more than a year is about a year. */
int64_t retry_after_s(struct span value, int64_t now_s);
