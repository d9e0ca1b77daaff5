/* One socket trunkline listens on: accepts, and tells its owner. Owned by
 * `listeners` while it is on its list; frees itself once libuv has closed it.
 * Open from the start, or never was; then closing. */
#pragma once

#include "base/list.h"
#include "config/config.h"
#include "http/ingress.h"
#include "net/loop.h"
#include "net/stream.h"

struct listener;

/* The two ends of a connection. Of a unix socket nothing is known but its family. */
struct connection_ends {
    struct sockaddr_storage peer;
    char local[INET6_ADDRSTRLEN]; /* the address it came in at, see struct ingress; "" */
};

struct listener_events {
    void (*on_accept)(void *owner, struct listener *, struct stream *,
                      const struct connection_ends *);
};

struct listener {
    struct link link;
    struct loop *loop;
    struct config_address address; /* its text is the listener's own */
    char *upstream;                /* whose requests come in here; NULL: the daemon's */
    bool wanted;                   /* by the configuration being applied */
    bool given;                    /* not bound by us: stays whatever is configured */
    bool takes_ipv4;               /* an IPv6 socket that takes both */
    const struct listener_events *events;
    void *owner;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
};

/* Listens. NULL with words in `error` if that fails. A unix socket gets mode
 * 0660: who may connect is said by its group. */
struct listener *listener_open(struct loop *, const struct config_address *,
                               const struct listener_events *, void *owner, char *error,
                               size_t size);

/* Accepts on a socket that listens already (and owns it from here on, also if it
 * fails): a TCP or unix one. */
struct listener *listener_adopt(struct loop *, int fd, const struct listener_events *, void *owner,
                                char *error, size_t size);

/* Stops accepting; unlinks a unix socket that was not given. The pointer is dead. */
void listener_close(struct listener *);

/* Is this the address it is open on? */
bool listener_is(const struct listener *, const struct config_address *);

/* Would a connection to this address arrive here? */
bool listener_answers(const struct listener *, const struct sockaddr *);
uint16_t listener_port(const struct listener *);
