/* One who waits for the outcome of a reload. Its memory is the waiter's own; it is
 * on the list of whoever reloads until `done`, or until it is taken off. */
#pragma once

#include "base/list.h"
#include "base/span.h"

enum reload_outcome {
    RELOAD_DONE,
    RELOAD_REFUSED, /* the old configuration keeps running */
    RELOAD_TOO_LATE /* the daemon ends */
};

struct reload_waiter {
    struct link link;
    /* Off the list already. `errors`: one a line, "FILE:LINE: message"; borrowed. */
    void (*done)(struct reload_waiter *, enum reload_outcome, struct span errors);
};
