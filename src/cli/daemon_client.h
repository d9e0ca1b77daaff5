/* Asks a running daemon the plain way: one blocking request over TCP or a unix
 * socket. For the command line only. */
#pragma once

#include "base/text.h"

#define FETCH_PATIENCE_S 5 /* for what is answered at once */

/* `url`: "http://HOST[:PORT]" or "unix:/path". Sends a request without body and
 * appends that of the answer to `body`; the answer's status, or 0 with words in
 * `error` if there was none within `patience_s` seconds. */
unsigned daemon_client_ask(const char *url, const char *method, const char *path,
                           unsigned patience_s, struct text *body, char *error,
                           size_t size) MUST_CHECK;

/* The same for a page: false, with words in `error`, for any status but 200. */
bool daemon_client_page(const char *url, const char *path, struct text *page, char *error,
                        size_t size) MUST_CHECK;

/* Is it one of the two? */
bool daemon_client_understands(const char *url);
