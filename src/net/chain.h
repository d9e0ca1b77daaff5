/* Judges the certificates that an origin showed: mbedTLS builds a path to an anchor
 * and checks signatures, dates, keys and CA flags; here the path is held to what
 * mbedTLS leaves out (RFC 5280 4.2.1.10, 4.2.1.12, RFC 6125), and where none was
 * found it is looked for in whatever order they came (RFC 8446 4.4.2). Lives inside
 * a handshake; works on the worker. Nothing that mbedTLS refuses in every order is
 * ever accepted. Revocation is not checked. */
#pragma once

#include "net/x509.h"

#define CHAIN_MAX 10 /* mbedTLS's own limit: leaf, 8 intermediates, anchor */

/* Who the leaf is to be: a DNS name, or an address of 4 or 16 bytes. */
struct chain_peer {
    const char *host; /* NULL: an address */
    unsigned char ip[16];
    size_t ip_len;
};

struct chain {
    const mbedtls_x509_crt *path[CHAIN_MAX]; /* leaf first */
    size_t len;
    uint32_t flags; /* mbedTLS's findings about the path, MBEDTLS_X509_BADCERT_… */

    /* What chain_judge() came to: */
    const char *why; /* about an issuer's limits, one line; NULL: nothing of the kind */
    int64_t valid_from_s, valid_until_s; /* of the certificate that expires first */
};

/* One call of mbedTLS's verify callback: takes note, with its findings. Calls come
 * from the anchor down to the leaf, depth 0. */
void chain_note(struct chain *, const mbedtls_x509_crt *, int depth, uint32_t flags);

/* After the leaf was noted: 0, or why it is refused (MBEDTLS_X509_BADCERT_…). */
uint32_t chain_judge(struct chain *, const struct chain_peer *, mbedtls_x509_crt *anchors);
