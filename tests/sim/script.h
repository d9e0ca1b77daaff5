/* The script of one seed: what is configured, which origins and clients there are, and what is done
 * to the daemon. One for the process. */
#pragma once

#include "tests/sim/world.h"

/* Writes the configuration below the current folder, and plans everything. Returns its path. */
const char *script_begin(void);

/* After the daemon has ended with this status: what must hold then. */
void script_judge(int status);
