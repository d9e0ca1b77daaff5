/* The real connector: dial, then TLS, then HTTP on the stream. The one place
 * where the outcome of ALPN is looked at. Owned by its pool. */
#pragma once

#include "net/dns.h"
#include "net/tls_context.h"
#include "net/worker.h"
#include "upstream/connector.h"

/* What all connectors share; outlives them. */
struct connect_env {
    struct loop *loop;
    struct dns *dns;
    struct worker *worker;
    /* May this address be dialled? `listed`: for an upstream of the configuration. */
    enum failure (*permit)(void *context, bool listed, const struct sockaddr *);
    void *context;
    size_t header_limit; /* bytes of an answer's head: told to origins that speak HTTP/2 */
};

/* `tls` (referenced; NULL for a plain origin) serves its lines. */
struct connector *connect_new(const struct connect_env *, struct tls_context *tls, bool listed);

/* From now on new lines use this one. */
void connect_set_tls(struct connector *, struct tls_context *tls);
