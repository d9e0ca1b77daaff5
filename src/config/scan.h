/* Prepares the text of a file for libconfuse, which miscounts lines after comments, fails on a
 * comment inside a list, and silently accepts stray characters as well as strings and blocks that
 * are not closed. Owned by the reader, on its stack, with its memory in the given arena; it has no
 * states other than whether there was an error. */
#pragma once

#include "base/arena.h"

#define SCAN_LEVELS 2 /* blocks, and blocks in blocks */

struct scan_lines {
    int *at;
    size_t count;
};

/* A "${NAME}" whose variable is not set and that has no ":-" value; libconfuse would use an empty
 * value for it. */
struct scan_unset {
    const char *name;
    int line;
};

struct scan {
    char *text;                            /* without comments, cut off at the error */
    struct scan_lines blocks[SCAN_LEVELS]; /* lines of blocks in order, by level */
    struct scan_unset *unset;
    size_t unset_count;
    char error[100]; /* empty: no error */
    int error_line;
};

/* Scans a copy of the text, up to its end or the first error. */
void scan_text(struct scan *, struct arena *, struct span text);
