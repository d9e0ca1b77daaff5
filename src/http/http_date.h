/* Dates in HTTP fields, in the three formats of RFC 9110 5.6.7. A pure function. */
#pragma once

#include "base/check.h"
#include "base/span.h"

/* Sets *at_s to the seconds since 1970; false if it is not such a date. One format has a year
 * of two digits: it means a year at most 50 years after `now_s` (seconds since 1970). */
bool http_date_read(struct span, int64_t now_s, int64_t *at_s) MUST_CHECK;
