/* Reads DER (X.690), value by value. A reader is a span over bytes that belong to another object,
 * and shrinks from the front; nothing is copied or written. It has no states but where it is. */
#pragma once

#include "base/check.h"
#include "base/span.h"

struct der {
    const unsigned char *at, *end;
};

struct der der_of(struct span);

/* What is left of it, as bytes. */
struct span der_rest(const struct der *);
bool der_is_empty(const struct der *);

/* Does a value with this tag (mbedTLS's MBEDTLS_ASN1_…) come next? */
bool der_is_at(const struct der *, int tag);

/* Takes the next value, if it has this tag: `inside` is its content, and `from`
 * goes on behind it. False, and nothing is taken, if it has not or is cut off. */
bool der_enter(struct der *from, int tag, struct der *inside) MUST_CHECK;

/* Likewise whatever its tag is, which is told. */
bool der_next(struct der *from, int *tag, struct der *inside) MUST_CHECK;
