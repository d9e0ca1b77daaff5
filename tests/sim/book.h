/* What the simulated exchange read of each request, and what trunkline said of it: the rules of
 * delivery are checked here, at each entry. An order is what must not be acted on twice; a try is one
 * request of a client, and an order that is sent again has several. A reading is one try's arrival at
 * an origin, in part or whole. One book for the process; numbers are from 1. */
#pragma once

#include "base/span.h"
#include "tests/sim/world.h"

enum book_sent { BOOK_NO, BOOK_PARTIAL, BOOK_YES };

/* If copies of an order are answered as the order was (dedupe), what is said of one holds for all. */
void book_begin(bool dedupes);

unsigned book_new_order(void);
unsigned book_new_try(unsigned order); /* 0: no order, it may be repeated */

/* An origin has read the first bytes that name it ("/o/ORDER" or "/g/TRY" in the target). */
unsigned book_reading(struct span target);
void book_reading_try(unsigned reading, unsigned number); /* its X-Try field was read */
void book_read_whole(unsigned reading);

/* The origin tells trunkline that it has not acted on it, and will not. */
void book_vouch(unsigned reading);

/* trunkline's own answer to this try said what was sent. Only one that it has read whole can be
 * known to be a copy. */
void book_told(unsigned number, enum book_sent sent, bool is_whole);

/* What goes out for this try may go out for others: it counts up to its answer only. */
void book_share(unsigned number);

/* The same in the order journal's end line: of one try of this order (its target), or of all. */
void book_journaled(unsigned order, enum book_sent most);

/* The origin has begun to answer it; has it any try of this order? */
void book_reply(unsigned reading);
bool book_has_replied(unsigned order);

/* A client has the whole of an answer with this id of trunkline's. */
void book_heard(struct span id);
bool book_has_heard(const char *id);

/* The daemon has been killed, and knows nothing of the orders before. */
void book_forget_copies(void);

enum book_sent book_seen(unsigned number); /* by try */
enum book_sent book_seen_order(unsigned order);
unsigned book_order_of_reading(unsigned reading);
unsigned book_try_of_reading(unsigned reading);
unsigned book_orders(void);
unsigned book_tries(void);
