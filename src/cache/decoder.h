/* Decodes the first bytes of a body that came in a content coding (RFC 9110 8.4): gzip and
 * deflate with zlib, br with brotli. Owned by its maker; without states. */
#pragma once

#include "base/text.h"

struct decoder;

/* `coding` is the value of Content-Encoding, not empty. NULL: a coding that it does not
 * know. */
struct decoder *decoder_new(struct span coding);

/* Decodes more (`data` is borrowed), and adds to `out` until that has `most` bytes. False:
 * the body is not in this coding. */
bool decoder_feed(struct decoder *, struct span data, struct text *out, size_t most) MUST_CHECK;
void decoder_free(struct decoder *); /* NULL is fine */
