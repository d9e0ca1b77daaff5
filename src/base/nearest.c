#include "base/nearest.h"

#include <ctype.h>

#define WORD_MAX 48 /* a longer word is not compared */
#define EDITS_MAX 3

void nearest_init(struct nearest *n, struct span wanted)
{
    *n = (struct nearest){.wanted = wanted};
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment: the edits between the first letters of both words, row by row of a
 * table of which three rows are kept. */
static size_t edits_between(struct span a, struct span b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before_last = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *oldest = before_last;
        before_last = last;
        last = row;
        row = oldest;
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool equal = same(a.at[i - 1], b.at[j - 1]);
            row[j] = least(least(last[j] + 1, row[j - 1] + 1), last[j - 1] + !equal);
            if (i > 1 && j > 1 && same(a.at[i - 1], b.at[j - 2]) && same(a.at[i - 2], b.at[j - 1]))
                row[j] = least(row[j], before_last[j - 2] + 1);
        }
    }
    return row[b.len];
}

void nearest_offer(struct nearest *n, const char *word)
{
    struct span other = span_of(word);
    if (n->wanted.len == 0 || n->wanted.len > WORD_MAX || other.len > WORD_MAX)
        return;
    size_t allowed = n->wanted.len < 6 ? 1 : least(n->wanted.len / 3, EDITS_MAX);
    size_t edits = edits_between(n->wanted, other);
    if (edits > allowed || edits >= other.len || (n->word && edits >= n->edits))
        return;
    n->word = word;
    n->edits = edits;
}
