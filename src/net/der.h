/* Reads DER (X.690), value by value. A reader is a span over bytes that belong to another object,
 * and shrinks from the front; nothing is copied or written. Its only state is its position. */
#pragma once

#include "base/check.h"
#include "base/span.h"

struct der {
    const unsigned char *at, *end;
};

struct der der_of(struct span);

/* The rest of it, as bytes. */
struct span der_rest(const struct der *);
bool der_is_empty(const struct der *);

/* Returns true if the next value has this tag (mbedTLS's MBEDTLS_ASN1_…). */
bool der_is_at(const struct der *, int tag);

/* Takes the next value, if it has this tag: `inside` becomes its content, and `from` continues
 * after it. Returns false, and takes nothing, if the tag is different or the value is truncated. */
bool der_enter(struct der *from, int tag, struct der *inside) MUST_CHECK;

/* Likewise for a value with any tag, which is stored in `tag`. */
bool der_next(struct der *from, int *tag, struct der *inside) MUST_CHECK;
