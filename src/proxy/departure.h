/* The question before a request leaves for its origin, at its first try and at each further one:
 * has its upstream, or its bot, been frozen? Is its time to be sent over? Embedded in what sends it
 * (a fetch, or what opens a tunnel), which asks, and hears of a freeze that comes while it waits.
 * It is open (on the list of `freezes`) or closed. */
#pragma once

#include "cache/origin_fetch.h"
#include "proxy/freezes.h"

struct departure {
    /* The owner sets these before departure_open(). */
    const struct fetch_order *order; /* lives as long; without settings nothing is known of it */
    /* It must not leave, by the freeze that was begun just now, or as was found when it asked. Never
     * from within a call of the owner's; it may be closed in this call. */
    void (*on_stopped)(void *owner, const struct verdict *why);
    void *owner;
    /* ---- */
    struct freezes_entry entry;
    struct task refusal;
    struct verdict why;
};

void departure_open(struct departure *);
void departure_close(struct departure *); /* no event comes after; idempotent */

/* Must it not leave now? Orders must not, as order_rules says; nor an upgrade that read_paths does
 * not name, nor a CONNECT, of which nothing is known. The answer is freezes_verdict(). */
bool departure_is_stopped(const struct departure *);

/* The same; if it must not, on_stopped comes later in this turn. */
bool departure_ask(struct departure *) MUST_CHECK;

/* The last question before its first byte: the same, or is `until_ms` (loop time) past? A loop that
 * was late itself may see a connection come free before it sees that. */
bool departure_ask_last(struct departure *, uint64_t until_ms) MUST_CHECK;
