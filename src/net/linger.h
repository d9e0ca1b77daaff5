/* The polite end of client connections: half-close, then drain what still
 * comes, so that a reset does not destroy the answer on its way (RFC 9112 9.6).
 * Owned by main. Each stream is bounded by 1 MiB received and 2 s, whichever is
 * first; an answer still in its queue may go on while the other end takes bytes
 * of it in every 2 s, up to 30 s; then, as it must not look whole, it is reset. */
#pragma once

#include "net/loop.h"
#include "net/stream.h"

struct lingering;

struct lingering *linger_new(struct loop *);

/* Takes the stream over; nobody hears of it again. */
void linger_take(struct lingering *, struct stream *);
size_t linger_count(const struct lingering *);

/* Closes what still lingers, at once, and frees. */
void linger_free(struct lingering *);
