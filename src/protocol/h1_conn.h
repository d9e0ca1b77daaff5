/* A line that speaks HTTP/1.1 (RFC 9112): one exchange at a time, parsed by
 * llhttp, strict. Owns its stream, which it reads from birth to end, idle or
 * not. See conn.h for its states. */
#pragma once

#include "net/loop.h"
#include "net/stream.h"
#include "protocol/conn.h"

/* Takes the stream over. */
struct conn *h1_conn_new(struct loop *, struct stream *);
