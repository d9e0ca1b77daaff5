#include "config/hosts.h"

#include <string.h>

#include "config/host.h"

static bool read_host(struct arena *a, const char *url, struct config_endpoint *to)
{
    struct host_origin origin;
    const char *why;
    if (!host_origin_read(a, url, &origin, &why))
        return false;
    *to = (struct config_endpoint){origin.secure, origin.host, origin.port};
    return true;
}

bool hosts_same(const struct config_endpoint *a, const struct config_endpoint *b)
{
    return a->secure == b->secure && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* Is the list that of an exchange which the block says it does not mean? */
static bool is_beside(struct arena *a, const struct upstream_config *u, bool is_own_url)
{
    struct config_endpoint own, first;
    if (u->connect_to.len)
        return true;
    return is_own_url && !(u->url && read_host(a, u->url, &own) &&
                           read_host(a, u->endpoints.at[0], &first) && hosts_same(&own, &first));
}

void hosts_resolve(struct arena *a, struct upstream_config *u, bool is_own_url, bool is_own_list)
{
    if (u->endpoints.count && !is_own_list && is_beside(a, u, is_own_url))
        u->endpoints.count = 0;
    if (u->endpoints.count && !is_own_url)
        u->url = u->endpoints.at[0];
    const char *const *urls = u->endpoints.count ? u->endpoints.at : &u->url;
    size_t count = u->endpoints.count ? u->endpoints.count : u->url != NULL;
    struct config_endpoint *hosts = arena_alloc(a, (count + 1) * sizeof *hosts);
    for (size_t i = 0; i < count; i++)
        if (read_host(a, urls[i], &hosts[u->host_count]))
            u->host_count++;
    if (u->host_count == 0)
        return;
    u->hosts = hosts;
    u->secure = hosts[0].secure;
    u->host = hosts[0].host;
    u->port = hosts[0].port;
}

static void leave_out(struct upstream_config *u, size_t i)
{
    struct config_endpoint *hosts = (struct config_endpoint *)(uintptr_t)u->hosts;
    for (size_t k = i + 1; k < u->host_count; k++) {
        hosts[k - 1] = hosts[k];
        u->endpoints.at[k - 1] = u->endpoints.at[k];
    }
    u->host_count--;
    u->endpoints.count--;
}

void hosts_yield(struct upstream_config *u, const struct upstream_config *other)
{
    for (size_t i = u->host_count; i-- > 1;) {
        const struct config_endpoint *h = &u->hosts[i];
        if (hosts_has(other, h->secure, span_of(h->host), h->port))
            leave_out(u, i);
    }
}

bool hosts_has(const struct upstream_config *u, bool secure, struct span host, uint16_t port)
{
    for (size_t i = 0; i < hosts_count(u); i++) {
        const struct config_endpoint h = hosts_at(u, i);
        if (h.secure == secure && h.port == port && span_is_nocase(span_of(h.host), host))
            return true;
    }
    return false;
}

struct config_endpoint hosts_at(const struct upstream_config *u, size_t i)
{
    return u->host_count ? u->hosts[i] : (struct config_endpoint){u->secure, u->host, u->port};
}

size_t hosts_count(const struct upstream_config *u)
{
    return u->host_count ? u->host_count : u->host != NULL;
}
