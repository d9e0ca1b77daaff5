/* SHA-256 (FIPS 180-4) of bytes that lie together: by libgcrypt, which uses the processor's own
 * instructions, where aead.h has found that library good; otherwise by mbedTLS. A pure function. */
#pragma once

#include "base/span.h"

#define SHA256_SIZE 32

void sha256(struct span, unsigned char digest[SHA256_SIZE]);
