/* What a client connection does with a request: the interface that `dispatch`
 * implements and tests imitate.
 * Owned by its implementation, borrowed by `clients` for their life. Stateless. */
#pragma once

#include "http/exchange.h"
#include "http/ingress.h"

struct handler {
    void *self;
    /* Is the TLS that follows this request, a CONNECT, to be terminated here? */
    bool (*intercepts)(void *self, const struct request *, const struct ingress *);
    /* Answers a request by an exchange (never NULL; errors are exchanges too), whose
     * events go to `owner`. `request` lives until the exchange ends. */
    struct exchange *(*open)(void *self, const struct request *, const struct ingress *,
                             const struct exchange_events *, void *owner);
    /* The client side itself refused something (a malformed request, 408, 431, …); for
     * counting and the access log. If its head was not complete, `request` has an id and
     * an empty method. */
    void (*refused)(void *self, const struct request *, const struct ingress *,
                    const struct verdict *);
    /* TLS inside CONNECT was to be terminated here, and its handshake failed: mostly a
     * client that does not trust the CA. No request was made. */
    void (*tls_failed)(void *self, const struct ingress *, const struct verdict *);
};
