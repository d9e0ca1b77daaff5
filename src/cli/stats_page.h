/* The page of `stats --watch`, made from two /stats documents: a line about the daemon and a
 * row for each upstream, those with problems first, then the busiest, then by name. Rates and
 * the share of cache hits are of the time between the two documents, by the daemon's clock;
 * p99 is that of the last complete five seconds. Pure; stateless. */
#pragma once

#include "cli/watch.h"

/* Appends the page, each line ended by '\n'. If `before` is empty, or the daemon has restarted
 * since, there are no rates ("-"). False: `now` is not a document of /stats?recent; `error`
 * says why. */
bool stats_page(struct span before, struct span now, const struct page_form *, struct text *out,
                char *error, size_t size) MUST_CHECK;
