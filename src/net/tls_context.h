/* What the TLS connections of one upstream have in common: trust anchors, client certificate,
 * protocol versions, ALPN, and the last sessions, for resumption. Or, for interception, the
 * certificate that is sent to the clients of one host. Reference-counted (an upstream and each of
 * its connections hold a reference; the counts are changed on the loop only); it is complete as
 * soon as it exists. Making one reads files and may take milliseconds: do it at start or on the
 * worker. */
#pragma once

#include "base/check.h"

struct tls_context;
struct tls_sessions;
struct mbedtls_ssl_config;
struct mbedtls_x509_crt;

struct tls_settings {
    bool verify;
    const char *ca_file;              /* NULL: the system's bundle, read once per process */
    const char *cert_file, *key_file; /* NULL: none; cert_file may contain the key too */
    bool tls13_only;                  /* tls_min = 1.3 */
};

/* Must be called once, first, on the main thread (psa_crypto_init). */
void tls_start(void);

/* On failure returns NULL with a message in `error` ("ca_file /x: cannot be read: …"). */
struct tls_context *tls_context_new(const struct tls_settings *, char *error, size_t size);

/* Makes the context of a server for one host, which sends this leaf and takes ownership of it. A
 * client that asks for another host (SNI, RFC 6066 3) is refused; sessions are not resumed. */
struct leaf;
struct tls_context *tls_context_serve(const char *host, struct leaf *);
bool tls_context_is_server(const struct tls_context *);

/* The trust anchors for its origins' chains; empty if nothing is verified. */
struct mbedtls_x509_crt *tls_context_anchors(struct tls_context *);

struct tls_context *tls_context_ref(struct tls_context *);
void tls_context_unref(struct tls_context *);

/* For handshakes: mbedTLS's configuration that offers these protocols (a NULL-terminated list;
 * NULL: no ALPN), and TLS 1.2 at most if `is_old`; it lives as long as the context. And the
 * sessions and versions known of its origins. Call both on the loop. */
const struct mbedtls_ssl_config *tls_context_config(struct tls_context *, const char *const *alpn,
                                                    bool is_old);

/* Returns true if its origins may use TLS 1.2. */
bool tls_context_takes_old(const struct tls_context *);
struct tls_sessions *tls_context_sessions(struct tls_context *);
