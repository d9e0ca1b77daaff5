/* What an origin says in its answer's Keep-Alive field of how long it keeps an idle
 * connection ("timeout=5, max=100"; RFC 2068 19.7.1.1, as all servers still send it).
 * A pure function. */
#pragma once

#include "http/message.h"

/* How long the connection may rest idle on our side, so that we close first: the
 * origin's time less one second, but at least half of it; at least 1 ms. 0: it has said
 * nothing that can be read. */
uint64_t keep_alive_rest_ms(const struct fields *);
