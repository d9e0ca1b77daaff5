/* Upgrades to WebSocket at an origin that speaks HTTP/1.1 in the clear: what a client sends, and what
 * the origin makes of it: it switches (from then on its side is a tunnel's, tunnels.h), refuses,
 * stalls, closes, or switches without a word of what to. No upgrade is read twice. */
#pragma once

#include "tests/sim/origin_conn.h"

/* The request of a client whose upgrade has that number. */
void upgrade_write(unsigned number, struct text *to);

/* The bytes that an origin has read so far: is it, or may it become, an upgrade? Then it is taken care
 * of. */
bool upgrades_take(struct origin_conn *, struct span in);
