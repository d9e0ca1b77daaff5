/* "Did you mean …?": of the words that exist, the one that a misspelt word most likely stands
 * for. Owned by the code that looks for one, on its stack; it borrows all words and has no
 * states. */
#pragma once

#include "base/span.h"

struct nearest {
    struct span wanted;
    const char *word; /* the best so far; NULL: none is near enough */
    size_t edits;     /* between the two */
};

/* Begins to look for the word that `wanted` (borrowed) may stand for. */
void nearest_init(struct nearest *, struct span wanted);

/* Considers a word that exists (borrowed). A word is near if few edits lead to it: one letter
 * inserted, removed or replaced, or two neighbours swapped; of a short word one, otherwise one
 * for every three letters, at most three. Of equally near words the first is kept. Upper and
 * lower case are the same. */
void nearest_offer(struct nearest *, const char *word);
