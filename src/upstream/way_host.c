#include "upstream/way_host.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

void way_host_name(struct way_host *n, const struct config_endpoint *e)
{
    const char *open = strchr(e->host, ':') ? "[" : "", *close = *open ? "]" : "";
    snprintf(n->next_hop, sizeof n->next_hop, "%s%.250s%s:%u", open, e->host, close, e->port);
    snprintf(n->origin, sizeof n->origin, "%s://%.280s", e->secure ? "https" : "http", n->next_hop);
    if (e->port == (e->secure ? 443 : 80))
        snprintf(n->authority, sizeof n->authority, "%s%.250s%s", open, e->host, close);
    else
        memcpy(n->authority, n->next_hop, sizeof n->authority);
}

struct way_host *way_host_new(const struct config_endpoint *e)
{
    struct way_host *h = NEW(struct way_host);
    h->at = *e;
    h->at.host = must_strdup(e->host);
    way_host_name(h, e);
    return h;
}

void way_host_free(struct way_host *h)
{
    free((char *)h->at.host);
    free(h);
}
