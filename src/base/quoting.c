#include "base/quoting.h"

#define SHORT 128    /* not worth being counted */
#define ESCAPE_MAX 6 /* "\\u00e9" */

static char *put_escaped(char *to, char c, bool json)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char byte = (unsigned char)c;
    *to++ = '\\';
    if (c == '"' || c == '\\') {
        *to++ = c;
        return to;
    }
    *to++ = json ? 'u' : 'x';
    if (json) {
        *to++ = '0';
        *to++ = '0';
    }
    *to++ = digits[byte >> 4];
    *to++ = digits[byte & 15];
    return to;
}

size_t quote_room(struct span s)
{
    size_t escaped = 0;
    if (s.len <= SHORT)
        return s.len * ESCAPE_MAX + 2;
    for (size_t i = 0; i < s.len; i++)
        escaped += !quote_is_plain(s.at[i]);
    return s.len + escaped * (ESCAPE_MAX - 1) + 2;
}

/* Whether each byte needs no escape. Of those that do, the lowest one always sets its high bit in one of
 * the terms: the bytes below it borrow and carry nothing. */
static bool is_plain_word(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
    return ((word | (word - ones * ' ') | (word + ones) | (quote - ones) | (backslash - ones)) &
            highs) == 0;
}

/* Copies what needs no escape in words, the last of which may overlap the one before. Returns how many
 * bytes it has copied; shorter texts are left. */
static size_t put_words(char *to, struct span s)
{
    uint64_t word;
    size_t done = 0;
    while (s.len >= sizeof word && done < s.len) {
        size_t at = done + sizeof word <= s.len ? done : s.len - sizeof word;
        memcpy(&word, s.at + at, sizeof word);
        if (!is_plain_word(word))
            break;
        memcpy(to + at, &word, sizeof word);
        done = at + sizeof word;
    }
    return done;
}

char *quote_put(char *to, struct span s, bool json)
{
    *to++ = '"';
    size_t done = put_words(to, s);
    const char *at = s.at + done, *end = s.at + s.len;
    to += done;
    for (; at != end; at++)
        if (quote_is_plain(*at))
            *to++ = *at;
        else
            to = put_escaped(to, *at, json);
    *to++ = '"';
    return to;
}

void quote_add(struct text *to, struct span s, bool json)
{
    char *start = text_reserve(to, quote_room(s));
    text_added(to, (size_t)(quote_put(start, s, json) - start));
}
