/* How long a fetch may take in each of its phases, and what it fails with when that time
 * is up. All times are of the loop, in ms; UINT64_MAX is never. A value, embedded in its
 * fetch. */
#pragma once

#include "base/failure.h"
#include "config/config.h"
#include "net/loop.h"

enum clocks_phase {
    CLOCKS_GATHERING, /* a small body, before anything is waited for */
    CLOCKS_QUEUEING,  /* for its turn, or at the gate */
    CLOCKS_WAITING,   /* for a line */
    CLOCKS_AWAITING,  /* the answer's head */
    CLOCKS_RECEIVING, /* its body */
    CLOCKS_HOLDING    /* its body, while its head is held back: the asker has nothing yet */
};

struct clocks {
    struct loop *loop;
    const struct upstream_config *settings; /* borrowed */
    uint64_t total_ms;                      /* as it was told when it began, for the words */
    uint64_t total_at, order_at, transfer_at;
    uint64_t response_at, active_at; /* of the try: no head by then; last byte of the body */
    uint64_t drained_at;             /* no answer that nobody hears is read for longer */
    bool paused;                     /* the asker does not read: the body's clock stands still */
};

/* `total_ms` until the head, 0: no limit. */
void clocks_init(struct clocks *, struct loop *, const struct upstream_config *, uint64_t total_ms);

uint64_t clocks_after(const struct clocks *, uint64_t ms); /* ms 0: never */

void clocks_is_order(struct clocks *); /* order_wait begins */
void clocks_try(struct clocks *);      /* a try begins: its response is not yet due */
void clocks_sent(struct clocks *);     /* it was written whole: response_timeout begins */
void clocks_active(struct clocks *);   /* body_timeout begins again */

/* Until when it may wait for anything before it is sent. */
uint64_t clocks_wait_until(const struct clocks *);

uint64_t clocks_turn_until(const struct clocks *); /* likewise, for its turn */

/* Its asker is gone. An answer to an order is read as long as the origin may take; any
 * other for a while, and for longer, step by step, where nobody needs its line. */
void clocks_follow(struct clocks *, bool is_order);
void clocks_drain_on(struct clocks *);

/* When its time may be up, at the soonest. */
uint64_t clocks_due(const struct clocks *, enum clocks_phase);

/* Is it up? The response's clock begins with the last byte sent: as long as it is not
 * (`is_sent`), it begins again. */
bool clocks_are_up(struct clocks *, enum clocks_phase, bool is_sent);

/* What it fails with then; what was sent is for its owner to say. */
struct verdict clocks_verdict(const struct clocks *, enum clocks_phase);
struct verdict clocks_late(uint64_t total_ms); /* no head within that */
