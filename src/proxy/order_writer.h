/* The thread that appends lines to the file of an order journal. It has a thread of its own, since a
 * handshake step would keep a line waiting for 3 ms on the other one (worker.h). Owned by its
 * journal, on the loop. The thread takes all lines that were given since it took the last ones, so
 * that they share one write and one sync. While it has none, the loop appends what the kernel takes
 * without waiting, if order_writer_allow() says so. A line is with its owner, given, or with the thread. */
#pragma once

#include "net/loop.h"
#include "proxy/order_file.h"
#include "proxy/order_writing.h"

struct order_writer;
struct order_other;

/* Called on the loop, never from inside a call. */
struct order_writer_events {
    /* For each line that was given, in their order among those that sync and among those that do
     * not. */
    void (*on_outcome)(void *owner, struct order_writing *);
    /* What others have written to the file before the line whose outcome comes next, in the order of
     * the file. Borrowed. */
    void (*on_other)(void *owner, const struct order_other *);
};

/* Takes the file over. */
struct order_writer *order_writer_new(struct loop *, struct order_file *,
                                      const struct order_writer_events *, void *owner);

/* May the loop append itself what need not wait (order_file_append_at_once())? At first not: it stands
 * still while the file system is frozen. */
void order_writer_allow(struct order_writer *, bool at_once);

/* Gives all lines of the list, which is empty then. */
void order_writer_give(struct order_writer *, struct list *lines);

/* Takes a line back that the thread does not have yet. False: it has, or the line is written. */
bool order_writer_take_back(struct order_writer *, struct order_writing *) MUST_CHECK;

/* Tells the outcomes that are there now, from inside. */
void order_writer_look(struct order_writer *);

/* How many were given whose outcome is not known yet. */
size_t order_writer_count(const struct order_writer *);

/* For the end of the daemon: blocks until the thread has written everything it was given, or has
 * failed to, and reports the outcomes from inside this call. False: `ms` passed first; nothing is
 * reported. */
bool order_writer_wait(struct order_writer *, uint64_t ms) MUST_CHECK;

/* Then: leaves the thread to what it hangs in, until the process ends. The writer, its file and the
 * lines that it has been given are never freed. */
void order_writer_abandon(struct order_writer *);

/* Waits until the thread has written what it can of all that was given, tells the outcomes, closes
 * the file, and frees itself once the loop has turned. */
void order_writer_free(struct order_writer *);
