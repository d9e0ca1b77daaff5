/* One line a request, logfmt or JSON, to stderr or a file. Lines are gathered
 * and written off the loop; more than 1 MiB waiting is dropped and said once.
 * Owned by main. */
#pragma once

#include "config/config.h"
#include "net/worker.h"
#include "proxy/record.h"

struct access_log;

/* `where`: "off", "stderr" or a path (opened now, appended to). NULL with words
 * in `error` if it cannot be opened; "off" gives a log that writes nothing. */
struct access_log *access_log_new(struct loop *, struct worker *, const char *where,
                                  enum config_log_format, char *error, size_t size);

/* Could that be opened now? False with words, as above. Nothing is made. */
bool access_log_can_open(const char *where, char *error, size_t size);

/* Does it write anything? */
bool access_log_is_on(const struct access_log *);

/* Keys as SPEC 10 names them. Cheap when off. */
void access_log_write(struct access_log *, const struct record *);

/* Opens the path anew (SIGUSR1). A failure is logged; the old file stays. */
void access_log_reopen(struct access_log *);

/* Writes what is waiting, now, and frees: at once, or, if the worker is writing,
 * when that is done (before worker_free()). A pipe nobody reads gets a second. */
void access_log_free(struct access_log *);
