/* Numbers with a unit: durations (ms s m h; bare: seconds), sizes (k m g;
 * bare: bytes) and plain counts. Pure. */
#pragma once

#include "base/text.h"
#include "config/directive.h"

/* In ms, bytes or pieces, by the directive's kind and within its range.
 * False: `why` has what is wrong. */
bool quantity_read(const struct directive *, const char *text, uint64_t *number, char *why,
                   size_t why_size) MUST_CHECK;

/* "COUNT/DURATION"; both at least 1. */
bool quantity_read_rate(const char *text, unsigned *count, uint64_t *per_ms) MUST_CHECK;

/* In the largest unit that needs no fraction: 90s, 32k, 5. */
void quantity_print(enum directive_kind, uint64_t number, struct text *out);
