/* Closes client connections gracefully: half-closes, then reads and discards what still arrives, so
 * that a reset does not destroy the response in transit (RFC 9112 9.6). Owned by the daemon. A
 * stream lingers for at most 1 MiB received and 2 s; while a response is still queued and the other
 * end accepts part of it every 2 s, for up to 30 s. If part of the response is still queued then,
 * it must not look complete, so the connection is reset. */
#pragma once

#include "net/loop.h"
#include "net/stream.h"

struct lingering;

struct lingering *linger_new(struct loop *);

/* Takes ownership of the stream. No event follows. */
void linger_take(struct lingering *, struct stream *);
size_t linger_count(const struct lingering *);

/* Closes all streams that still linger, at once, and frees the object. */
void linger_free(struct lingering *);
