/* Text that grows: heads, log lines, pages. Embedded in its owner; begins zeroed. It is empty
 * (then it uses no memory) or holds text, which is always NUL-terminated. */
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

/* Makes room for `len` more bytes and returns where they go; text_added() then says how many
 * were written. */
char *text_reserve(struct text *, size_t len) __attribute__((returns_nonnull));
void text_added(struct text *, size_t len);

/* Keeps only its first `len` bytes. */
void text_cut(struct text *, size_t len);

/* Drops its first `len` bytes. */
void text_drop(struct text *, size_t len);

/* Gives back the room it does not use. */
void text_fit(struct text *);

struct span text_span(const struct text *);
void text_clear(struct text *); /* empties it, keeps the memory */
void text_free(struct text *);
