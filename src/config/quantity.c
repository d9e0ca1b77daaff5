#include "config/quantity.h"

#include <stdio.h>

struct unit {
    const char *name;
    uint64_t worth;
};

/* Largest first. */
static const struct unit durations[] = {
    {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {"", 1000}};
static const struct unit sizes[] = {
    {"g", UINT64_C(1) << 30}, {"m", UINT64_C(1) << 20}, {"k", UINT64_C(1) << 10}, {"", 1}};
static const struct unit counts[] = {{"", 1}};

static const struct unit *units_of(enum directive_kind kind, size_t *count)
{
    switch (kind) {
    case KIND_DURATION: *count = COUNT_OF(durations); return durations;
    case KIND_SIZE: *count = COUNT_OF(sizes); return sizes;
    default: *count = COUNT_OF(counts); return counts;
    }
}

/* The digits at the front; false if there are none or too many. `scale` is 10
 * to their number. */
static bool take_digits(const char **p, uint64_t *number, uint64_t *scale)
{
    const char *from = *p;
    *number = 0;
    *scale = 1;
    for (; **p >= '0' && **p <= '9'; (*p)++) {
        if (*p - from >= 18)
            return false;
        *number = *number * 10 + (uint64_t)(**p - '0');
        *scale *= 10;
    }
    return *p > from;
}

/* whole.fraction × worth, if that is a whole number. */
static bool multiply(uint64_t whole, uint64_t fraction, uint64_t scale, uint64_t worth,
                     uint64_t *number)
{
    uint64_t part;
    if (__builtin_mul_overflow(whole, worth, number) ||
        __builtin_mul_overflow(fraction, worth, &part) || part % scale)
        return false;
    return !__builtin_add_overflow(*number, part / scale, number);
}

static bool read_number(enum directive_kind kind, const char *text, uint64_t *number)
{
    uint64_t whole, fraction = 0, scale = 1, ignored;
    size_t count;
    const struct unit *units = units_of(kind, &count);
    if (!take_digits(&text, &whole, &ignored))
        return false;
    if (*text == '.' && kind != KIND_COUNT) {
        text++;
        if (!take_digits(&text, &fraction, &scale))
            return false;
    }
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, units[i].name) == 0)
            return multiply(whole, fraction, scale, units[i].worth, number);
    return false;
}

bool quantity_read(const struct directive *d, const char *text, uint64_t *number, char *why,
                   size_t why_size)
{
    uint64_t min, max;
    struct text range = {0};
    directive_range(d, &min, &max);
    if (read_number(d->kind, text, number) && *number >= min && *number <= max)
        return true;
    text_add_str(&range, d->kind == KIND_DURATION ? "must be a duration (ms s m h)"
                         : d->kind == KIND_SIZE   ? "must be a size (k m g)"
                                                  : "must be a whole number");
    text_add_str(&range, " from ");
    quantity_print(d->kind, min, &range);
    text_add_str(&range, " to ");
    quantity_print(d->kind, max, &range);
    snprintf(why, why_size, "%s", range.at);
    text_free(&range);
    return false;
}

#define RATE_MAX_COUNT 1000000
#define RATE_MAX_MS (24 * UINT64_C(3600000))

bool quantity_read_rate(const char *text, unsigned *count, uint64_t *per_ms)
{
    uint64_t pieces, ignored;
    if (!take_digits(&text, &pieces, &ignored) || *text != '/' || pieces < 1 ||
        pieces > RATE_MAX_COUNT || !read_number(KIND_DURATION, text + 1, per_ms) || *per_ms < 1 ||
        *per_ms > RATE_MAX_MS)
        return false;
    *count = (unsigned)pieces;
    return true;
}

void quantity_print(enum directive_kind kind, uint64_t number, struct text *out)
{
    size_t count, i = 0;
    const struct unit *units = units_of(kind, &count);
    while (number && number % units[i].worth)
        i++;
    text_add_number(out, number ? number / units[i].worth : 0);
    text_add_str(out, number ? units[i].name : "");
}
