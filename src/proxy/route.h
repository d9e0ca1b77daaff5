/* Routing: which upstream a request goes to, the form in which the client named it, and the
 * target there (contract 3, with the rulings in 10). A pure function of the request, the
 * way it came in, and the configuration. */
#pragma once

#include "config/config.h"
#include "http/ingress.h"
#include "http/target.h"

enum route_kind {
    ROUTE_UPSTREAM, /* goes to an origin */
    ROUTE_PAGE,     /* one of our own: /, /stats, /requests, /healthz, /metrics, /upstreams/… */
    ROUTE_REFUSED   /* `why` says with what error */
};

enum route_form { /* as in contract 3; decides how Location is rewritten */
                  FORM_ABSOLUTE_HTTP,
                  FORM_ABSOLUTE_HTTPS,
                  FORM_PREFIX, /* also encoded, ?url= and wss: rewritten to the raw prefix form */
                  FORM_NAMED_PATH,
                  FORM_NAMED_HOST,
                  FORM_OWN_PORT,
                  FORM_CONNECT /* CONNECT itself, and requests inside its tunnel */
};

/* What a request has in Host. */
struct named_host {
    bool is_read; /* there is one, and it is not empty */
    bool is_bad;  /* it is not a host, and the others are not set */
    bool is_ip;
    uint16_t port; /* 0: none */
    struct span host;
};

struct route {
    enum route_kind kind;
    enum route_form form;
    const struct upstream_config *listed; /* NULL: unlisted */
    struct origin origin; /* with its real scheme: http:// upstreams stay plain; of a listed one the
                             host that was named, else its first */
    struct span path;     /* the target, unchanged and never empty; also of a page */
    struct span spelling; /* FORM_PREFIX: "/https://", "/https:/", "/https/" */
    bool answers_first;   /* CONNECT: it is answered before anything is dialled */
    bool intercepts;      /* CONNECT: TLS inside is terminated here; it is answered first, too */
    struct named_host host;
    struct verdict why;
};

/* Finds the route. What it points to is in the configuration, in `request` or in its arena. */
void route_request(const struct config *, const struct ingress *, const struct request *,
                   struct route *);

/* Is that the origin of the route, or another host of its upstream? */
bool route_leads_to(const struct route *, const struct origin *);

/* Is it a name of trunkline itself (contract 11, "Who may call"): localhost, *.localhost, one
 * of allow_hosts, or an IP literal that is the connection's local address, in 127.0.0.0/8 or
 * ::1, and neither unspecified nor v4-mapped? `host` is in lower case, a literal in
 * canonical spelling. */
bool route_own_name(const struct config *, const struct ingress *, struct span host, bool is_ip);
