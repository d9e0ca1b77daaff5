/* The dates of HTTP fields, in the three formats of RFC 9110 5.6.7. A pure
 * function. */
#pragma once

#include "base/check.h"
#include "base/span.h"

/* Seconds since 1970, to *at_s; false if it is no such date. `now_s` decides the
 * century of the format that has none: never more than 50 years ahead. */
bool http_date_read(struct span, int64_t now_s, int64_t *at_s) MUST_CHECK;
