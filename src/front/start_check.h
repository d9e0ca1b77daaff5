/* What only the start of a daemon would refuse of a valid configuration: addresses that
 * cannot be bound, an access log that cannot be opened. Tried as the start does it, but
 * nothing is left behind, and a running daemon is not disturbed. For `trunkline check`.
 * Stateless. */
#pragma once

#include "config/config.h"

/* Reports each problem to `complain` ("FILE:LINE: listen 127.0.0.1:80: permission denied");
 * false if there was one. An address in use is no problem: mostly the daemon that is to load
 * the file uses it. Where systemd runs the check before a reload ($MAINPID,
 * systemd.service(5)), addresses are not tried, because its sockets may take the place of
 * `listen`. */
bool start_check(const struct config *, config_complain *complain, void *context) MUST_CHECK;
