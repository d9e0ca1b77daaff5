/* The way that a fetch waits on, or is tried on: its exit is chosen anew each time it comes to the gate,
 * its endpoint each time it asks for a line, and once more when there is no line that way. Embedded in
 * its fetch; the way itself is in the fetch's order. It has a way, or none yet.
 *
 * A request goes to another endpoint only while nothing of it was ever handed to a connection
 * (`delivery->left`): from then on it keeps the one that may have read a byte of it, even if HTTP/2
 * says that the byte was not acted on, and even after a reload that removed the endpoint. */
#pragma once

#include "cache/origin_fetch.h"
#include "proxy/clocks.h"
#include "proxy/delivery.h"

struct way_taken {
    uint64_t bit, tried; /* of that way; of those without a line: see struct ways_wish */
    unsigned changes;    /* of the ways, which the bits belong to */
    const struct delivery *delivery;
    const struct clocks *clocks;
    uint64_t moves_until_ms; /* order_wait, of requests of all kinds; 0: it has not waited yet */
    uint64_t since_us;       /* when it asked for a line that way */
    struct deadline
        slow; /* its owner is told to look for another endpoint; only if there are several */
};

/* All of it is borrowed. `on_slow` is told of its `slow`. */
void way_taken_init(struct way_taken *, const struct fetch_order *, const struct delivery *,
                    const struct clocks *, void (*on_slow)(struct deadline *));

/* Chooses the exit. False: all that the request may take have been tried, and the old one is kept. Sets
 * whether the gate's waiter moves. */
bool way_taken_choose(struct way_taken *, struct fetch_order *, struct gate_waiter *);

/* Chooses the endpoint: before a line is asked for. */
void way_taken_settle(struct way_taken *, struct fetch_order *);

/* It waits for a line that way now. Half of what is left of order_wait later it is told to move. */
void way_taken_waits(struct way_taken *, const struct fetch_order *);

/* There is no line that way: chooses another endpoint, and that failing another exit, whose gate must be
 * passed. */
enum way_next { WAY_NONE, WAY_ENDPOINT, WAY_EXIT };
enum way_next way_taken_next(struct way_taken *, struct fetch_order *,
                             struct gate_waiter *) MUST_CHECK;

/* Its `slow` has come. True: it goes to another endpoint, which it has not tried, or which has a line to
 * lend by now. False: it stays, and will be told again. */
bool way_taken_hurries(struct way_taken *, struct fetch_order *) MUST_CHECK;

/* Must the request wait elsewhere, or longer, than where it does? May it wait on where it does: neither
 * that, nor is its endpoint gone? One that keeps its endpoint keeps its exit too, gone or not. */
bool way_taken_is_shut(const struct way_taken *, const struct fetch_order *,
                       const struct gate_waiter *);
bool way_taken_stays(const struct way_taken *, const struct fetch_order *,
                     const struct gate_waiter *);

/* The fetch is over. */
void way_taken_leave(struct way_taken *, struct fetch_order *);
