/* Numbers with a unit: durations (ms s m h; bare: seconds), sizes (k m g; bare: bytes), plain
 * counts, and rates. Pure, without states. */
#pragma once

#include "base/text.h"
#include "config/directive.h"
#include "config/settings.h"

/* In ms, bytes or pieces, by the directive's type and within its range.
 * False: `why` has what is wrong. */
bool quantity_read(const struct directive *, const char *text, uint64_t *number, char *why,
                   size_t why_size) MUST_CHECK;

/* "COUNT/DURATION", likewise. */
bool quantity_read_rate(const struct directive *, const char *text, struct config_rate *, char *why,
                        size_t why_size) MUST_CHECK;

/* In the largest unit that needs no fraction: 90s, 32k, 5. */
void quantity_print(enum directive_type, uint64_t number, struct text *out);
