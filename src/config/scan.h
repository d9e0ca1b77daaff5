/* A look at the text before libconfuse sees it, which counts two lines too
 * many for each comment, trips on one inside a list, and passes over stray
 * characters, open strings and open blocks without a word. On the stack of the
 * reader; its memory lives in the given arena. */
#pragma once

#include "base/arena.h"

#define SCAN_LEVELS 2 /* blocks, and blocks in blocks */

struct scan_lines {
    int *at;
    size_t count;
};

/* A "${NAME}" without a value in the environment or behind ":-", which libconfuse
 * takes for an empty one. */
struct scan_unset {
    const char *name;
    int line;
};

struct scan {
    char *text;                            /* without comments, cut where the error is */
    struct scan_lines blocks[SCAN_LEVELS]; /* where each block begins, in order, by level */
    struct scan_unset *unset;
    size_t unset_count;
    char error[100]; /* empty: none */
    int error_line;
};

void scan_text(struct scan *, struct arena *, struct span text);
