/* A client connection after CONNECT or an upgrade was answered: looks at what comes
 * first where that decides, then relays it through a tunnel, terminates TLS
 * (interception, contract 8), or hands the stream back because plain HTTP follows.
 *
 * Owned by its client connection from client_tunnel_new() until one of its events, or
 * client_tunnel_stop() or client_tunnel_close(); after any of these the pointer is
 * dead. Looking (nothing has come), securing (its TLS is terminated here, and the
 * handshake is not over), relaying. */
#pragma once

#include "base/buf.h"
#include "front/client_context.h"
#include "net/stream.h"

#define TLS_HANDSHAKE 0x16 /* the first byte of a ClientHello, RFC 8446 5.1 */

struct client_tunnel;

struct client_tunnel_events {
    /* What follows is HTTP, plain or inside TLS that was terminated here. The stream,
     * which may be a new one, is the owner's, to be bound and resumed; what was read
     * of it is in `ahead`. */
    void (*on_http)(void *owner, struct stream *);
    /* Nothing came in time. The stream is the owner's, to be bound. */
    void (*on_idle)(void *owner, struct stream *);
    /* The handshake failed, for this reason; everything is closed. */
    void (*on_tls_failed)(void *owner, const struct verdict *);
    /* It is over; everything is closed. */
    void (*on_over)(void *owner, const char *why);
};

/* Takes over the client's stream and what `to` holds. `ahead` (the bytes read from the
 * stream and not used yet) and `ingress` (which names the host, if `to->looks`) are
 * borrowed for its life. No event comes from inside. */
struct client_tunnel *client_tunnel_new(struct client_context *, const struct ingress *,
                                        struct stream *, struct buf *ahead,
                                        const struct switched *to,
                                        const struct client_tunnel_events *, void *owner);

/* To be called once, when it is ready for events, which may come from inside. */
void client_tunnel_begin(struct client_tunnel *);

/* While it looks and nothing is arriving: ends it, and returns the stream, to be bound
 * anew. Otherwise nothing happens, and it returns NULL. */
struct stream *client_tunnel_stop(struct client_tunnel *) MUST_CHECK;

/* Closes whatever it has; no event comes after. */
void client_tunnel_close(struct client_tunnel *);
