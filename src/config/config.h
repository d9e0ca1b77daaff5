/* A configuration: read once from a file, checked as a whole, then read-only.
 * Reference-counted: requests hold the snapshot they began with, a reload replaces the
 * daemon's. It has no states: a file with an error gives none. */
#pragma once

#include "base/span.h"
#include "config/complaint.h"
#include "config/settings.h"

struct text;

/* Reads and checks a file. NULL after at least one complaint. A missing file is
 * one, unless `optional`: then the built-in defaults come. Thread-safe. */
struct config *config_load(const char *path, bool optional, config_complain *, void *context);

/* Likewise from memory, for tests and the fuzzer; `path` names it in errors. */
struct config *config_parse(const char *path, const char *text, size_t len, config_complain *,
                            void *context);

/* Appends the first address of `listen` as written, to find the daemon of a file by:
 * also where other lines are wrong, or name keys that only the daemon may read.
 * False: there is none, or not to be told. */
bool config_first_listen(const char *path, struct text *to) MUST_CHECK;

struct config *config_ref(struct config *);
void config_unref(struct config *); /* NULL is fine */

/* The upstream of that name, or of that origin; NULL if there is none. */
const struct upstream_config *config_find(const struct config *, const char *name, size_t len);
const struct upstream_config *config_find_origin(const struct config *, bool secure,
                                                 const char *host, size_t len, uint16_t port);

/* The settings for a target: those of the longest path block it begins with, or
 * the upstream's own. */
const struct upstream_config *config_for_path(const struct upstream_config *, const char *target,
                                              size_t len);

/* The line at which to name a directive of an upstream, or of the defaults, in an error;
 * that of the block for a name that is none. 0: it is in no file. */
int config_line(const struct upstream_config *, struct span directive);
