/* The first bytes of a body that came in a content coding (RFC 9110 8.4): gzip and
 * deflate with zlib, br with brotli. Owned by whoever made it. */
#pragma once

#include "base/text.h"

struct decoder;

/* NULL: a coding that cannot be looked into. `coding` is the value of
 * Content-Encoding, not empty. */
struct decoder *decoder_new(struct span coding);

/* Decodes more, and adds to `out` until that has `most` bytes. False: this is not
 * the coding it claims to be. */
bool decoder_feed(struct decoder *, struct span data, struct text *out, size_t most) MUST_CHECK;
void decoder_free(struct decoder *); /* NULL is fine */
