/* The /requests document for people, as `trunkline requests` shows it: how many requests
 * are under way in which state, and a row for each, the oldest first. Pure; stateless. */
#pragma once

#include "cli/watch.h"

/* Appends the table, each line ended by '\n', of all requests, or (not NULL) of those to
 * that upstream alone. The last line of what does not fit the form says how many more
 * there are. False: the document is not one of /requests; `error` says why. */
bool requests_table(struct span document, const char *upstream, const struct page_form *,
                    struct text *out, char *error, size_t size) MUST_CHECK;

/* Appends the document itself, with the requests to that upstream alone. */
bool requests_of_upstream(struct span document, const char *upstream, struct text *out, char *error,
                          size_t size) MUST_CHECK;
