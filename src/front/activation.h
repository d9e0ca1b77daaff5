/* Socket activation (sd_listen_fds(3)): adopts the sockets that systemd listens on for
 * trunkline, so that a restart refuses no connection. Called once, at start; the sockets are
 * owned by the listeners from then on. Stateless. */
#pragma once

#include "front/listeners.h"

/* Gives the listeners whatever sockets systemd passed; none is fine. False, with a message in
 * `error`, if one of them cannot be used. */
bool activation_adopt(struct listeners *, char *error, size_t size) MUST_CHECK;
