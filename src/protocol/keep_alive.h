/* How long an origin keeps an idle connection, by the Keep-Alive field of its response
 * ("timeout=5, max=100"; RFC 2068 19.7.1.1, as servers still send it). A pure function. */
#pragma once

#include "http/message.h"

/* How long the connection may be idle (ms, at least 1) so that we close it before the origin
 * does: its timeout less one second, but at least half of it. 0: there is no readable
 * timeout. */
uint64_t keep_alive_rest_ms(const struct fields *);
