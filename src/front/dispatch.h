/* Decides what a client's request is for: finds its page or upstream (route), refuses those
 * that may not be made (guard), and passes it on to the pages or the proxy. The handler of
 * all clients.
 * Embedded in the daemon. Stateless. */
#pragma once

#include "front/handler.h"
#include "net/leaves.h"
#include "pages/admin.h"
#include "proxy/proxy.h"

struct dispatch {
    struct proxy *proxy;
    struct admin *admin;
    struct leaves *leaves;  /* for which hosts TLS may be terminated */
    struct handler handler; /* for clients_new() */
};

/* What it is given is borrowed for its life. */
void dispatch_init(struct dispatch *, struct proxy *, struct admin *, struct leaves *);
