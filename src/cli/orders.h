/* The command `orders`: reads order journals, without a daemon, and prints the orders in them.
 * Stateless. */
#pragma once

#include "base/check.h"

struct orders_options {
    const char *upstream; /* only those to this one; NULL: to any */
    const char
        *since; /* only those that began within this time: "30s", "5m", "1h", "2d"; NULL: all */
    bool open, unknown; /* only those; neither: all */
    bool json;
};

/* Does `since` have that form? */
bool orders_since(const char *since, int64_t *us) MUST_CHECK;

/* Prints what the files have. Returns an exit code: EX_OK; EX_NOINPUT: a file could not be read,
 * and the others were. */
int orders_run(const struct orders_options *, char *const *files, size_t count);

/* The same for a journal and what was rotated away from it: files beside it whose name begins with
 * its own, a "." or "-", and a digit. Compressed ones are left out, which stderr says. */
int orders_run_on(const struct orders_options *, const char *journal);
