/* Numbers with a unit: durations (us, ms, s, m, h; without one: seconds), sizes (k, m, g;
 * without one: bytes), plain counts, and rates. Pure, without states. */
#pragma once

#include "base/text.h"
#include "config/directive.h"
#include "config/settings.h"

/* Reads a number according to the directive's type and range, into ms, us, bytes or a count.
 * False: `why` is set to what is wrong, which includes a duration that is not a whole number of
 * what the directive keeps. */
bool quantity_read(const struct directive *, const char *text, uint64_t *number, char *why,
                   size_t why_size) MUST_CHECK;

/* The same for "COUNT/DURATION". */
bool quantity_read_rate(const struct directive *, const char *text, struct config_rate *, char *why,
                        size_t why_size) MUST_CHECK;

/* Appends the number in the largest unit that needs no fraction: 90s, 32k, 5. */
void quantity_print(enum directive_type, uint64_t number, struct text *out);
