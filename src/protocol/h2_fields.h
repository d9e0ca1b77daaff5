/* A request's head and trailers as HTTP/2 has them (RFC 9113 8.2, 8.3): pseudo
 * fields first, no field that concerns one connection, cookies in crumbs. Pure;
 * results live in the arena, for one call of nghttp2, which copies them. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "protocol/conn.h"

nghttp2_nv *h2_request_fields(struct arena *, const struct conn_request *, bool secure,
                              size_t *count);
nghttp2_nv *h2_trailer_fields(struct arena *, const struct fields *, size_t *count);
