/* The files of an order journal: its own, and what rotation has made of earlier ones (`.1`,
 * `-20261127`). Owned by its reader. It is filled once; a value with memory. */
#pragma once

#include "base/check.h"

struct order_files {
    char **at; /* the journal's own path first, if it is there */
    size_t count;
};

/* Whatever is there by those names, compressed or not. */
void order_files_find(struct order_files *, const char *journal);
void order_files_clear(struct order_files *);

/* Does it begin as gzip, xz, zstd or bzip2 do? */
bool order_files_is_compressed(const char *path);

/* The oldest first, by their first lines (order_history_begins()); those without one come last. */
void order_files_sort(char **paths, size_t count);
