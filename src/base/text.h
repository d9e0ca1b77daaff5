/* Text that grows: heads, log lines, pages. Embedded in its owner; initialize it to zeros. It is
 * empty (then it uses no memory) or holds text, which is always NUL-terminated. */
#pragma once

#include "base/alloc.h"
#include "base/span.h"

struct text {
    char *at;
    size_t len, room;
};

void text_add(struct text *, struct span);
void text_add_str(struct text *, const char *);
void text_add_number(struct text *, uint64_t); /* decimal; cheaper than printf */
void text_printf(struct text *, const char *format, ...) PRINTF_LIKE(2, 3);

/* Makes room for `len` more bytes and returns where to write them; text_added() must then be called
 * with the number of bytes written. */
char *text_reserve(struct text *, size_t len) __attribute__((returns_nonnull));
void text_added(struct text *, size_t len);

/* Keeps only its first `len` bytes. */
void text_cut(struct text *, size_t len);

/* Drops its first `len` bytes. */
void text_drop(struct text *, size_t len);

/* Releases memory that is not in use. */
void text_fit(struct text *);

struct span text_span(const struct text *);
void text_clear(struct text *); /* empties it, keeps the memory */
void text_free(struct text *);

/* For texts that come and go: begins an empty one with memory of this list, and gives that back, or
 * frees what it has grown to. */
struct spares;
void text_begin(struct text *, struct spares *);
void text_end(struct text *, struct spares *);
