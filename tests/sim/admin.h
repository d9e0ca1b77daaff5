/* Operators of the simulated daemon: they send the verbs of an upstream, and read no answer. Each is a
 * connection of its own, which ends with the answer. */
#pragma once

#include "tests/sim/net.h"

void admin_say(uint16_t port, const char *upstream, const char *verb);
unsigned admin_said(void); /* how often */
