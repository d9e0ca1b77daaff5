/* A queue of bytes: appended at the back, taken from the front, with a high and a low mark for
 * back-pressure. Embedded in its owner; begins zeroed. It is empty (then it uses no memory, so
 * that idle connections cost nothing) or holds bytes. */
#pragma once

#include "base/check.h"

struct buf_chunk;

struct buf {
    struct buf_chunk *first, *last;
    size_t size; /* bytes held */
};

/* Copies `len` bytes to the back. */
void buf_append(struct buf *, const void *data, size_t len);

/* The contiguous run at the front (borrowed until the next call); its length,
 * 0 when empty. */
size_t buf_front(const struct buf *, const char **data);

/* Forgets the first `len` bytes (at most `size`). */
void buf_consume(struct buf *, size_t len);

/* Frees everything held. */
void buf_clear(struct buf *);
