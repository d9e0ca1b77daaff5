/* Percent-encoding (RFC 3986 2.1). A pure function. */
#pragma once

#include "base/span.h"

/* The value of the two hex digits at `at`; -1 if there are not two. */
static inline int percent_byte(struct span s, size_t at)
{
    int byte = 0;
    if (at + 1 >= s.len)
        return -1;
    for (size_t i = at; i < at + 2; i++) {
        char c = s.at[i], low = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            byte = byte * 16 + (c - '0');
        else if (low >= 'a' && low <= 'f')
            byte = byte * 16 + (low - 'a' + 10);
        else
            return -1;
    }
    return byte;
}
