/* Where a request came in: what routing, access rules and logs need to know of its listener
 * and its client connection. Owned by the client connection; constant while that lives. */
#pragma once

#include <netinet/in.h>
#include <sys/types.h>

#include "base/span.h"

struct ingress {
    const char *upstream; /* the name of the upstream whose own listener it is; or NULL */
    const char *socket;   /* the path of a unix socket; NULL: not known */
    const char *tunnel;   /* inside a tunnel: the host of its CONNECT; else NULL */
    uid_t uid;
    uint16_t port; /* of the listener; 0 on a unix socket */
    uint16_t tunnel_port;
    bool is_unix;                      /* a unix socket, which no browser can reach */
    bool is_loopback;                  /* the client is on this machine (unix included) */
    bool has_uid;                      /* `uid` is the user at the other end, as the kernel says */
    char client[INET6_ADDRSTRLEN + 9]; /* "127.0.0.1:51234", "[::1]:51234" or "unix" */
    /* The local address of the connection, as a literal without brackets in canonical form
     * (RFC 5952), IPv4-mapped ones as IPv4; "" on a unix socket. */
    char address[INET6_ADDRSTRLEN];
};
