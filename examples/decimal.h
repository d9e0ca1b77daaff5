/* Exact decimal numbers, as exchanges write prices: an integer and the number of
 * decimal places. A plain value; floating point is not used anywhere. Only
 * decimal_ratio() and decimal_floor() round; results that do not fit are an error. */
#pragma once

#include "base/check.h"
#include "base/span.h"

struct decimal {
    __int128 units; /* the number is units / 10^places */
    unsigned places;
};

#define DECIMAL_DIGITS_MAX 18 /* of a number that is read; also the maximum number of places */
#define DECIMAL_TEXT_SIZE 64

/* "63999.50", "-0.1", "7": digits with at most one point and a leading minus, and
 * nothing else (no exponent, no space). False otherwise, or for too many digits. */
bool decimal_read(struct span text, struct decimal *to) MUST_CHECK;

/* Writes all digits to `out`, and returns `out`. */
const char *decimal_text(struct decimal, char out[DECIMAL_TEXT_SIZE]);

/* -1, 0 or 1. */
int decimal_sign(struct decimal);

/* Exact; false if the result does not fit. `to` may be an operand. */
bool decimal_subtract(struct decimal a, struct decimal b, struct decimal *to) MUST_CHECK;
bool decimal_multiply(struct decimal a, struct decimal b, struct decimal *to) MUST_CHECK;

/* a / b with `places` places, rounded down (towards minus infinity); false if b is
 * not positive or the result does not fit. */
bool decimal_ratio(struct decimal a, struct decimal b, unsigned places,
                   struct decimal *to) MUST_CHECK;

/* The number with `places` places, rounded down. */
struct decimal decimal_floor(struct decimal, unsigned places);
