/* A freeze of all upstreams, and of the hosts without one, for a while: from the 204 on no tunnel is
 * opened and no connection upgraded. One for the process. It is on from its 204 until it is ended. */
#pragma once

#include "tests/sim/world.h"

/* It comes, and goes, at some time. */
void freeze_plan(uint16_t port, struct dice *);

/* A tunnel that its client asked for at that time is open. */
void freeze_judge(uint64_t asked_us);

/* The daemon has been killed: a freeze may be forgotten. */
void freeze_forget(void);
