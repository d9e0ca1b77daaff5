/* Sends one request to a running daemon and waits for the response, blocking, over TCP or a
 * unix socket. For the command line only. Owns nothing between calls; stateless. */
#pragma once

#include "base/text.h"

#define FETCH_PATIENCE_S 5 /* for requests that are answered at once */

/* `url`: "http://HOST[:PORT]" or "unix:/path". Sends a request without a body and
 * appends the response's body to `body`. Returns the status, or 0 with a message in `error`
 * if there was no complete response within `patience_s` seconds. */
unsigned daemon_client_ask(const char *url, const char *method, const char *path,
                           unsigned patience_s, struct text *body, char *error,
                           size_t size) MUST_CHECK;

/* GETs a page: false, with a message in `error`, for any status but 200. */
bool daemon_client_page(const char *url, const char *path, struct text *page, char *error,
                        size_t size) MUST_CHECK;

/* Is `url` in one of the two forms? */
bool daemon_client_understands(const char *url);
