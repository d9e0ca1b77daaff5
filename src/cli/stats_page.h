/* Two looks at /stats as the page of `stats --watch`: a line about the daemon and
 * a row for each upstream, troubled ones first, then the busiest, then by name.
 * Rates and the share of hits are those between the two looks, by the daemon's
 * own clock; p99 is that of the last five seconds that are past. Pure. */
#pragma once

#include "cli/watch.h"

/* Appends the page, each line ended by '\n'. `before` may be empty, or of a daemon
 * that has restarted since: then there are no rates ("-"). False: `now` is not a
 * document of /stats?recent; `error` says why. */
bool stats_page(struct span before, struct span now, const struct page_form *, struct text *out,
                char *error, size_t size) MUST_CHECK;
