/* The memory of one request or one attempt: allocated piece by piece, freed at once. Owned by
 * whatever made it; it has no states. A piece is never freed by itself, but the last one can
 * grow in place, which is how heads are gathered. */
#pragma once

#include "base/alloc.h"
#include "base/span.h"

struct arena;

struct arena *arena_new(void);

/* Frees the arena and everything allocated from it. NULL is allowed. */
void arena_free(struct arena *);

/* From now on the calling thread keeps blocks of arenas that it frees for its next ones. For
 * the thread that serves requests (loop_new() calls it), which lives as long as the process:
 * what a thread keeps is lost when it ends. The others free their blocks at once. */
void arena_keep_blocks(void);

/* The bytes that the arena occupies, including those not handed out yet. */
size_t arena_size(const struct arena *);

/* `size` zeroed bytes, aligned for any type. Aborts when memory is out. */
void *arena_alloc(struct arena *, size_t size) __attribute__((returns_nonnull));

/* Resizes a piece of `old_size` bytes to `size` bytes, in place if it is the last one. Returns its
 * new address; the added bytes are not zeroed. */
void *arena_grow(struct arena *, void *piece, size_t old_size, size_t size)
    __attribute__((returns_nonnull));

/* Copies with a terminating NUL (not counted in the span). */
struct span arena_span(struct arena *, struct span);
/* In decimal digits. */
struct span arena_number(struct arena *, uint64_t);

char *arena_printf(struct arena *, const char *format, ...) PRINTF_LIKE(2, 3);
