/* TLS over any stream, by mbedTLS, as client or as server. Owned like every stream; owns the stream
 * below. It is handshaking, secured, failed or closed: once secured it is a stream like any other;
 * before on_secured, and after on_failed, it may only be closed. Handshake steps run on the worker;
 * a handshake that is waiting for the network does not occupy the worker.
 *
 * stream_taken() and stream_queued() count bytes of ciphertext, including those of the handshake. A
 * write to a stream that is known to be broken changes neither. */
#pragma once

#include "base/failure.h"
#include "base/span.h"
#include "net/stream.h"
#include "net/tls_context.h"
#include "net/worker.h"

struct tls_report {
    const char *version, *alpn; /* "TLSv1.3"; NULL: no ALPN; valid as long as the stream */
    bool resumed;
    uint64_t handshake_us;
    int64_t valid_from_s, valid_until_s; /* since 1970, of the certificate of the origin's
                                            chain that expires first; 0: resumed */
};

struct tls_events {
    void (*on_secured)(void *owner, struct stream *, const struct tls_report *);
    void (*on_failed)(void *owner, struct stream *, enum failure why, const char *detail);
};

/* Begins a handshake with the origin `name` (sent as SNI unless it is an IP literal; verified as
 * the context says). Takes ownership of the lower stream at once. Exactly one event follows, never
 * from inside this call, unless stream_close() is called first; after on_failed the stream must
 * still be closed. `alpn` is a NULL-terminated list (copied), or NULL. The caller sets timeouts. */
struct stream *stream_tls_open(struct loop *, struct worker *, struct tls_context *,
                               struct stream *lower, const char *name, const char *const *alpn,
                               const struct tls_events *, void *owner);

/* Likewise as the server, with a context of tls_context_serve(). `first` is what the client has
 * already sent (copied). A client that offers ALPN without any of these protocols is refused (RFC
 * 7301 3.2); a client without ALPN is not. Its steps yield to those of handshakes with origins
 * (worker.h). */
struct stream *stream_tls_accept(struct loop *, struct worker *, struct tls_context *,
                                 struct stream *lower, struct span first, const char *const *alpn,
                                 const struct tls_events *, void *owner);

/* After on_failed: returns true if the next handshake with this origin will offer TLS 1.2 at most,
 * and may therefore succeed. */
bool stream_tls_may_be_older(struct stream *);
