/* The order journal (contract 12): a line with the kernel before the first byte of an order leaves,
 * and one before the last byte of its answer goes to the client. Owned by the daemon, one for each
 * path; the orders that began in it keep it alive until they have ended there. It writes, or it
 * fails: then orders are refused, or go without a line. A thread writes (order_writer.h), so that
 * the loop never waits for a disk.
 *
 * An order has an entry, which is new, beginning (its first line is being written), begun, ending,
 * or over. */
#pragma once

#include "base/failure.h"
#include "net/loop.h"
#include "proxy/order_line.h"
#include "proxy/order_wait.h"
#include "proxy/record.h"

struct order_journal;
struct order_entry;
struct order_other;

struct order_journal_rules {
    bool required; /* while it cannot be written, orders are refused */
    bool sync;     /* an order leaves when its line is on the disk */
    bool nowait;   /* the loop may append itself: order_writer_allow() */
};

/* Opens the file (see order_file.h), and begins it with the life of the daemon. NULL, with a
 * message: it cannot be opened. */
struct order_journal *order_journal_new(struct loop *, const char *path, const char *life,
                                        struct order_journal_rules, char *error,
                                        size_t size) MUST_CHECK;

void order_journal_configure(struct order_journal *, struct order_journal_rules);
const char *order_journal_path(const struct order_journal *);

/* Sets what is called for each order that another life of the daemon writes to the file
 * (order_writer.h): after a restart until the earlier life has ended, and during a drain until
 * order_journal_end(). */
typedef void order_journal_listener(void *context, const struct order_other *);
void order_journal_listen(struct order_journal *, order_journal_listener *, void *context);

/* Opens the path anew (SIGUSR1): lines from now on go there. A failure is logged, and the old file
 * stays in use. */
void order_journal_reopen(struct order_journal *);

/* The daemon drains: the next one may begin its life in the same file. */
void order_journal_give_up(struct order_journal *);

/* No order begins in it any more: it is on this list until the last one that began in it has ended.
 * order_journal_of() is the journal of a link on that list. */
void order_journal_leave(struct order_journal *, struct list *leaving);
struct order_journal *order_journal_of(struct link *leaving);

/* Of one on that list: is its file still what its path names? Then a second one cannot have it, but
 * orders may begin in it again: once order_journal_take_back() has returned true (false, with a
 * message: another daemon has it), and order_journal_stay() takes it off the list. Until then
 * order_journal_give_up() undoes it. */
bool order_journal_is_at_path(const struct order_journal *);
bool order_journal_take_back(struct order_journal *, char *error, size_t size) MUST_CHECK;
void order_journal_stay(struct order_journal *);

/* As order_journal_leave(), at the daemon's end: waits for the thread, but no longer than ORDER_END_PATIENCE_MS, and
 * logs what it cannot write. Every entry must be over or given back. */
void order_journal_end(struct order_journal *);

/* For /stats. Borrowed until the loop turns. */
struct order_journal_view {
    const char *path;
    const char *error; /* why it cannot be written; NULL: it can */
    int64_t since_s;   /* when it began to fail, in seconds since 1970 */
    size_t waiting;    /* lines not written yet */
    uint64_t lines, errors, refused, missed;
};
void order_journal_describe(const struct order_journal *, struct order_journal_view *);

/* ------------------------------------------------------------------------------ an order */

/* An entry for an order, held twice: until order_entry_end(), and until order_entry_release(). */
struct order_entry *order_journal_enter(struct order_journal *, const struct request_id *);

/* The order has a connection and is about to leave. True: it may, its line is written, or need not
 * be. False: on_begun comes later, with NULL if it may leave, or why it is refused, unless
 * order_entry_forget() is called first. An order that goes again has its line already. */
bool order_entry_begin(struct order_entry *, const struct order_begin *, order_begun *,
                       void *owner) MUST_CHECK;

/* Has it been asked before? Then it may go again. */
bool order_entry_is_noted(const struct order_entry *);

/* Its line may be in the file, but it has not left and may still be stopped; one that need not have a
 * line, and was told to go without waiting for it any longer, may have left. */
bool order_entry_may_stop(const struct order_entry *);

/* It is not waited for any more. */
void order_entry_forget(struct order_entry *);

/* How the order ended: writes the line, if it had begun. NULL: the order is not journaled. */
void order_entry_end(struct order_entry *, const struct record *);

/* Afterwards: may the end of the answer go out? False: on_ended comes, once the line is with the
 * kernel, or cannot be, or not soon (ORDER_PATIENCE_MS); unless order_entry_release() is called
 * first. */
bool order_entry_await(struct order_entry *, order_ended *, void *owner) MUST_CHECK;
void order_entry_release(struct order_entry *);

#define ORDER_PATIENCE_MS 1000     /* a disk that takes longer is not waited for */
#define ORDER_END_PATIENCE_MS 5000 /* nor is the end of the daemon put off for longer */
