/* Where a request came in: facts of its listener and client connection that
 * routing, guarding and logging need. Owned by the client connection. */
#pragma once

#include <netinet/in.h>
#include <sys/types.h>

#include "base/span.h"

struct ingress {
    const char *upstream; /* of an upstream's own listener: its name; else NULL */
    bool is_unix;         /* a unix socket: no browser can reach it */
    const char *socket;   /* of a unix socket: its path; NULL: not known */
    bool has_uid;         /* the kernel told the user at the other end of a unix socket: */
    uid_t uid;
    bool is_loopback;   /* the client is on this machine (unix included) */
    uint16_t port;      /* the listener's own, 0 on a unix socket */
    const char *tunnel; /* inside a tunnel: the host that CONNECT named; else NULL */
    uint16_t tunnel_port;
    char client[64]; /* "127.0.0.1:51234", "[::1]:51234" or "unix" */
    /* The address at which the connection came in, as a literal without brackets and in
     * canonical spelling (RFC 5952), an IPv4 one as such; "" on a unix socket. */
    char address[INET6_ADDRSTRLEN];
};
