/* Who waits in the daemon, seen from outside: when it had read a request, and when that left on an
 * HTTP/1.1 connection. Judged are: requests without credentials leave to an upstream in the order in
 * which they were read; an order leaves, each time, within order_wait or is answered; what waits only
 * for a connection is answered within queue_timeout. One for the process; entries live as long. */
#pragma once

#include "base/span.h"
#include "tests/sim/net.h"

struct queue_rules {
    uint64_t order_us; /* order_wait; 0: not judged */
    uint64_t queue_us; /* queue_timeout; 0: not judged */
};

/* Of several configurations the longest times count. `is_ordered`: each upstream has one queue. */
void queue_allow(const struct queue_rules *, bool is_ordered);

/* Something else than the queue may hold requests: a gate, an operator. */
void queue_may_be_held(void);

/* A client sends try `number` (`order`: 0, it is a GET) to an upstream that HTTP/1.1 leads to: the
 * daemon has it once it has read as many bytes of this end. */
void queue_enters(unsigned number, unsigned order, const char *upstream, struct end *, uint64_t at);
void queue_ends(unsigned number); /* it is answered, lost or left */

/* The daemon writes this to an origin, on this end. */
void queue_sees(struct span bytes, const struct end *);
