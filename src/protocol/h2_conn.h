/* A connection that speaks HTTP/2 (RFC 9113), by nghttp2: many exchanges at once, each
 * with a flow-control window of its own. Owned by the pool's line; owns its stream, and reads
 * it for as long as it lives. It is open, leaving (after a GOAWAY or a 421 it takes no
 * more exchanges, and is gone once the last has ended), gone, or closed. Whether its
 * origin is still there is h2_proof's to say. */
#pragma once

#include "net/loop.h"
#include "net/stream.h"
#include "protocol/conn.h"

/* Takes the stream over. `secure`: it is TLS, for :scheme. `header_limit`: the
 * SETTINGS_MAX_HEADER_LIST_SIZE that the origin is told (RFC 9113 6.5.2). */
struct conn *h2_conn_new(struct loop *, struct stream *, bool secure, size_t header_limit);
