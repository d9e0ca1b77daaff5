/* Gathers one head from a parser's spans, which may be cut anywhere: text goes
 * into the message's arena, fields are cut from it at the end. Embedded in the
 * parser's owner; used for trailers too. */
#pragma once

#include "http/message.h"

struct head {
    struct arena *arena;
    char *text; /* all spans, one after the other */
    size_t len, room;
    size_t limit;   /* bytes of text it may gather, 4 for each field's syntax included */
    uint32_t *cuts; /* ends: first line part(s), then name, value, name, value, … */
    size_t cut_count, cut_room;
};

/* Begins: nothing gathered yet. */
void head_start(struct head *, struct arena *, size_t limit);

/* Adds bytes to the piece under way; false beyond the limit. */
bool head_add(struct head *, const char *at, size_t len) MUST_CHECK;

/* Ends the piece under way (an empty one counts). */
void head_cut(struct head *);

/* Piece `n` (from 0), and all pieces from `first` on as fields. Borrowed from
 * the arena; call when the head is complete. */
struct span head_piece(const struct head *, size_t n);
struct fields head_fields(const struct head *, size_t first);

/* Piece `n` as a reason phrase (RFC 9112 4): without the controls that it may not have,
 * which would reach a terminal or a log. Tabs stay. */
struct span head_reason(const struct head *, size_t n);
