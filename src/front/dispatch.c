#include "front/dispatch.h"

#include "base/alloc.h"
#include "proxy/guard.h"

/* A CONNECT to an upstream for whose host the local CA may sign: TLS is terminated here, so
 * that the requests inside are pooled (contract 8). */
static bool intercepts(const struct dispatch *d, const struct config *c, const struct ingress *in,
                       const struct request *q, const struct route *r)
{
    bool is_eligible = c->connect == CONNECT_INTERCEPT && r->kind == ROUTE_UPSTREAM &&
                       r->form == FORM_CONNECT && !in->tunnel && !r->answers_first;
    return is_eligible && r->listed && r->origin.secure &&
           leaves_may_sign(d->leaves, arena_span(q->arena, r->origin.host).at);
}

static bool would_intercept(void *owner, const struct request *r, const struct ingress *in)
{
    struct dispatch *d = owner;
    const struct config *c = proxy_config(d->proxy);
    struct route route;
    route_request(c, in, r, &route);
    return intercepts(d, c, in, r, &route);
}

static struct exchange *open_exchange(void *owner, const struct request *r,
                                      const struct ingress *in,
                                      const struct exchange_events *events, void *client)
{
    struct dispatch *d = owner;
    const struct config *c = proxy_config(d->proxy);
    struct route route;
    struct verdict why;
    route_request(c, in, r, &route);
    if (alloc_is_short()) {
        why = verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO, "trunkline is out of memory");
        return proxy_refuse(d->proxy, r, in, &route, &why, events, client);
    }
    if (intercepts(d, c, in, r, &route))
        route.intercepts = route.answers_first = true;
    if (!guard_request(c, in, r, &route, &why))
        return proxy_refuse(d->proxy, r, in, &route, &why, events, client);
    if (route.kind == ROUTE_REFUSED)
        return proxy_refuse(d->proxy, r, in, NULL, &route.why, events, client);
    if (route.kind == ROUTE_PAGE)
        return admin_open(d->admin, r, in, &route, events, client);
    return proxy_open(d->proxy, r, in, &route, events, client);
}

static void refused(void *owner, const struct request *r, const struct ingress *in,
                    const struct verdict *why)
{
    struct dispatch *d = owner;
    proxy_note_refusal(d->proxy, r, in, why);
}

static void tls_failed(void *owner, const struct ingress *in, const struct verdict *why)
{
    struct dispatch *d = owner;
    proxy_note_unsecured(d->proxy, in, why);
}

void dispatch_init(struct dispatch *d, struct proxy *proxy, struct admin *admin,
                   struct leaves *leaves)
{
    d->proxy = proxy;
    d->admin = admin;
    d->leaves = leaves;
    d->handler = (struct handler){d, would_intercept, open_exchange, refused, tls_failed};
}
