#include "daemon/config_warnings.h"

#include <stdio.h>

#include "base/log.h"

#define CA_ENDS_SOON (30 * 24 * 3600)

static void warn_of_host(const struct config *c, const struct ca *ca,
                         const struct config_endpoint *h, time_t now)
{
    if (h->secure && !ca_may_sign(ca, h->host, now))
        LOG(WARN, "ca_cert", "%s: not made for %s: CONNECT to it is tunnelled, not pooled",
            c->ca_cert, h->host);
}

static void warn_of_ca(const struct config *c, const struct ca *ca, time_t now)
{
    char date[16];
    struct tm tm;
    time_t until = ca_until(ca);
    strftime(date, sizeof date, "%Y-%m-%d", gmtime_r(&until, &tm));
    for (size_t i = 0; c->connect == CONNECT_INTERCEPT && i < c->upstream_count; i++)
        for (size_t k = 0; k < c->upstreams[i]->host_count; k++)
            warn_of_host(c, ca, &c->upstreams[i]->hosts[k], now);
    if (ca_key_is_exposed(ca))
        LOG(WARN, "ca_key", "%s: others may read or write it: chmod 0600 or 0640", c->ca_key);
    if (until < now + CA_ENDS_SOON)
        LOG(WARN, "ca_cert", "%s: ends on %s; make another (trunkline ca init)", c->ca_cert, date);
}

static void warn_of_settings(const struct config *c)
{
    char object[80];
    for (size_t i = 0; i < c->upstream_count; i++) {
        const struct upstream_config *u = c->upstreams[i];
        snprintf(object, sizeof object, "upstream %s", u->name);
        if (u->secure && !u->tls_verify)
            LOG(WARN, object, "tls_verify = no: whoever answers is believed, unverified");
        if (u->weight_limit && u->weight_header == NULL)
            LOG(WARN, object, "weight_limit without weight_header holds nothing");
        if (u->burst && u->rate.count == 0)
            LOG(WARN, object, "burst without rate limits nothing");
    }
    if (!c->defaults.tls_verify)
        LOG(WARN, "defaults", "tls_verify = no: unlisted hosts are not verified");
}

void config_warnings(const struct config *c, const struct ca *ca, time_t now)
{
    warn_of_settings(c);
    if (ca)
        warn_of_ca(c, ca, now);
}
