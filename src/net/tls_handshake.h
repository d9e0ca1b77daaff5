/* One side's TLS handshake, over memory: `in` is what came, `out` what is to be sent. Embedded in
 * its stream, which goes on using `ssl` once the handshake is done. Its steps run on the
 * worker; between them the stream feeds and flushes it on the loop. It waits for more input, is
 * done, or has failed (`result`). */
#pragma once

#include <mbedtls/ssl.h>

#include "base/buf.h"
#include "base/failure.h"
#include "net/chain.h"
#include "net/tls_context.h"
#include "net/tls_session.h"

struct tls_handshake {
    unsigned magic;
    mbedtls_ssl_context ssl;
    struct buf in, out;
    int result; /* of the last step: 0 done, MBEDTLS_ERR_SSL_WANT_READ, or an error */
    bool begun, heard;
    bool is_foreign; /* what came first is no TLS record */
    bool is_old;     /* TLS 1.2 is the highest on offer */
    bool
        may_be_older; /* it failed, but the next one is to offer TLS 1.2 at most, and may succeed */
    bool is_denied;   /* what came first is an alert */
    unsigned char alert; /* of the peer, in the clear; 0: none (RFC 8446 6) */
    bool verified;       /* a certificate was verified (always by a client, unless it resumed) */
    struct chain chain;  /* of certificates that the origin showed */
    bool ticket_is_kept;
    const char *peer;            /* "origin" or "client" */
    char *name;                  /* of the origin; NULL: we are the server */
    struct chain_peer peer_name; /* the name as certificates have it */
    struct tls_context *context; /* one reference */
    const mbedtls_ssl_config *config;
    struct tls_session *offered; /* one reference, or NULL */
    struct tls_session *gained;  /* TLS 1.2: the new one */
};

/* `name` is NULL if, and only if, the context is a server's. */
void tls_handshake_init(struct tls_handshake *, struct tls_context *, const char *name,
                        const char *const *alpn);

/* Goes as far as `in` allows. To be called on the worker. */
void tls_handshake_step(struct tls_handshake *);

/* After the last step, on the loop: keeps, replaces or forgets the session. */
void tls_handshake_settle(struct tls_handshake *);
bool tls_handshake_is_resumed(const struct tls_handshake *);

/* Why the last step failed, in words for a person, on one line. */
enum failure tls_handshake_explain(const struct tls_handshake *, char *words, size_t size);

/* A TLS 1.3 ticket came after the handshake: keeps the line's first one. */
void tls_handshake_keep_ticket(struct tls_handshake *);
void tls_handshake_free(struct tls_handshake *);
