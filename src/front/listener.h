/* One socket that trunkline listens on: accepts connections and hands them to its owner.
 * Owned by `listeners` while it is on its list; frees itself once libuv has closed it.
 * Open from its making until listener_close(); it has no other states. */
#pragma once

#include "base/list.h"
#include "config/config.h"
#include "http/ingress.h"
#include "net/loop.h"
#include "net/stream.h"

struct listener;

/* The two ends of a connection. Of one through a unix socket only the family is known. */
struct connection_ends {
    struct sockaddr_storage peer;
    char local[INET6_ADDRSTRLEN]; /* the address it came in at, as in struct ingress, or "" */
};

struct listener_events {
    /* A connection was accepted. The stream is the owner's; the ends are borrowed. */
    void (*on_accept)(void *owner, struct listener *, struct stream *,
                      const struct connection_ends *);
};

struct listener {
    struct link link;
    struct loop *loop;
    struct config_address address; /* `text` is the listener's own */
    char *upstream;                /* the upstream whose own `listen` this is; NULL: the daemon's */
    bool wanted;                   /* by the configuration that is being applied */
    bool given;                    /* adopted: it stays, whatever is configured */
    bool takes_ipv4;               /* an IPv6 socket that accepts IPv4 too */
    const struct listener_events *events;
    void *owner;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
};

/* Binds the address and listens. NULL, with a message in `error`, if that fails. A unix
 * socket gets mode 0660, so that its group decides who may connect. */
struct listener *listener_open(struct loop *, const struct config_address *,
                               const struct listener_events *, void *owner, char *error,
                               size_t size);

/* Takes over a TCP or unix socket that listens already. NULL, with a message in `error`, if
 * it is neither; it is closed then. */
struct listener *listener_adopt(struct loop *, int fd, const struct listener_events *, void *owner,
                                char *error, size_t size);

/* Stops accepting; unlinks a unix socket that it has bound. The pointer is dead. */
void listener_close(struct listener *);

/* Is this the address it is open on? */
bool listener_is(const struct listener *, const struct config_address *);

/* Would a connection to this address arrive here? */
bool listener_answers(const struct listener *, const struct sockaddr *);

/* Its port; 0 of a unix socket. */
uint16_t listener_port(const struct listener *);
