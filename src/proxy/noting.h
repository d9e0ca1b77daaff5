/* What an order does between being lent a connection and being sent: it has its line written in the
 * journal, and keeps the connection meanwhile. Embedded in its fetch. It is idle, or waits for the
 * line; an order that is not journaled never waits. */
#pragma once

#include "cache/origin_fetch.h"
#include "proxy/order_journal.h"
#include "proxy/upload.h"
#include "upstream/line.h"

struct noting_events {
    /* It may be sent on this connection; NULL: it was lost meanwhile, and another is needed. */
    void (*on_noted)(void *owner, struct line *);
    void (*on_refused)(void *owner, const struct verdict *); /* unsent */
};

struct noting {
    const struct noting_events *events;
    void *owner;
    const struct fetch_order *order;
    const struct upload *upload;
    struct line_hold hold;
    struct deadline late;
    unsigned status; /* of the response: the owner sets it; 0: none */
    bool waits;
    uint64_t began_us, waited_us; /* in all */
};

/* All of it is borrowed, and lives as long. */
void noting_init(struct noting *, const struct noting_events *, void *owner,
                 const struct fetch_order *, const struct upload *);

/* True: it may be sent on this connection at once. False: one of the events comes later, unless
 * noting_end() is called first; at `until_ms` (loop time) it is refused. */
bool noting_ask(struct noting *, struct line *, uint64_t until_ms) MUST_CHECK;

/* The fetch ends; the connection is given back. If the fate of an order may be unknown, by what was
 * sent and answered, the client's own ids are put where the order wants them, for the warning. */
void noting_end(struct noting *, enum sent);
