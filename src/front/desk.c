#include "front/desk.h"

#include "base/memory.h"
#include "proxy/guard.h"

static struct exchange *open_exchange(void *owner, const struct request *r,
                                      const struct ingress *in,
                                      const struct exchange_events *events, void *asker)
{
    struct desk *d = owner;
    const struct config *c = proxy_config(d->proxy);
    struct route route;
    struct verdict why;
    route_request(c, in, r, &route);
    if (memory_is_short()) {
        why = verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO, "trunkline is out of memory");
        return proxy_refuse(d->proxy, r, in, &route, &why, events, asker);
    }
    if (!guard_request(c, in, r, &route, &why))
        return proxy_refuse(d->proxy, r, in, &route, &why, events, asker);
    if (route.kind == ROUTE_REFUSED)
        return proxy_refuse(d->proxy, r, in, NULL, &route.why, events, asker);
    if (route.kind == ROUTE_PAGE)
        return admin_open(d->admin, r, in, &route, events, asker);
    return proxy_open(d->proxy, r, in, &route, events, asker);
}

static void refused(void *owner, const struct request *r, const struct ingress *in,
                    const struct verdict *why)
{
    struct desk *d = owner;
    proxy_note_refusal(d->proxy, r, in, why);
}

void desk_init(struct desk *d, struct proxy *proxy, struct admin *admin)
{
    d->proxy = proxy;
    d->admin = admin;
    d->handler = (struct handler){d, open_exchange, refused};
}
