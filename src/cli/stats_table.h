/* The /stats document as a table for people: a line about the daemon, a row for each upstream,
 * and its holds and warnings. Pure; stateless. */
#pragma once

#include "base/text.h"

/* Appends it. False: the document is not one of /stats; `error` says why. */
bool stats_table(struct span document, struct text *out, char *error, size_t size) MUST_CHECK;
