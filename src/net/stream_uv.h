/* Streams over libuv's TCP and pipe handles: they read into the loop's shared buffer, write with
 * uv_try_write, and use uv_write only for what the kernel does not take at once. Owned like every
 * stream; each owns its handle, and frees itself once libuv has closed that. It is connecting,
 * open or closed. */
#pragma once

#include "net/loop.h"
#include "net/stream.h"

/* Accepts the next connection of a listening handle (call it from the handle's connection
 * callback), and sets TCP_NODELAY. Returns NULL if accept failed. */
struct stream *stream_uv_accept(struct loop *, uv_stream_t *listening);

/* Connects, for dial.c. Exactly one of the two events follows, unless the stream is closed first.
 * `status` is libuv's error. The caller owns the stream from the start. */
struct stream *stream_uv_connect(struct loop *, const struct sockaddr *, void *owner,
                                 void (*done)(void *owner, struct stream *, int status));

/* Likewise, from that local address (of the same family; its port does not count). UV_EADDRNOTAVAIL:
 * it is not this machine's. */
struct stream *stream_uv_connect_from(struct loop *, const struct sockaddr_storage *source,
                                      const struct sockaddr *, void *owner,
                                      void (*done)(void *owner, struct stream *, int status));
struct stream *stream_uv_connect_unix(struct loop *, const char *path, void *owner,
                                      void (*done)(void *owner, struct stream *, int status));

/* The other end's address; returns false for a pipe. */
bool stream_uv_peer(const struct stream *, struct sockaddr_storage *);

/* The local address; returns false for a pipe. */
bool stream_uv_local(const struct stream *, struct sockaddr_storage *);

/* Gives bytes back that were read from it, while it is paused: they come again (copied), before
 * anything else. */
void stream_uv_unread(struct stream *, const char *data, size_t len);

/* Its descriptor, for inspection only; -1 if it has none. */
int stream_uv_fd(const struct stream *);
