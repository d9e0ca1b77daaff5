/* Socket activation (sd_listen_fds(3)): the sockets that systemd listens on for
 * us, so that a restart refuses no connection. Looked for once, at start; owned
 * by the listeners from then on. */
#pragma once

#include "front/listeners.h"

/* Gives the listeners whatever sockets were handed over; none is fine. False with
 * words in `error` if one of them cannot be served. */
bool activation_adopt(struct listeners *, char *error, size_t size) MUST_CHECK;
