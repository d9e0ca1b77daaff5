/* The ways out that the daemon may have (`exits`): source addresses, of which some are not this
 * machine's, and proxies that speak SOCKS5 or CONNECT, which refuse, stall, cut, or answer garbage
 * before they lead to an origin. Judged is that nothing leaves past them, and that what has one
 * credential leaves by one of them. One for the process; it lives as long. */
#pragma once

#include <stdio.h>

#include "tests/sim/net.h"

#define EXITS_SECRET "hunter2" /* a password: nobody may see it */

/* The proxies listen, and behave badly in so many percent of their connections. */
void exits_begin(uint32_t trouble);

/* Draws which of them the next configuration names. Each call may draw others, as a reload does;
 * requests then may move. */
void exits_draw(struct dice *);
void exits_write(FILE *); /* the directive; nothing if none were drawn */

/* How many may there be (0: the daemon has none)? The most of all configurations. */
unsigned exits_count(void);
bool exits_have_changed(void);

/* Something happens to one of them: it is down, or out of reach, for a while. */
void exits_fail(struct dice *);

/* Can a connection of this machine come from this address? */
bool exits_is_ours(uint32_t address);

/* An origin has accepted this connection, and has read an order or anything else (0) on it. */
void exits_accepted(struct end *);
void exits_carry(struct end *, const char *upstream, unsigned order);

/* So many connections to the proxies since the last call. */
unsigned exits_opened(void);
