/* A run of bytes that belong to another object: not terminated, may contain anything. A plain
 * value, passed by value, without owner or state. Names of HTTP fields and hosts are compared
 * without case (RFC 9110 5.1, RFC 9112 3.2), everything else byte for byte. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *at;
    size_t len;
};

/* A span over a string literal or a NUL-terminated string; for printf's "%.*s". */
#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})
#define SPAN_ARG(s) (int)(s).len, (s).at

static inline struct span span_of(const char *text)
{
    return (struct span){text, text ? strlen(text) : 0};
}

static inline bool span_is(struct span s, struct span other)
{
    return s.len == other.len && (s.len == 0 || memcmp(s.at, other.at, s.len) == 0);
}

/* False if the first bytes already differ by more than their case, which spares most calls. */
static inline bool span_may_begin_(struct span s, struct span prefix)
{
    return ((s.at[0] ^ prefix.at[0]) & ~0x20) == 0;
}

/* Whether both have the same `len` bytes but for the case of letters. */
bool span_same_nocase(const char *a, const char *b, size_t len);

static inline bool span_is_nocase(struct span s, struct span other)
{
    return s.len == other.len &&
           (s.len == 0 || (span_may_begin_(s, other) && span_same_nocase(s.at, other.at, s.len)));
}

static inline bool span_starts(struct span s, struct span prefix)
{
    return s.len >= prefix.len && memcmp(s.at, prefix.at, prefix.len) == 0;
}

static inline bool span_starts_nocase(struct span s, struct span prefix)
{
    return s.len >= prefix.len &&
           (prefix.len == 0 ||
            (span_may_begin_(s, prefix) && span_same_nocase(s.at, prefix.at, prefix.len)));
}

/* The rest of the span from offset `from` on (empty past the end). */
static inline struct span span_from(struct span s, size_t from)
{
    return from >= s.len ? (struct span){s.at + s.len, 0}
                         : (struct span){s.at + from, s.len - from};
}

static inline struct span span_first(struct span s, size_t len)
{
    return (struct span){s.at, len < s.len ? len : s.len};
}

/* The offset of the first `c`, or s.len. */
static inline size_t span_find(struct span s, char c)
{
    const char *p = s.len ? memchr(s.at, c, s.len) : NULL;
    return p ? (size_t)(p - s.at) : s.len;
}

/* Without leading and trailing space and tab (RFC 9110 5.6.3 OWS). */
static inline struct span span_trim(struct span s)
{
    while (s.len && (s.at[0] == ' ' || s.at[0] == '\t'))
        s.at++, s.len--;
    while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Takes the next element off a comma-separated list (RFC 9110 5.6.1). Returns false at the end;
 * empty elements are skipped, white space is trimmed. */
static inline bool span_next_element(struct span *rest, struct span *element)
{
    while (rest->len) {
        size_t comma = span_find(*rest, ',');
        *element = span_trim(span_first(*rest, comma));
        *rest = span_from(*rest, comma + 1);
        if (element->len)
            return true;
    }
    return false;
}

/* Returns true if a comma-separated list contains this token, ignoring case. */
static inline bool span_lists(struct span list, struct span token)
{
    struct span element;
    while (span_next_element(&list, &element))
        if (span_is_nocase(element, token))
            return true;
    return false;
}
