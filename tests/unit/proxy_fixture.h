/* Requests and configurations made by hand, for the tests of src/proxy. All memory comes from the
 * given arena. */
#pragma once

#include "config/config.h"
#include "http/ingress.h"
#include "proxy/route.h"

/* Adds an upstream with that name, for "https://host" or "http://host"; its port is given
 * separately. */
void add_upstream(struct arena *a, struct config *c, const char *name, bool secure,
                  const char *host, uint16_t port);

/* ex: https://exchange.test; alt: the same on 8443; plain: http://plain.test;
 * odd: http://odd.test:8080; ws: https://clash.test, a name that is a
 * scheme too; local: http://localhost:9000. */
struct config *fixture_config(struct arena *a);
struct ingress fixture_ingress(void);

/* `host` NULL: the request has no Host field. */
struct request *fixture_request(struct arena *a, const char *method, const char *target,
                                const char *host);
