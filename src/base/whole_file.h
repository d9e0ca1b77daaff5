/* Small files that are always whole: read at once, and replaced at once. Functions over the file
 * system, without an owner; they block, so that the daemon calls them from a worker once it serves.
 * A file is missing, as its mark says, or has been replaced by another process since. */
#pragma once

#include <sys/stat.h>
#include <time.h>

#include "base/text.h"

#define WHOLE_FILE_MOST (8 * 1024 * 1024) /* bytes; a larger file is not read */

/* Tells one content of a file from another. Zeros: there is no such file. */
struct file_mark {
    dev_t device;
    ino_t number;
    off_t size;
    struct timespec changed, modified;
};

/* Appends the content of the file and marks it. Returns an errno, or 0: ENOENT if there is none,
 * EFBIG if it is larger than WHOLE_FILE_MOST, EISDIR or EINVAL if it is not a regular file. Whatever went
 * wrong, an existing file is marked as far as it can be. */
int whole_file_read(const char *path, struct text *to, struct file_mark *) MUST_CHECK;

/* Replaces the file (or makes it, readable by its owner only) so that it has either the old or the
 * new content whenever the power fails: a temporary file in the same directory, fsync(2),
 * rename(2), fsync(2) of the directory. Returns an errno, or 0: ESTALE if the file is not the
 * marked one, so that another process has replaced it (nothing was done), EBUSY if another process
 * is just replacing it. The mark is set to that of the new file. */
int whole_file_replace(const char *path, struct span content, struct file_mark *) MUST_CHECK;

/* Could it be replaced, as far as permissions tell? Returns an errno, or 0. Changes nothing. */
int whole_file_check(const char *path) MUST_CHECK;

/* Renames the file to PATH.damaged-TIME, with a number behind it if there is one of that name,
 * since none is ever replaced; the new name is put into `aside`. Returns an errno, or 0. */
int whole_file_put_aside(const char *path, time_t now, char *aside, size_t size) MUST_CHECK;
