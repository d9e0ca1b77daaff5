/* The order journal of the present configuration, and those of earlier ones in which orders are
 * still to end. Embedded in the daemon. Off, or open; between journals_open() and the call that
 * follows it, it has the next one besides. */
#pragma once

#include "base/text.h"
#include "config/config.h"
#include "proxy/order_journal.h"
#include "proxy/proxy.h"

struct journals {
    struct loop *loop;
    struct proxy *proxy;
    const char *life;
    struct order_journal *now, *next; /* NULL: off */
    struct list leaving;
};

/* All of it is borrowed, for its life. */
void journals_init(struct journals *, struct loop *, struct proxy *, const char *life);

/* Opens the one of this configuration, unless it is open already. False, with a line for `errors`:
 * it cannot be. Then one of: the configuration is used, and so is that journal; it is not. */
bool journals_open(struct journals *, const struct config *, struct text *errors) MUST_CHECK;
void journals_use(struct journals *, const struct config *);
void journals_drop(struct journals *);

/* See order_journal.h: SIGUSR1; a drain; the daemon's end, after that of the proxy. */
void journals_reopen(struct journals *);
void journals_give_up(struct journals *);
void journals_end(struct journals *);
