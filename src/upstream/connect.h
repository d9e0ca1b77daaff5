/* The connector of the daemon: dials, makes the TLS handshake, and puts HTTP on the stream;
 * the only place where the outcome of ALPN is looked at. Owned by its pool. It watches the
 * addresses of the origin's name or does not; each line that it opens is dialling, handshaking
 * or ended. */
#pragma once

#include "budget/budget_store.h"
#include "net/dns.h"
#include "net/tls_context.h"
#include "net/worker.h"
#include "upstream/connector.h"

/* What all connectors share; outlives them. */
struct connect_env {
    struct loop *loop;
    struct dns *dns;
    struct worker *worker;
    /* May this address be dialled (FAILURE_NONE), or why not? `listed`: for an upstream of the
     * configuration. */
    enum failure (*permit)(void *context, bool listed, const struct sockaddr *);
    void *context;
    struct budget_store *store; /* NULL: budgets are not shared */
    size_t header_limit;        /* bytes of a response's head: told to origins that speak HTTP/2 */
};

/* `tls` (a reference is taken; NULL: the origin speaks no TLS) is for the lines it opens. To be
 * freed by its ops->free(). */
struct connector *connect_new(const struct connect_env *, struct tls_context *tls, bool listed);

/* New lines use this context from now on; a reference is taken. */
void connect_set_tls(struct connector *, struct tls_context *tls);
