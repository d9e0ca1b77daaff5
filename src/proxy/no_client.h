/* The events of an exchange whose client has disconnected: what comes is dropped. It cannot fail
 * (on_failed) and cannot be switched (on_switch); its owner sees to that. Static, without owner or
 * state. */
#pragma once

#include "http/exchange.h"

extern const struct exchange_events no_client_events;
