/* Operators of the simulated daemon: they send the verbs of an upstream, or of all (NULL). Each is a
 * connection of its own, which ends with the answer; told (NULL: nobody) is called with its status. */
#pragma once

#include "tests/sim/net.h"

void admin_say(uint16_t port, const char *upstream, const char *verb, void (*told)(int status));
unsigned admin_said(void); /* how often */
