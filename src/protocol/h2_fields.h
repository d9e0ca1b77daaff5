/* A request's head and trailers as HTTP/2 writes them (RFC 9113 8.2, 8.3): pseudo-header
 * fields first, no connection-specific fields, cookies split into crumbs. Pure functions; the
 * results live in the arena, and nghttp2 copies them when they are submitted. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "protocol/conn.h"

/* `secure`: for :scheme. `count`: how many fields are returned. */
nghttp2_nv *h2_request_fields(struct arena *, const struct conn_request *, bool secure,
                              size_t *count);
nghttp2_nv *h2_trailer_fields(struct arena *, const struct fields *, size_t *count);
