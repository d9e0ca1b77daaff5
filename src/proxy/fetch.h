/* One request on its way to its origin: waits for its turn, at the gate, for a
 * line; tries; tries again where that cannot do harm (the never-twice rule, SPEC
 * 4); says what went wrong and whether the request can have reached the exchange.
 * An exchange whose events are raw, as the origin gave them; failures come as
 * on_failed, before the head too. Owned by who opened it until it ends, frees
 * itself. Gathering (a small body), queueing (for its turn), gated, waiting (for
 * a line), awaiting (the answer's head), receiving (its body), over. */
#pragma once

#include "cache/origin_fetch.h"

struct exchange *fetch_open(const struct fetch_order *, const struct exchange_events *,
                            void *owner);

/* The asker is gone. True: the request was sent whole, so its answer is still read, and
 * its line lives on (SPEC 11): the events, to somebody else, go on until the end. It is
 * over early (on_failed) with more than 1 MiB of an answer (FAILURE_NONE), or where
 * response_timeout or body_timeout is up; one that is no order within 2 s at most, with
 * pauses of 500 ms at most, and in 500 ms if somebody needs its line. False: nothing has changed. */
bool fetch_follow(struct exchange *, const struct exchange_events *, void *owner) MUST_CHECK;

/* It has until then (loop time, ms) instead. What it waits for in a queue keeps
 * its earlier bound. */
void fetch_extend(struct exchange *, uint64_t until_ms);

/* What it would fail with if its time, which was so long, ran out before the head. */
struct verdict fetch_late(const struct exchange *, uint64_t total_ms);
