/* Asks the daemon for /stats at a quiet point and checks that its sums agree. One at a time. */
#pragma once

#include "tests/sim/world.h"

/* then(NULL) is called once they were checked. */
void stats_ask(uint16_t port, void (*then)(void *));
