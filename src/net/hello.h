/* What trunkline and another proxy say to each other before a connection through it carries anything:
 * what socks5.h and proxy_connect.h have in common. A plain value of the one that speaks; it is
 * spoken, or has ended with HELLO_OPEN or HELLO_REFUSED. */
#pragma once

#include <sys/socket.h>

#include "base/failure.h"
#include "base/span.h"
#include "config/settings.h"

/* Where to: an address, or (NULL) a name, which the proxy resolves. */
struct hello_target {
    const struct sockaddr_storage *address; /* with its port */
    const char *host;                       /* at most 255 bytes; IPv6 without brackets */
    uint16_t port;
};

enum hello_step {
    HELLO_MORE,   /* more of the answer is needed */
    HELLO_WRITE,  /* `out` is to be sent next */
    HELLO_OPEN,   /* what follows is the connection's */
    HELLO_REFUSED /* `why` and `detail` tell */
};

#define HELLO_OUT_SIZE 1600

struct hello {
    char out[HELLO_OUT_SIZE]; /* has the secrets: for the proxy alone */
    size_t out_len;
    enum failure why;
    char detail[160]; /* has no secret, and nothing of what the proxy said but numbers */
};

static inline enum hello_step hello_refuse(struct hello *h, enum failure why, const char *detail)
{
    h->why = why;
    size_t len = strlen(detail);
    len = len < sizeof h->detail ? len : sizeof h->detail - 1;
    memcpy(h->detail, detail, len);
    h->detail[len] = '\0';
    return HELLO_REFUSED;
}
