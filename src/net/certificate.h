/* Writes X.509 certificates (RFC 5280) with EC P-256 keys: those of the local CA, and those that it
 * signs. Functions over mbedTLS, without owner or state. They take milliseconds: after start, call
 * them on the worker only. */
#pragma once

#include <mbedtls/x509_crt.h>
#include <time.h>

#include "base/text.h"

struct certificate {
    const char *subject, *issuer; /* "O=trunkline, CN=…" as mbedTLS reads it */
    mbedtls_pk_context *key, *issuer_key;
    time_t from, until;
    const char *host;        /* of a leaf, its one DNS name; NULL: a CA, with */
    struct span constraints; /* the DER of its name constraints, and */
    int path_len;            /* the number of CAs allowed below it */
};

/* Appends the DER, with a random serial. 0 or mbedTLS's error. */
int certificate_write(const struct certificate *, struct text *der) MUST_CHECK;

/* Generates a new key in `key`, which the caller initializes and frees. Returns 0 or mbedTLS's
 * error. */
int certificate_make_key(mbedtls_pk_context *key) MUST_CHECK;
