/* TLS over any stream, by mbedTLS, as client or as server. Handshake steps run on the
 * worker; one that waits for the network holds no place there. Owns the stream
 * below. Handshaking → secured → ended; a stream like any other once secured:
 * before on_secured, and after on_failed, it may only be closed.
 *
 * What stream_taken() and stream_queued() tell are bytes of ciphertext, handshake
 * and all. A write on a line that is known to be dead changes neither.
 */
#pragma once

#include "base/failure.h"
#include "base/span.h"
#include "net/stream.h"
#include "net/tls_context.h"
#include "net/worker.h"

struct tls_report {
    const char *version, *alpn; /* "TLSv1.3"; NULL: no ALPN; as long as the stream */
    bool resumed;
    uint64_t handshake_us;
    int64_t valid_from_s, valid_until_s; /* since 1970, of the certificate of the origin's
                                            chain that expires first; 0: resumed */
};

struct tls_events {
    void (*on_secured)(void *owner, struct stream *, const struct tls_report *);
    void (*on_failed)(void *owner, struct stream *, enum failure why, const char *detail);
};

/* Begins a handshake as `name` (SNI unless an IP literal; verified as the
 * context says). The lower stream is taken over at once. Exactly one event
 * comes, later, unless stream_close() is called first; after on_failed the
 * stream still has to be closed. `alpn` is a NULL-terminated list (copied), or
 * NULL. Timeouts are the caller's. */
struct stream *stream_tls_open(struct loop *, struct worker *, struct tls_context *,
                               struct stream *lower, const char *name, const char *const *alpn,
                               const struct tls_events *, void *owner);

/* Likewise as the server, by a context of tls_context_serve(). `first` is what
 * came from the client already (copied). A client that offers ALPN without any
 * of ours is refused (RFC 7301 3.2), one that offers none is not. Its steps yield to
 * those towards origins (worker.h). */
struct stream *stream_tls_accept(struct loop *, struct worker *, struct tls_context *,
                                 struct stream *lower, struct span first, const char *const *alpn,
                                 const struct tls_events *, void *owner);

/* After on_failed: will the next handshake with this origin offer it less, TLS 1.2 at
 * most, so that it may succeed? */
bool stream_tls_may_be_older(struct stream *);
