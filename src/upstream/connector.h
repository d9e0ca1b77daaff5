/* Opens lines: dial, TLS, the protocol that ALPN chose. The pool knows only this interface, so
 * that tests can give it lines of their own making. Owned by the pool. An attempt
 * (`struct connecting`) is the line's until one of its two events, or cancel(). */
#pragma once

#include "config/config.h"
#include "net/dial.h"
#include "protocol/conn.h"

struct connecting;

struct connect_report {
    struct sockaddr_storage peer; /* AF_UNSPEC: a unix socket */
    uint64_t dns_us, connect_us, tls_us;
    bool secure, resumed;
    const char *tls_version, *alpn;      /* valid as long as the line; NULL: no TLS, no choice */
    int64_t valid_from_s, valid_until_s; /* see struct tls_report */
};

struct connect_events {
    void (*on_connected)(void *owner, struct conn *, const struct connect_report *); /* yours */
    void (*on_failed)(void *owner, enum failure why, const char *detail);
};

struct connector {
    const struct connector_ops *ops;
    void (*on_answer)(void *owner); /* set by the owner that watches */
    const struct config_exit *exit; /* what its lines go through, set by the owner; NULL: nothing */
};

struct connector_ops {
    struct connecting *(*start)(struct connector *, const struct upstream_config *,
                                const struct connect_events *, void *owner);
    /* Likewise, over a TCP connection that was dialled before, which is taken over. */
    struct connecting *(*adopt)(struct connector *, const struct upstream_config *, struct stream *,
                                const struct dial_report *, const struct connect_events *,
                                void *owner);
    void (*cancel)(struct connecting *);
    /* Opens a TCP connection alone, for a tunnel, by the same rules. `u->host` is borrowed until
     * the dial ends. */
    struct dial *(*dial)(struct connector *, const struct upstream_config *u,
                         const struct dial_events *, void *owner);
    /* Keeps the upstream's addresses fresh, and tells on_answer of new answers from DNS, as long
     * as the last `owner` given is not NULL. Cheap to repeat. */
    void (*watch)(struct connector *, const struct upstream_config *, void *owner);
    /* Is this address no longer one of the upstream's name? Only while it watches. */
    bool (*is_gone)(struct connector *, const struct sockaddr_storage *peer);
    void (*free)(struct connector *);
};
