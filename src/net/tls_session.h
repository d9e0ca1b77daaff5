/* What the next handshake with an origin starts from: its last TLS session, which makes the
 * handshake short (RFC 8446 2.2, RFC 5077, RFC 5246 7.3), and whether to offer TLS 1.2 at most.
 * A session is reference-counted, since the worker reads it while the loop may already keep a
 * newer one; the counts are changed on the loop only. A store belongs to one tls_context, so
 * that a session is never used with other trust settings, and is by name, so that it is never
 * used with another name. A session is offered, kept, or only held by references. */
#pragma once

#include <mbedtls/ssl.h>

#include "base/list.h"

struct tls_session {
    unsigned refs;
    mbedtls_ssl_session at;
};

/* The line's session, one reference; NULL if it has none. Costs the copy of
 * a certificate. */
struct tls_session *tls_session_export(const mbedtls_ssl_context *);
void tls_session_unref(struct tls_session *); /* NULL is fine */

struct tls_sessions {
    struct list kept; /* one a name, the newest first */
};

void tls_sessions_init(struct tls_sessions *);
void tls_sessions_clear(struct tls_sessions *);

/* The last session under that name, with a reference; NULL if there is none. */
struct tls_session *tls_sessions_find(struct tls_sessions *, const char *name);

/* Keeps it in place of the last one; takes the reference over. */
void tls_sessions_keep(struct tls_sessions *, const char *name, struct tls_session *);

/* Forgets it, if it is still the one that is kept. */
void tls_sessions_drop(struct tls_sessions *, const char *name, const struct tls_session *);

/* Is the origin to be offered TLS 1.2 at most? Not, unless that was noted. */
bool tls_sessions_is_old(struct tls_sessions *, const char *name);
void tls_sessions_note_old(struct tls_sessions *, const char *name, bool is_old);

/* It took that offer: true the first time since it was noted. */
bool tls_sessions_confirm_old(struct tls_sessions *, const char *name);
