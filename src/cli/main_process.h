/* The process that systemd runs as the service, seen from the check before a reload: it should
 * find what the daemon will find, with the rights that the daemon has. For the command line only.
 * Stateless; nothing owns it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

/* If this process is root and $MAINPID is set (systemd sets it for ExecReload=), it joins the
 * mount namespace of that process, where its credentials are (LoadCredential=), and takes on its
 * users and groups, for good. Must be called before there are threads. False: `why` says why it
 * could not. */
bool main_process_join(char *why, size_t size) MUST_CHECK;
