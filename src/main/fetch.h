/* A page of a running daemon, fetched the plain way: one blocking GET over TCP
 * or a unix socket, five seconds at most. For the command line only. */
#pragma once

#include "base/text.h"

/* `url`: "http://HOST[:PORT]" or "unix:/path". Appends the body of a 200 to
 * `page`; false with words in `error`. */
bool fetch_page(const char *url, const char *path, struct text *page, char *error,
                size_t size) MUST_CHECK;

/* Is it one of the two? */
bool fetch_understands(const char *url);
