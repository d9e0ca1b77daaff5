/* What the start of a daemon would refuse though the configuration reads well:
 * addresses that cannot be bound, an access log that cannot be opened. Tried as the
 * start does, but nothing is left behind, and a daemon that runs notices nothing.
 * For `trunkline check`. */
#pragma once

#include "config/config.h"

/* Complains of each ("FILE:LINE: listen 127.0.0.1:80: permission denied"). An address
 * in use is none: mostly by the daemon that is to take the file. Where systemd runs the
 * check before a reload ($MAINPID, systemd.service(5)) addresses are not looked at: its
 * sockets may stand in for `listen`. False: there was one. */
bool start_check(const struct config *, config_complain *, void *context) MUST_CHECK;
