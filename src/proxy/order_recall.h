/* Remembers, at the start, the orders that earlier processes sent, from their journal: so that a
 * copy of one of these is not sent either (contract 12, `dedupe`). A function without owner or state;
 * it blocks while it reads, and is called before the first client is accepted. */
#pragma once

#include "config/config.h"
#include "proxy/dedupe.h"

/* Reads of the journal at `path`, and of those that were rotated away before it, what the times of `dedupe` in the configuration reach back to. An order that has no end in it may
 * have been leaving until just now, so its time counts from now. Returns how many orders are
 * remembered; what cannot be read is a warning in the log. */
size_t order_recall(struct dedupe *, struct loop *, const struct config *, const char *path);

struct order_other;

/* Later on: another life of the daemon, which writes to the same journal, has begun or ended an order. */
void order_recall_other(struct dedupe *, struct loop *, const struct config *,
                        const struct order_other *);
