/* How long a fetch may take in each of its phases, and the verdict when that time is up.
 * All times are loop time in ms; UINT64_MAX means never. A plain value embedded in its
 * fetch, which passes the phase it is in; it has no states of its own. */
#pragma once

#include "base/failure.h"
#include "config/config.h"
#include "net/loop.h"

enum clocks_phase {
    CLOCKS_GATHERING, /* a small body, before anything is waited for */
    CLOCKS_QUEUEING,  /* in the serializer, or at the gate */
    CLOCKS_WAITING,   /* for a connection */
    CLOCKS_AWAITING,  /* the head of the response */
    CLOCKS_RECEIVING, /* its body */
    CLOCKS_HOLDING    /* its body, while the head is held back: the client has nothing yet */
};

struct clocks {
    struct loop *loop;
    const struct upstream_config *settings; /* borrowed */
    uint64_t total_ms;                      /* as given at the start, for the verdict's text */
    uint64_t total_at;    /* limits of the request: the head must have come by then, */
    uint64_t order_at;    /* an order must have been sent by then, */
    uint64_t transfer_at; /* the response must be complete by then */
    uint64_t response_at; /* limit of the try: the head must have come by then */
    uint64_t active_at;   /* when the last byte of the body came */
    uint64_t drained_at;  /* a response that nobody reads is drained no longer than that */
    bool follows;         /* the client of an order has disconnected */
    bool paused;          /* the client does not read, so body_timeout stands still */
};

/* `total_ms` until the head of the response; 0: no limit. */
void clocks_init(struct clocks *, struct loop *, const struct upstream_config *, uint64_t total_ms);

/* `ms` from now; never if that is 0. */
uint64_t clocks_after(const struct clocks *, uint64_t ms);

/* The request is an order: order_wait begins. */
void clocks_is_order(struct clocks *);

/* A try begins; it has been sent whole, and response_timeout begins; a byte of the body
 * came, and body_timeout begins again. */
void clocks_try(struct clocks *);
void clocks_sent(struct clocks *);
void clocks_active(struct clocks *);

/* Until when it may wait for anything before it is sent; and in the serializer. */
uint64_t clocks_wait_until(const struct clocks *);
uint64_t clocks_serialize_until(const struct clocks *);

/* Its client has disconnected. The response to an order is read for as long as the origin
 * may take. Any other is read for a short time, which clocks_drain_on() extends step by
 * step, up to a limit, as long as no other request waits for the connection. */
void clocks_follow(struct clocks *, bool is_order);
void clocks_drain_on(struct clocks *);

/* The earliest time at which the phase may be over. */
uint64_t clocks_due(const struct clocks *, enum clocks_phase);

/* Is its time up? response_timeout counts from the last byte that was sent: until then
 * (`is_sent` is false) it begins again here, unless an order is followed, since nothing else limits
 * that. */
bool clocks_are_up(struct clocks *, enum clocks_phase, bool is_sent);

/* The verdict then; `sent` in it is for the caller to set. */
struct verdict clocks_verdict(const struct clocks *, enum clocks_phase);

/* The verdict that no head came within that time. */
struct verdict clocks_late(uint64_t total_ms);
