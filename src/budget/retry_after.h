/* Reads the value of Retry-After (RFC 9110 10.2.3). A pure function, without owner or state. */
#pragma once

#include "base/check.h"
#include "base/span.h"

#define RETRY_AFTER_NOT_TOLD (-1)

/* The seconds from `now_s` (wall clock) that the value asks to wait, at most about a year; 0: a
 * date in the past; RETRY_AFTER_NOT_TOLD: the value is empty, or neither digits nor a date. */
int64_t retry_after_s(struct span value, int64_t now_s);
