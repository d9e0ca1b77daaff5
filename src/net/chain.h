/* Judges the certificates that an origin showed. mbedTLS builds a path to an anchor, and checks
 * signatures, dates, keys and CA flags; here that path is held to what mbedTLS leaves out (RFC
 * 5280 4.2.1.10, 4.2.1.12, RFC 6125), and if mbedTLS found none, the certificates are tried in
 * other orders (RFC 8446 4.4.2). Part of a handshake; runs on the worker. It is empty, gathers
 * a path (chain_note()), or has judged it. What mbedTLS refuses in every order is never
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
    uint32_t flags; /* mbedTLS's findings about the path, MBEDTLS_X509_BADCERT_… */

    /* The result of chain_judge(): */
    const char *why; /* which limit of an issuer was exceeded, one line; NULL: none */
    int64_t valid_from_s, valid_until_s; /* of the certificate that expires first */
};

/* Notes one certificate and mbedTLS's findings about it: called from mbedTLS's verify callback,
 * which comes from the anchor down to the leaf (depth 0). */
void chain_note(struct chain *, const mbedtls_x509_crt *, int depth, uint32_t flags);

/* Once the leaf is noted: 0, or why it is refused (MBEDTLS_X509_BADCERT_…). */
uint32_t chain_judge(struct chain *, const struct chain_peer *, mbedtls_x509_crt *anchors);
