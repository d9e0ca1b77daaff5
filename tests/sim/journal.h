/* Compares the order journal's file with the book, while no order is under way. Nothing is kept. */
#pragma once

#include "base/check.h"

/* What may be missing in it. */
struct journal_terms {
    unsigned torn;     /* so many lines may have been cut off */
    bool lacks_begins; /* orders may have left without a line (order_journal_required = no) */
    bool lacks_ends;   /* ends may have been lost */
};

void journal_judge(const char *path, const struct journal_terms *);
