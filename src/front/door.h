/* One socket trunkline listens on: accepts, and tells its owner. Owned by
 * `listeners` while it is on its list; frees itself once libuv has closed it.
 * Open from the start, or never was; then closing. */
#pragma once

#include "base/list.h"
#include "config/config.h"
#include "http/ingress.h"
#include "net/loop.h"
#include "net/stream.h"

struct door;

/* The two ends of a connection. Of a unix socket nothing is known but its family. */
struct door_ends {
    struct sockaddr_storage peer;
    char local[INET6_ADDRSTRLEN]; /* the address it came in at, see struct ingress; "" */
};

struct door_events {
    void (*on_visit)(void *owner, struct door *, struct stream *, const struct door_ends *);
};

struct door {
    struct link link;
    struct loop *loop;
    struct config_address address; /* its text is the door's own */
    char *upstream;                /* whose requests come in here; NULL: the daemon's */
    bool wanted;                   /* by the configuration being applied */
    bool given;                    /* not bound by us: stays whatever is configured */
    bool takes_ipv4;               /* an IPv6 socket that takes both */
    const struct door_events *events;
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
struct door *door_open(struct loop *, const struct config_address *, const struct door_events *,
                       void *owner, char *error, size_t size);

/* Accepts on a socket that listens already (and owns it from here on, also if it
 * fails): a TCP or unix one. */
struct door *door_adopt(struct loop *, int fd, const struct door_events *, void *owner, char *error,
                        size_t size);

/* Stops accepting; unlinks a unix socket that was not given. The pointer is dead. */
void door_close(struct door *);

/* Is this the address it is open on? */
bool door_is(const struct door *, const struct config_address *);

/* Would a connection to this address arrive here? */
bool door_answers(const struct door *, const struct sockaddr *);
uint16_t door_port(const struct door *);
