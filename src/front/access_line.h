/* One line of the access log: a record in logfmt or JSON. Pure and stateless: the text is
 * its caller's. Nothing in a record can end the line or add a key to it. */
#pragma once

#include <time.h>

#include "base/text.h"
#include "config/config.h"
#include "proxy/record.h"

/* Appends what is known of an order of unknown fate, as logfmt without time and newline. */
void access_line_of_order(struct text *, const struct record *);

/* Appends the line with its newline. `at` is the wall clock's time. */
void access_line(struct text *, enum config_log_format, const struct timespec *at,
                 const struct record *);
