/* What waits for the outcome of a reload: a link and a callback.
 * Embedded in its owner. It waits while it is on the list of what reloads:
 * until `done`, or until its owner removes it. */
#pragma once

#include "base/list.h"
#include "base/span.h"

enum reload_outcome {
    RELOAD_DONE,
    RELOAD_REFUSED, /* the old configuration keeps running */
    RELOAD_TOO_LATE /* the daemon is shutting down */
};

/* Of the last one. */
struct reload_result {
    int64_t at_s; /* wall clock; 0: there was none */
    bool succeeded;
};

struct reload_waiter {
    struct link link;
    /* The outcome is known; it is off the list already. `errors`: one a line,
     * "FILE:LINE: message"; borrowed. */
    void (*done)(struct reload_waiter *, enum reload_outcome, struct span errors);
};
