/* Which of an origin's lines a request gets. Works on the `struct lines` of the pool
 * (lines_view.h); has no state of its own. A line that is found unfit on the way is retired,
 * so that a request never meets one that was closed, or has something unread. */
#pragma once

#include "upstream/lines.h"

struct lines_wish {
    bool careful;   /* the kernel is asked even about a line that came back just now */
    bool alone;     /* on a line that carries nothing else, if there is one; */
    bool may_share; /* otherwise on one with room */
    bool wants_new; /* only on a line that has carried nothing yet */
};

/* A line, lent; NULL: there is none now. The most recently used idle one, or the least loaded
 * one with room: of the idle lines one is left for the next request that wants one alone. An
 * idle line with something unread is retired; if that may be frames (it shares) or TLS
 * tickets (it is new), it is passed over until it has been read. */
struct line *lines_take(struct lines *, const struct lines_wish *);

/* At the cap, retires the idle line that was used longest ago, so that another may be dialled.
 * False: the cap is not reached, or none is idle. */
bool lines_make_room(struct lines *);
