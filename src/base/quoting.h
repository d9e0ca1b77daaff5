/* Arbitrary bytes in double quotes, as in JSON (RFC 8259 7) or as in Go's logfmt. A pure function,
 * without owner or state. Whatever the bytes are, the result is one line of ASCII and cannot be
 * terminated early: quotes and backslashes are escaped, control characters and bytes beyond ASCII
 * become numbers, each byte by itself. */
#pragma once

#include "base/text.h"

/* Appends `s` in quotes; with `json` numbers read \u00e9, else \xe9. */
void quote_add(struct text *, struct span s, bool json);

/* Likewise, but writes at `to`, where there is room for quote_room() bytes, and returns where the next
 * byte goes. */
char *quote_put(char *to, struct span s, bool json) __attribute__((returns_nonnull));
size_t quote_room(struct span s); /* at most */

/* Returns true if the byte needs no escape. */
static inline bool quote_is_plain(char c)
{
    return c != '"' && c != '\\' && c >= 0x20 && c < 0x7f;
}
