/* The rare branches of /stats?rare as a table for people. Pure; stateless. */
#pragma once

#include "base/text.h"

/* Appends a row for each branch that was taken, or for all of them, each ended by '\n'.
 * False: the document is not one of /stats?rare; `error` says why. */
bool rare_table(struct span document, bool all, struct text *out, char *error,
                size_t size) MUST_CHECK;
