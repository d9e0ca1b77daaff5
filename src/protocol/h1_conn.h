/* A connection that speaks HTTP/1.1 (RFC 9112): one exchange at a time, parsed by
 * llhttp in its strict mode. Owned by the pool's line; owns its stream, and reads it for as long
 * as it lives, idle or not. It is open, spoiled (in use, but not to be used again), gone,
 * or closed; see conn.h. */
#pragma once

#include "net/loop.h"
#include "net/stream.h"
#include "protocol/conn.h"

/* Takes the stream over. */
struct conn *h1_conn_new(struct loop *, struct stream *);
