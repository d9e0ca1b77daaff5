/* The sockets that trunkline listens on: TCP and unix, the daemon's own and each upstream's.
 * Owned by the daemon. Its state is the list of open listeners: a reload opens the new ones
 * and closes those no longer configured. */
#pragma once

#include "config/config.h"
#include "front/clients.h"

struct listeners;

/* None is open yet. Connections are handed to `clients`, borrowed for its life. */
struct listeners *listeners_new(struct loop *, struct clients *);

/* Makes the open sockets those of this configuration; addresses already open stay open. All
 * or nothing: false, with a message in `error` ("FILE:LINE: listen 127.0.0.1:8642: address
 * already in use"), if one cannot be opened, and nothing has changed. A stale unix socket, on
 * which no process listens, is replaced. No address at all is an error. */
bool listeners_apply(struct listeners *, const struct config *, char *error,
                     size_t size) MUST_CHECK;

/* Writes an error about one of the configuration's addresses (NULL: about `listen` as a
 * whole) to `message`, with the file and the line where it is set, if it is. Returns
 * `message`. */
#define LISTENERS_NOWHERE "listen: no address is given, here or in an upstream"
const char *listeners_error(const struct config *, const struct config_address *, const char *words,
                            char *message, size_t size);

/* Adopts a listening socket made by another process. False, with a message in `error`, if it
 * cannot be used; it is closed then. To be called before the first listeners_apply(), which
 * then does not open the configuration's `listen` (and warns where that differs), and opens
 * an upstream's own only where no adopted socket has the address. Adopted sockets stay open
 * until listeners_close(). */
bool listeners_adopt(struct listeners *, int fd, char *error, size_t size) MUST_CHECK;

/* Would a connection to this address arrive here? (A request to it would loop.) */
bool listeners_own(const struct listeners *, const struct sockaddr *);

/* Closes all, so that nothing more is accepted (drain). */
void listeners_close(struct listeners *);

/* Closes all, and frees. NULL is fine. */
void listeners_free(struct listeners *);
