/* What the next handshake with an origin starts from: its last TLS session, which shortens the
 * handshake (RFC 8446 2.2, RFC 5077, RFC 5246 7.3), and whether to offer TLS 1.2 at most. A session
 * is reference-counted, since the worker reads it while the loop may already keep a newer one; the
 * counts are changed on the loop only. A store belongs to one tls_context, so that a session is
 * never used with different trust settings, and is indexed by name, so that a session is never used
 * for a different name. A session is offered, kept, or only held by references. */
#pragma once

#include <mbedtls/ssl.h>

#include "base/list.h"

struct tls_session {
    unsigned refs;
    mbedtls_ssl_session at;
};

/* Exports the line's session, with one reference; NULL if it has none. Copies a certificate. */
struct tls_session *tls_session_export(const mbedtls_ssl_context *);
void tls_session_unref(struct tls_session *); /* NULL is allowed */

struct tls_sessions {
    struct list kept; /* one per name, the newest first */
};

void tls_sessions_init(struct tls_sessions *);
void tls_sessions_clear(struct tls_sessions *);

/* The last session of that name, with a reference; NULL if there is none. */
struct tls_session *tls_sessions_find(struct tls_sessions *, const char *name);

/* Keeps the session in place of the last one; takes ownership of the reference. */
void tls_sessions_keep(struct tls_sessions *, const char *name, struct tls_session *);

/* Drops the session if it is still the one that is kept. */
void tls_sessions_drop(struct tls_sessions *, const char *name, const struct tls_session *);

/* Returns true if the origin is to be offered TLS 1.2 at most, which must have been noted
 * before. */
bool tls_sessions_is_old(struct tls_sessions *, const char *name);
void tls_sessions_note_old(struct tls_sessions *, const char *name, bool is_old);

/* Notes that the origin accepted that offer. Returns true the first time since the offer was
 * noted. */
bool tls_sessions_confirm_old(struct tls_sessions *, const char *name);
