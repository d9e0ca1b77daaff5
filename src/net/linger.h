/* Ends client connections politely: half-closes, then reads and drops what still comes, so that a
 * reset does not destroy the response on its way (RFC 9112 9.6). Owned by the daemon. A stream
 * lingers for at most 1 MiB received and 2 s; while a response is still queued and the other
 * end takes some of it every 2 s, for up to 30 s. What is left of the response then must not
 * look complete, so the connection is reset. */
#pragma once

#include "net/loop.h"
#include "net/stream.h"

struct lingering;

struct lingering *linger_new(struct loop *);

/* Takes the stream over. No event follows. */
void linger_take(struct lingering *, struct stream *);
size_t linger_count(const struct lingering *);

/* Closes all that still linger, at once, and frees. */
void linger_free(struct lingering *);
