/* The sockets trunkline listens on: TCP and unix, the daemon's own and each
 * upstream's. Owned by main. A reload opens what is new and closes what went. */
#pragma once

#include "config/config.h"
#include "front/clients.h"

struct listeners;

struct listeners *listeners_new(struct loop *, struct clients *);

/* Makes the open sockets those of this configuration; addresses already open
 * stay open. All or nothing: false with words in `error` ("FILE:LINE: listen
 * 127.0.0.1:8642: address already in use"), and nothing changed. A stale unix socket nobody
 * listens on is replaced; no address at all is an error. */
bool listeners_apply(struct listeners *, const struct config *, char *error,
                     size_t size) MUST_CHECK;

/* Words of an error about one of its addresses (NULL: about all), with the file and
 * line where it stands, if it stands anywhere. Returns `message`. */
#define LISTENERS_NOWHERE "listen: no address is given, here or in an upstream"
const char *listeners_error(const struct config *, const struct config_address *, const char *words,
                            char *message, size_t size);

/* Takes a listening socket that somebody else made; it is closed if it is no good
 * (false, with words). To be called before the first listeners_apply(): from then
 * on the `listen` of the configuration is not opened (a warning says so where they
 * differ), and an upstream's own only where no such socket has the address. They
 * stay until listeners_close(). */
bool listeners_adopt(struct listeners *, int fd, char *error, size_t size) MUST_CHECK;

/* Is this address one of ours? (A request that would come back to us.) */
bool listeners_own(const struct listeners *, const struct sockaddr *);

void listeners_close(struct listeners *); /* stop accepting (drain) */
void listeners_free(struct listeners *);
