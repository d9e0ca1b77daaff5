/* GET /requests (contract 12): what is under way now, oldest first, as
 * {"requests":[{...}]}. A page_source that makes one request's object at a time, so that
 * thousands of them never delay the loop; owned by the exchange that sends the page.
 * What each object shows is of the moment it is made; requests that end before are left
 * out, and those that begin meanwhile too. */
#pragma once

#include "pages/page_stream.h"
#include "proxy/under_way.h"

/* `under_way` is borrowed for its life. */
struct page_source *requests_page_new(struct under_way *);
