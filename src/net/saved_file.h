/* A file that follows what its owner knows: soon after a change it is written anew, whole, by a
 * thread of its own, so that neither the loop nor a handshake waits for a disk. Owned by the module
 * that knows the content. Idle (the file has everything), due (a change waits for its time) or
 * writing; a write that failed makes it due again. */
#pragma once

#include "base/whole_file.h"
#include "net/save_waiter.h"
#include "net/worker.h"

struct saved_file;

struct saved_file_events {
    /* Appends the content as it is now. */
    void (*compose)(void *owner, struct text *to);
    /* Another process has replaced the file, and this is its content. What is composed next has to
     * include it. False: it makes no sense, and is put aside. */
    bool (*merge)(void *owner, struct span content);
};

/* `path` is copied. Nothing is read or written yet. */
struct saved_file *saved_file_new(struct loop *, const char *path, const struct saved_file_events *,
                                  void *owner);

/* For the start: appends what the file holds, and blocks meanwhile. Returns an errno, or 0; see
 * whole_file_read(). */
int saved_file_read(struct saved_file *, struct text *to) MUST_CHECK;

/* Renames the file, which is damaged, and logs its new name, or why it could not be renamed. */
void saved_file_put_aside(struct saved_file *);

/* The content has changed. It is written within `ms`, or a little later if it was written just
 * before; changes until then are written together. */
void saved_file_change(struct saved_file *, uint64_t ms);

/* True: a change is not in the file yet; it is written without further delay, and the waiter hears
 * of that. False: the file has everything, and the waiter is left alone. */
bool saved_file_wait(struct saved_file *, struct save_waiter *) MUST_CHECK;

struct saved_file_view {
    const char *path;
    int64_t written_s; /* when it was last written (wall clock); 0: not yet */
    uint64_t failures; /* writes that failed, since start */
    const char *error; /* why the last write failed; NULL: it did not */
    const char *aside; /* where a damaged file was moved last; NULL: there was none */
};
/* The strings are valid until the loop turns. */
struct saved_file_view saved_file_view(const struct saved_file *);

/* For the end: writes what is not in the file yet, and blocks until that has succeeded or failed.
 * Nothing but saved_file_free() may follow. */
void saved_file_finish(struct saved_file *);

/* Frees itself, at once or when a write that is under way has ended. What was not written yet is
 * not written, and waiters are told so. */
void saved_file_free(struct saved_file *);
