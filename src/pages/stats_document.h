/* The /stats document (SPEC 6), piece by piece: the daemon's numbers first, then one
 * upstream after the other. A page_source, owned by the exchange that tells it. */
#pragma once

#include "pages/admin.h"
#include "pages/page_stream.h"

/* `admin` is borrowed. `recent` adds the last five minutes of each upstream and the
 * last failures (see recent_json.h). */
struct page_source *stats_document_new(const struct admin *, bool recent);
