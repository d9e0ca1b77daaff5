/* The signals the daemon listens to, as events of its loop: SIGTERM, SIGINT,
 * SIGHUP, SIGUSR1. SIGPIPE is ignored. Owned by the daemon. */
#pragma once

#include "net/loop.h"

struct signals;

struct signals *signals_new(struct loop *, void (*on_signal)(void *owner, int number), void *owner);

/* Closes its handles; freed once the loop has turned. From now on these signals are
 * ignored: one that comes while the process ends would give it another exit code. */
void signals_free(struct signals *);
