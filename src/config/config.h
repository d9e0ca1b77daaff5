/* A configuration: read once from a file, checked as a whole, then read-only. It is
 * reference-counted: a request holds the snapshot with which it began, and a reload replaces the
 * daemon's snapshot. It has no states: a file with an error yields no configuration. */
#pragma once

#include "base/span.h"
#include "config/complaint.h"
#include "config/settings.h"

struct text;

/* Reads and checks a file. NULL after at least one complaint. A missing file is an error,
 * unless it is `optional`: then the built-in defaults are returned. Thread-safe. The caller
 * owns one reference. */
struct config *config_load(const char *path, bool optional, config_complain *, void *context);

/* The same for text in memory, for tests and the fuzzer; errors name `path` as the file. */
struct config *config_parse(const char *path, const char *text, size_t len, config_complain *,
                            void *context);

/* Appends the first address of `listen` as written, which is where a daemon that runs with this
 * file can be reached. Works even if other lines have errors, or name key files that only the
 * daemon may read. False: there is no address, or the file cannot be read that far. */
bool config_first_listen(const char *path, struct text *to) MUST_CHECK;

/* Takes and returns a reference; releasing the last reference frees the snapshot. NULL is ignored
 * by config_unref(). Thread-safe. */
struct config *config_ref(struct config *);
void config_unref(struct config *);

/* The upstream with that name, or with that origin (one of its hosts); NULL if there is none. Host names are compared
 * case-insensitively. The result is valid as long as the snapshot. */
const struct upstream_config *config_find(const struct config *, const char *name, size_t len);
const struct upstream_config *config_find_origin(const struct config *, bool secure,
                                                 const char *host, size_t len, uint16_t port);

/* The settings for a request target: those of the path block with the longest prefix that matches
 * the target, otherwise the upstream's own. */
const struct upstream_config *config_for_path(const struct upstream_config *, const char *target,
                                              size_t len);

/* The line to name in an error about a directive of an upstream, or of the defaults: where the
 * directive is set, otherwise the line of the block. 0: it is not in a file. */
int config_line(const struct upstream_config *, struct span directive);
