#include "examples/decimal.h"

#include <stdio.h>

static bool read_digits(struct span digits, struct decimal *to)
{
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.at[i] < '0' || digits.at[i] > '9')
            return false;
        to->units = to->units * 10 + (digits.at[i] - '0');
    }
    return true;
}

bool decimal_read(struct span text, struct decimal *to)
{
    bool negative = text.len && text.at[0] == '-';
    struct span number = span_from(text, negative);
    size_t point = span_find(number, '.');
    struct span whole = span_first(number, point), rest = span_from(number, point + 1);
    *to = (struct decimal){.places = (unsigned)rest.len};
    if (whole.len == 0 || (point < number.len && rest.len == 0) ||
        whole.len + rest.len > DECIMAL_DIGITS_MAX)
        return false;
    if (!read_digits(whole, to) || !read_digits(rest, to))
        return false;
    if (negative)
        to->units = -to->units;
    return true;
}

const char *decimal_text(struct decimal d, char out[DECIMAL_TEXT_SIZE])
{
    char digits[DECIMAL_TEXT_SIZE];
    unsigned __int128 rest = d.units < 0 ? -(unsigned __int128)d.units : (unsigned __int128)d.units;
    size_t at = sizeof digits;
    digits[--at] = '\0';
    for (unsigned n = 0; rest || n <= d.places; n++) {
        if (n == d.places && n)
            digits[--at] = '.';
        digits[--at] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    }
    snprintf(out, DECIMAL_TEXT_SIZE, "%s%s", d.units < 0 ? "-" : "", digits + at);
    return out;
}

int decimal_sign(struct decimal d)
{
    return (d.units > 0) - (d.units < 0);
}

/* Extends it to more places, exactly. */
static bool widen(struct decimal *d, unsigned places)
{
    for (; d->places < places; d->places++)
        if (__builtin_mul_overflow(d->units, 10, &d->units))
            return false;
    return true;
}

bool decimal_subtract(struct decimal a, struct decimal b, struct decimal *to)
{
    unsigned places = a.places > b.places ? a.places : b.places;
    if (!widen(&a, places) || !widen(&b, places))
        return false;
    to->places = places;
    return !__builtin_sub_overflow(a.units, b.units, &to->units);
}

bool decimal_multiply(struct decimal a, struct decimal b, struct decimal *to)
{
    to->places = a.places + b.places;
    return !__builtin_mul_overflow(a.units, b.units, &to->units);
}

static __int128 divide_down(__int128 a, __int128 b)
{
    return a / b - (a % b < 0);
}

bool decimal_ratio(struct decimal a, struct decimal b, unsigned places, struct decimal *to)
{
    unsigned common = a.places > b.places ? a.places : b.places;
    if (b.units <= 0 || !widen(&a, common) || !widen(&b, common))
        return false;
    a.places = 0;
    if (!widen(&a, places))
        return false;
    *to = (struct decimal){divide_down(a.units, b.units), places};
    return true;
}

struct decimal decimal_floor(struct decimal d, unsigned places)
{
    for (; d.places > places; d.places--)
        d.units = divide_down(d.units, 10);
    return d;
}
