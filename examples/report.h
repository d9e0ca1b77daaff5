/* What the scanner found, as a table for people or as JSON for programs (every
 * number of money a string, exact). Pure: text out. */
#pragma once

#include "base/text.h"
#include "examples/scan.h"

struct findings {
    const struct venue *venues;
    size_t venue_count;
    const struct opportunity *opportunities; /* the best first */
    size_t opportunity_count;
};

void report_table(const struct findings *, struct text *out);

/* One line. `at_ms`: the time of the look, since 1970. */
void report_json(const struct findings *, int64_t at_ms, struct text *out);
