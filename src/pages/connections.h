/* GET /connections: the connections to origins that there are now, as
 * {"connections":[{...}]}, upstream by upstream. A page_source that makes one upstream's
 * objects at a time, so that many upstreams never delay the loop; owned by the exchange that
 * sends the page. What each object shows is of the moment it is made. */
#pragma once

#include "pages/page_stream.h"
#include "upstream/pools.h"

/* `pools` is borrowed for the page's life. */
struct page_source *connections_page_new(const struct pools *);
