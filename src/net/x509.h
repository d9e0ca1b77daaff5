/* Reads X.509 certificates as mbedTLS does, with one difference: mbedTLS refuses a certificate
 * with critical name constraints (RFC 5280 4.2.1.10), these functions read it, because chain.h
 * applies the constraints. Functions over mbedTLS, without owner or state.
 *
 * A TLS handshake reads the origin's certificates by the same rule: x509.c defines
 * mbedtls_x509_crt_parse_der(), which libmbedtls uses instead of libmbedx509's, since the
 * executable's definition comes first (ELF gABI 5). */
#pragma once

#include <mbedtls/x509_crt.h>

#include "base/check.h"
#include "base/span.h"

/* How many of the certificates that an origin sends are used. */
#define X509_SHOWN_MAX 16

/* Appends every certificate in a file's bytes, PEM or one of DER (which must be followed by a NUL
 * that is not counted), to an initialized chain. Certificates that cannot be parsed are skipped and
 * counted. Returns 0, or mbedTLS's error if none can be parsed. */
int x509_read(mbedtls_x509_crt *chain, struct span bytes, size_t *unreadable) MUST_CHECK;

/* Appends one certificate in DER. Returns 0 or mbedTLS's error. */
int x509_read_der(mbedtls_x509_crt *chain, struct span der) MUST_CHECK;

/* Finds an extension by its OID (MBEDTLS_OID_…) and stores its value, empty if there is none.
 * Returns false if the extension occurs twice or the extensions are malformed. */
bool x509_extension(const mbedtls_x509_crt *, struct span oid, struct span *value) MUST_CHECK;

/* Seconds since 1970. */
int64_t x509_seconds(const mbedtls_x509_time *);
