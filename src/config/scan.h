/* A look at the text before libconfuse sees it, which counts two lines too
 * many for each comment, trips on one inside a list, and passes over stray
 * characters, open strings and open blocks without a word. On the stack of the
 * reader; its memory lives in the given arena. */
#pragma once

#include "base/arena.h"

struct scan {
    char *text;       /* the same lines without comments, cut where the error is */
    int *block_lines; /* where each block of the outermost level begins, in order */
    size_t block_count;
    char error[100]; /* empty: none */
    int error_line;
};

void scan_text(struct scan *, struct arena *, struct span text);
