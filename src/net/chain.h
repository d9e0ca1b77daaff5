/* Verifies the certificates that an origin sent. mbedTLS builds a path to an anchor, and checks
 * signatures, dates, keys and CA flags; here the path is checked for what mbedTLS leaves out (RFC
 * 5280 4.2.1.10, 4.2.1.12, RFC 6125), and if mbedTLS found none, the certificates are tried in
 * other orders (RFC 8446 4.4.2). Part of a handshake; runs on the worker. It is empty, collecting a
 * path (chain_note()), or has judged it. Certificates that mbedTLS rejects in every order are never
 * accepted. Revocation is not checked. */
#pragma once

#include "net/x509.h"

#define CHAIN_MAX 10 /* mbedTLS's own limit: leaf, 8 intermediates, anchor */

/* The name that the leaf must have: a DNS name, or an address of 4 or 16 bytes. */
struct chain_peer {
    const char *host; /* NULL: an address */
    unsigned char ip[16];
    size_t ip_len;
};

struct chain {
    const mbedtls_x509_crt *path[CHAIN_MAX]; /* leaf first */
    size_t len;
    uint32_t flags; /* mbedTLS's verification flags for the path, MBEDTLS_X509_BADCERT_… */

    /* The result of chain_judge(): */
    const char *why; /* which constraint of an issuer was violated, one line; NULL: none */
    int64_t valid_from_s, valid_until_s; /* of the certificate that expires first */
};

/* Records one certificate and mbedTLS's flags for it: called from mbedTLS's verify callback, which
 * runs from the anchor down to the leaf (depth 0). */
void chain_note(struct chain *, const mbedtls_x509_crt *, int depth, uint32_t flags);

/* To be called once the leaf is recorded. Returns 0, or why the certificates are rejected
 * (MBEDTLS_X509_BADCERT_…). */
uint32_t chain_judge(struct chain *, const struct chain_peer *, mbedtls_x509_crt *anchors);
