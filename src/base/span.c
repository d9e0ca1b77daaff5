#include "base/span.h"

/* Whether eight bytes differ at most in the case of letters. */
static bool same_word(uint64_t a, uint64_t b)
{
    const uint64_t ones = UINT64_MAX / 255, tops = ones * 0x80;
    uint64_t differ = a ^ b, low = (a | ones * 0x20) & ~tops;
    uint64_t letters = (low + ones * (0x80 - 'a')) & ~(low + ones * (0x7f - 'z')) & ~a & tops;
    return (differ & ~(letters >> 2)) == 0;
}

/* Eight bytes at a time, since this is done for most fields of every head. The last word that is
 * compared may overlap the one before. */
bool span_same_nocase(const char *a, const char *b, size_t len)
{
    uint64_t x = 0, y = 0;
    uint32_t p, q;
    if (len >= 8) {
        for (size_t i = 0; i + 8 < len; i += 8) {
            memcpy(&x, a + i, 8), memcpy(&y, b + i, 8);
            if (!same_word(x, y))
                return false;
        }
        memcpy(&x, a + len - 8, 8), memcpy(&y, b + len - 8, 8);
    } else if (len >= 4) {
        memcpy(&p, a, 4), memcpy(&q, b, 4);
        x = p, y = q;
        memcpy(&p, a + len - 4, 4), memcpy(&q, b + len - 4, 4);
        x |= (uint64_t)p << 32, y |= (uint64_t)q << 32;
    } else {
        for (size_t i = 0; i < len; i++)
            x = x << 8 | (uint8_t)a[i], y = y << 8 | (uint8_t)b[i];
    }
    return same_word(x, y);
}
