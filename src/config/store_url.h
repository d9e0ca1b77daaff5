/* Where a store of budgets is, as written in the configuration. Pure, without states; strings are
 * kept in the given arena. */
#pragma once

#include "base/arena.h"
#include "config/settings.h"

/* "redis://[[user]:password@]host[:port][/db]", the same with "rediss://", or "unix:/path". Port
 * 6379 and database 0 need not be written; user and password are percent-decoded once. False:
 * `why` is set to what is wrong, in words that do not repeat the text, which may be secret. */
bool store_url_read(struct arena *, const char *text, struct config_store *,
                    const char **why) MUST_CHECK;
