/* One line of the access log: a record in logfmt or JSON. Pure; nothing in a
 * record can end the line or make a key of its own. */
#pragma once

#include <time.h>

#include "base/text.h"
#include "config/config.h"
#include "proxy/record.h"

/* Appends, as logfmt without time and newline, what there is to know of an order whose
 * fate is unknown. */
void access_line_of_order(struct text *, const struct record *);

/* Appends the line with its newline. `at` is of the wall clock. */
void access_line(struct text *, enum config_log_format, const struct timespec *at,
                 const struct record *);
