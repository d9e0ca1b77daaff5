/* Which upstream does a request go to, in what form was it named, and with which
 * target? SPEC 3 and its rulings in 10. A pure function of request, ingress and
 * configuration. */
#pragma once

#include "config/config.h"
#include "http/ingress.h"
#include "http/target.h"

enum route_kind {
    ROUTE_UPSTREAM, /* goes to an origin */
    ROUTE_PAGE,     /* one of our own: /, /stats, /requests, /healthz, /metrics, /upstreams/… */
    ROUTE_REFUSED   /* `why` says so */
};

enum route_form { /* as SPEC 3 lists them; decides how Location is rewritten */
                  FORM_ABSOLUTE_HTTP,
                  FORM_ABSOLUTE_HTTPS,
                  FORM_PREFIX, /* also encoded, ?url= and wss: rewritten to the raw prefix form */
                  FORM_NAMED_PATH,
                  FORM_NAMED_HOST,
                  FORM_OWN_PORT,
                  FORM_CONNECT /* CONNECT itself, and what is said inside a tunnel */
};

struct route {
    enum route_kind kind;
    enum route_form form;
    const struct upstream_config *listed; /* NULL: unlisted */
    struct origin origin;                 /* with its real scheme: http:// upstreams stay plain */
    struct span path;                     /* untouched; never empty; of a page too */
    struct span spelling;                 /* FORM_PREFIX: "/https://", "/https:/", "/https/" */
    bool answers_first; /* of CONNECT: nothing is dialled before it is known what is inside */
    bool intercepts;    /* of CONNECT: its TLS ends here, so that it answers first too */
    struct verdict why;
};

void route_request(const struct config *, const struct ingress *, const struct request *,
                   struct route *);

/* Is it a name by which clients call trunkline itself: localhost, *.localhost, one of
 * allow_hosts, or an IP literal of our own (contract 11, "Who may call"): the address that
 * the connection came in at, 127.0.0.0/8 or ::1, never an unspecified or v4-mapped one?
 * `host` is lower-case, a literal in canonical spelling. */
bool route_own_name(const struct config *, const struct ingress *, struct span host, bool is_ip);
