/* One side's TLS handshake, over memory: `in` holds what was received, `out` what is to be sent.
 * Embedded in its stream, which continues to use `ssl` once the handshake is done. Its steps run on
 * the worker; between them the stream fills `in` and sends `out` on the loop. It is waiting for
 * more input, done, or failed (`result`). */
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
    bool is_foreign;   /* the first bytes received are not a TLS record */
    bool is_old;       /* TLS 1.2 is the highest version offered */
    bool may_be_older; /* it failed, but the next one will offer TLS 1.2 at most, and may succeed */
    bool is_denied;    /* the first record received is an alert */
    unsigned char alert; /* alert received from the peer in plaintext; 0: none (RFC 8446 6) */
    bool verified;       /* a certificate was verified (always by a client, unless it resumed) */
    struct chain chain;  /* of the certificates that the origin sent */
    bool ticket_is_kept;
    const char *peer;            /* "origin" or "client" */
    char *name;                  /* name of the origin; NULL: this side is the server */
    struct chain_peer peer_name; /* the name in the form that certificates use */
    struct tls_context *context; /* one reference */
    const mbedtls_ssl_config *config;
    struct tls_session *offered; /* one reference, or NULL */
    struct tls_session *gained;  /* TLS 1.2: the new session */
};

/* `name` is NULL if and only if the context is that of a server. */
void tls_handshake_init(struct tls_handshake *, struct tls_context *, const char *name,
                        const char *const *alpn);

/* Advances the handshake as far as `in` allows. Call it on the worker. */
void tls_handshake_step(struct tls_handshake *);

/* To be called after the last step, on the loop: keeps, replaces or drops the session. */
void tls_handshake_settle(struct tls_handshake *);
bool tls_handshake_is_resumed(const struct tls_handshake *);

/* Why the last step failed, as a message of one line. */
enum failure tls_handshake_explain(const struct tls_handshake *, char *words, size_t size);

/* To be called when a TLS 1.3 ticket arrives after the handshake: keeps the line's first ticket. */
void tls_handshake_keep_ticket(struct tls_handshake *);
void tls_handshake_free(struct tls_handshake *);
