/* The file of an order journal: lines are appended to it, and locks on it say which lives of the
 * daemon are not over. Owned by its journal; appending and syncing are for one thread at a time,
 * and may block, unless it says otherwise.
 *
 * Two locks (open file description locks, fcntl(2)) are held. The one of the owner excludes other
 * daemons; it is given up when its daemon drains, so that the next one can begin meanwhile. The one
 * of the life, at a place that only this life has, lasts until the file is closed; by it a reader
 * knows whether an order of that life that has no end yet can still get one.
 *
 * Where two daemons append, a line of the other one that has no end is ended by the next append. */
#pragma once

#include "base/request_id.h"
#include "base/text.h"

struct order_file;

/* Opens it for appending, created with mode 0640 if it is not there, and locks it. If its last line
 * has no end, the next append ends that first. NULL, with a message: it cannot be opened, or another
 * daemon has it. What is not a regular file is not locked. */
struct order_file *order_file_open(const char *path, const char *life, char *error,
                                   size_t size) MUST_CHECK;

/* Could it be opened now? False, with a message. Nothing is created or locked. */
bool order_file_can_open(const char *path, char *error, size_t size) MUST_CHECK;

/* Is this the file that the path names now? */
bool order_file_is_at(const struct order_file *, const char *path);

/* Appends lines as far as the file takes them. `written` becomes the number of their bytes that are
 * in it, which may end within a line: that line is ended by the next append. Returns an errno, 0:
 * all of them were written. */
int order_file_append(struct order_file *, struct span lines, size_t *written);

/* Likewise, but waits for nothing, unless the file system is frozen (fsfreeze(8)), and nothing fails:
 * returns how many bytes are in it, 0 if the kernel would have to wait, does not offer it for this file,
 * or fails, or if another daemon may append, too. If a line is in the file in part, and lacks more than
 * its end, the next call is order_file_append() with lines that begin with it: it is completed, and
 * `written` counts all of it. `lines` are whole. */
size_t order_file_append_at_once(struct order_file *, struct span lines);
bool order_file_takes_at_once(const struct order_file *); /* false: it would return 0 */

/* After an append: the lines that others have appended since the last call and before that append, in
 * a piece of whole lines. True: there may be more. Of more than 32 MiB only the last are read, and the
 * first line may be cut off. The first call of a life whose file nobody else writes to finds nothing;
 * lines of its own life may be among them, and a line that had no end when the file was opened. */
bool order_file_take_others(struct order_file *, struct text *piece);
const char *order_file_life(const struct order_file *);

/* Brings what was appended to the disk, and after its creation its name, too. Returns an errno, or
 * 0. What cannot be synced (a pipe) counts as synced. */
int order_file_sync(struct order_file *);

/* Another daemon may have it. Idempotent. */
void order_file_give_up(struct order_file *);

/* Takes it back. False, with a message: another daemon has it meanwhile. */
bool order_file_take_back(struct order_file *, char *error, size_t size) MUST_CHECK;

void order_file_close(struct order_file *);

/* For readers, with a descriptor of their own: is this life (of REQUEST_LIFE_SIZE - 1 characters)
 * still writing to the file? */
bool order_file_is_written(int fd, const char *life);
