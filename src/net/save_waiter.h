/* What waits until the state file contains a change: a verb that is answered only then. Embedded
 * in its owner, which sets `done`. It waits while it is on the list of the file (saved_file.h):
 * until `done` is called, or until its owner gives up with save_waiter_forget(). */
#pragma once

#include "net/loop.h"

#define SAVE_WAIT_MS 1000 /* the longest that one waits (contract 12) */

struct save_waiter {
    /* Called once, from the loop, never from inside the call that began the wait; it is off the
     * list already. `saved` is false if the change is not in the file after SAVE_WAIT_MS: the
     * change is in force all the same, but a restart would lose it. */
    void (*done)(struct save_waiter *, bool saved);
    /* ---- */
    struct link link;
    uint64_t change; /* the number of the last change that it waits for */
    struct deadline late;
};

static inline void save_waiter_forget(struct save_waiter *w)
{
    list_remove(&w->link);
    deadline_stop(&w->late);
}
