#include "config/quantity.h"

#include <limits.h>
#include <stdio.h>

struct unit {
    const char *name;
    uint64_t worth;
};

/* Largest first. Durations in microseconds, whatever the directive keeps. */
static const struct unit durations[] = {{"h", UINT64_C(3600000000)},
                                        {"m", 60000000},
                                        {"s", 1000000},
                                        {"ms", 1000},
                                        {"us", 1},
                                        {"", 1000000}};
static const struct unit sizes[] = {
    {"g", UINT64_C(1) << 30}, {"m", UINT64_C(1) << 20}, {"k", UINT64_C(1) << 10}, {"", 1}};
static const struct unit percents[] = {{"%", 1}, {"", 1}};
static const struct unit counts[] = {{"", 1}};

static const struct unit *units_of(enum directive_type type, size_t *count)
{
    switch (type) {
    case TYPE_DURATION:
    case TYPE_MICROS: *count = COUNT_OF(durations); return durations;
    case TYPE_SIZE: *count = COUNT_OF(sizes); return sizes;
    case TYPE_PERCENT: *count = COUNT_OF(percents); return percents;
    default: *count = COUNT_OF(counts); return counts;
    }
}

/* Reads the digits at the front; false if there are none or too many. `scale` is set to 10 to the
 * power of the number of digits. */
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

/* Sets `number` to whole.fraction × worth; false if that is not a whole number. */
static bool multiply(uint64_t whole, uint64_t fraction, uint64_t scale, uint64_t worth,
                     uint64_t *number)
{
    uint64_t part;
    if (__builtin_mul_overflow(whole, worth, number) ||
        __builtin_mul_overflow(fraction, worth, &part) || part % scale)
        return false;
    return !__builtin_add_overflow(*number, part / scale, number);
}

/* How many units of the notation above are one of those that the directive keeps. */
static uint64_t grain(enum directive_type type)
{
    return type == TYPE_DURATION ? 1000 : 1;
}

static bool may_have_fraction(enum directive_type type)
{
    return type == TYPE_DURATION || type == TYPE_MICROS || type == TYPE_SIZE;
}

/* In the units of the notation. */
static bool read_fine(enum directive_type type, const char *text, uint64_t *number)
{
    uint64_t whole, fraction = 0, scale = 1, ignored;
    size_t count;
    const struct unit *units = units_of(type, &count);
    if (!take_digits(&text, &whole, &ignored))
        return false;
    if (*text == '.' && may_have_fraction(type)) {
        text++;
        if (!take_digits(&text, &fraction, &scale))
            return false;
    }
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, units[i].name) == 0)
            return multiply(whole, fraction, scale, units[i].worth, number);
    return false;
}

/* In the units that the directive keeps; false also if it is not a whole number of them. */
static bool read_number(enum directive_type type, const char *text, uint64_t *number)
{
    if (!read_fine(type, text, number) || *number % grain(type))
        return false;
    *number /= grain(type);
    return true;
}

static uint64_t bound(enum directive_type type, const char *text)
{
    uint64_t number;
    CHECK(read_number(type, text, &number));
    return number;
}

static const char *what_it_is(const struct directive *d)
{
    switch (d->type) {
    case TYPE_DURATION:
    case TYPE_MICROS: return "duration (us ms s m h)";
    case TYPE_SIZE: return "size (k m g)";
    case TYPE_PERCENT: return "percentage";
    case TYPE_NUMBERS: return d->unit;
    default: return "whole number";
    }
}

/* "must be a duration (us ms s m h) from 0 to 8760h". A duration that is too fine for the
 * directive would otherwise be told that its unit is right, and not what is wrong. */
static void deny(const struct directive *d, const char *text, char *why, size_t why_size)
{
    uint64_t us;
    bool is_too_fine = d->type == TYPE_DURATION && read_fine(d->type, text, &us) && us % 1000;
    snprintf(why, why_size, "must be a %s%s from %s to %s", what_it_is(d),
             is_too_fine ? ", in whole milliseconds," : "", d->min, d->max);
}

bool quantity_read(const struct directive *d, const char *text, uint64_t *number, char *why,
                   size_t why_size)
{
    if (read_number(d->type, text, number) && *number >= bound(d->type, d->min) &&
        *number <= bound(d->type, d->max))
        return true;
    deny(d, text, why, why_size);
    return false;
}

static bool read_rate(const char *text, struct config_rate *rate)
{
    uint64_t count, ignored;
    if (!take_digits(&text, &count, &ignored) || *text != '/' || count > UINT_MAX)
        return false;
    rate->count = (unsigned)count;
    return read_number(TYPE_DURATION, text + 1, &rate->per_ms);
}

bool quantity_read_rate(const struct directive *d, const char *text, struct config_rate *rate,
                        char *why, size_t why_size)
{
    struct config_rate min, max;
    CHECK(read_rate(d->min, &min) && read_rate(d->max, &max));
    if (read_rate(text, rate) && rate->count >= min.count && rate->count <= max.count &&
        rate->per_ms >= min.per_ms && rate->per_ms <= max.per_ms)
        return true;
    snprintf(why, why_size, "must be COUNT/DURATION, such as \"1200/1m\", from %s to %s", d->min,
             d->max);
    return false;
}

void quantity_print(enum directive_type type, uint64_t number, struct text *out)
{
    size_t count, i = 0;
    const struct unit *units = units_of(type, &count);
    number *= grain(type);
    while (number && number % units[i].worth)
        i++;
    text_add_number(out, number ? number / units[i].worth : 0);
    text_add_str(out, number ? units[i].name : "");
}
