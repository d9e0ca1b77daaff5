/* Parses one HTTP/1.1 answer as a strict client does: interim answers, head, and the body by its
 * length, its chunks or the end of the connection. Embedded in its owner; answer_clear() begins the
 * next one. It is within the head, within the body, whole, or wrong. */
#pragma once

#include "base/text.h"

struct answer {
    struct text head; /* to its blank line */
    struct text body;
    struct text in; /* of what comes in chunks: not parsed yet */
    bool has_head, is_whole, is_wrong, is_chunked, until_end;
    bool is_cut;  /* the connection ended within it */
    bool is_head; /* it answers a HEAD; set by its owner */
    size_t left;  /* of the body or of the chunk */
    int status;
    bool closes; /* Connection: close */
};

/* Returns how many bytes belonged to it. */
size_t answer_feed(struct answer *, const char *data, size_t len);
void answer_end(struct answer *);                                  /* the connection has ended */
struct span answer_field(const struct answer *, const char *name); /* "X-Try"; empty: none */
void answer_clear(struct answer *);
