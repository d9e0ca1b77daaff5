/* A queue of bytes: appended at the back, taken from the front, with a high and a low mark for
 * back-pressure. Embedded in its owner; initialize it to zeros. It is empty (then it uses no
 * memory, so that idle connections cost nothing) or holds bytes. */
#pragma once

#include "base/check.h"

struct buf_chunk;

struct buf {
    struct buf_chunk *first, *last;
    size_t size; /* bytes held */
};

/* Appends a copy of `len` bytes. */
void buf_append(struct buf *, const void *data, size_t len);

/* Points to the contiguous bytes at the front (borrowed until the next call) and returns their
 * number; 0 when the queue is empty. */
size_t buf_front(const struct buf *, const char **data);

/* Discards the first `len` bytes (at most `size`). */
void buf_consume(struct buf *, size_t len);

/* Frees everything held. */
void buf_clear(struct buf *);

/* From now on this thread keeps some of the chunks that it frees for its next ones, for as long as the
 * process lives. */
void buf_keep_chunks(void);
