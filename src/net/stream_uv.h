/* Streams over libuv's TCP and pipe handles: they read into the loop's shared buffer, write with
 * uv_try_write, and use uv_write only for what the kernel does not take at once. Owned like every
 * stream; each owns its handle, and frees itself once libuv has closed that. It is connecting,
 * open or closed. */
#pragma once

#include "net/loop.h"
#include "net/stream.h"

/* Takes the next connection of a listening handle (call from its connection
 * callback). NULL if accept failed; TCP_NODELAY is set. */
struct stream *stream_uv_accept(struct loop *, uv_stream_t *listening);

/* Connecting, for dial.c: exactly one of the two, unless the stream is closed
 * first. `status` is libuv's error. The stream is yours from the start. */
struct stream *stream_uv_connect(struct loop *, const struct sockaddr *, void *owner,
                                 void (*done)(void *owner, struct stream *, int status));
struct stream *stream_uv_connect_unix(struct loop *, const char *path, void *owner,
                                      void (*done)(void *owner, struct stream *, int status));

/* The other end's address; false for a pipe. */
bool stream_uv_peer(const struct stream *, struct sockaddr_storage *);

/* Our own end's address; false for a pipe. */
bool stream_uv_local(const struct stream *, struct sockaddr_storage *);

/* Its descriptor, for looking at; -1 if it has none. */
int stream_uv_fd(const struct stream *);
