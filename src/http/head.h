/* Collects one head, or trailers, from the spans of a parser, which may be cut anywhere: the
 * text goes into the message's arena, and the fields are made of it at the end. Embedded in
 * the parser's owner; it is being collected, or complete. */
#pragma once

#include "http/message.h"

struct head {
    struct arena *arena;
    char *text; /* all spans, concatenated */
    size_t len, room;
    size_t limit;   /* bytes of text it may have, including 4 for the syntax of each field */
    uint32_t *cuts; /* where each piece ends: parts of the first line, name, value, name, … */
    size_t cut_count, cut_room;
};

/* Begins a new one. `limit`: bytes. */
void head_start(struct head *, struct arena *, size_t limit);

#define HEAD_SYNTAX_PER_CUT 2 /* each field has two cuts, and four bytes of syntax: ": ", CRLF */

/* For the two functions below: makes room for `len` bytes of text; for one more cut. */
void head_grow_text(struct head *, size_t len);
void head_grow_cuts(struct head *);

/* Adds bytes to the current piece; false if they exceed the limit. */
MUST_CHECK static inline bool head_add(struct head *h, const char *at, size_t len)
{
    size_t used = h->len + h->cut_count * HEAD_SYNTAX_PER_CUT;
    if (used > h->limit || len > h->limit - used)
        return false;
    if (len > h->room - h->len)
        head_grow_text(h, h->len + len);
    if (len)
        memcpy(h->text + h->len, at, len);
    h->len += len;
    return true;
}

/* Ends the current piece, which may be empty. */
static inline void head_cut(struct head *h)
{
    if (h->cut_count == h->cut_room)
        head_grow_cuts(h);
    h->cuts[h->cut_count++] = (uint32_t)h->len;
}

/* Piece `n` (from 0); all pieces from `first` on as fields. To be called when the head is
 * complete; the result lives in the arena. */
struct span head_piece(const struct head *, size_t n);
struct fields head_fields(const struct head *, size_t first);

/* Piece `n` as a reason phrase (RFC 9112 4), without the control characters that it must not
 * have and that would reach a terminal or a log. Tabs stay. */
struct span head_reason(const struct head *, size_t n);
