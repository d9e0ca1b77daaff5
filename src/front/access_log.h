/* The access log: one line per request, logfmt or JSON, to stderr or a file. Lines are
 * gathered and written by the worker, off the loop; while more than 1 MiB waits, further ones
 * are dropped, which the daemon's log says once.
 * Owned by the daemon. Off, idle (nothing waits), waiting for its flush, or writing. */
#pragma once

#include "config/config.h"
#include "net/worker.h"
#include "proxy/record.h"

struct access_log;

/* `where`: "off", "stderr" or a path (opened now, appended to). NULL, with a message in
 * `error`, if it cannot be opened; "off" makes a log that writes nothing. */
struct access_log *access_log_new(struct loop *, struct worker *, const char *where,
                                  enum config_log_format, char *error, size_t size);

/* Could it be opened now? False, with a message, as above. Nothing is created. */
bool access_log_can_open(const char *where, char *error, size_t size);

/* Does it write anything? */
bool access_log_is_on(const struct access_log *);

/* Adds a line, with the keys of contract 10. The record is borrowed. Cheap when off. */
void access_log_write(struct access_log *, const struct record *);

/* Opens the path anew (SIGUSR1). A failure is logged, and the old file stays in use. */
void access_log_reopen(struct access_log *);

/* Writes what is waiting, now, and frees itself: at once, or, if the worker is writing, when
 * that is done (before worker_free()). A pipe that is not read is waited for a second. */
void access_log_free(struct access_log *);
