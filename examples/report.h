/* The result of a scan, as a table for people or as JSON for programs (amounts of money are
 * strings, so that they are exact). Pure functions that append text. */
#pragma once

#include "base/text.h"
#include "examples/scan.h"

struct findings {
    const struct venue *venues;
    size_t venue_count;
    const struct opportunity *opportunities; /* best first */
    size_t opportunity_count;
};

void report_table(const struct findings *, struct text *out);

/* One line. `at_ms`: the time of the scan, in milliseconds since 1970. */
void report_json(const struct findings *, int64_t at_ms, struct text *out);
