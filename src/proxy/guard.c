#include "proxy/guard.h"

#include <netinet/in.h>

#include "config/hosts.h"

#define DENY(why, ...)                                                                             \
    (*(why) = verdict_make(FAILURE_HTTP_REQUEST_DENIED, SENT_NO, __VA_ARGS__), false)

static bool is_upstream_host(const struct config *c, struct span host)
{
    for (size_t i = 0; i < c->upstream_count; i++)
        for (size_t k = 0; k < hosts_count(c->upstreams[i]); k++)
            if (span_is_nocase(host, span_of(hosts_at(c->upstreams[i], k).host)))
                return true;
    return false;
}

/* Against DNS rebinding: a page of evil.example whose name now resolves to 127.0.0.1. No browser
 * leaves Host out (HTTP/1.0) or sends an empty one. */
static bool host_passes(const struct config *c, const struct ingress *in,
                        const struct named_host *host, struct verdict *why)
{
    if (in->is_unix || host->host.len == 0 || route_own_name(c, in, host->host, host->is_ip) ||
        (!host->is_ip && is_upstream_host(c, host->host)))
        return true;
    return DENY(why, "Host %.*s is not a name of trunkline (see allow_hosts)",
                (int)(host->host.len < 100 ? host->host.len : 100), host->host.at);
}

static bool is_site(struct span value)
{
    return span_starts_nocase(value, SPAN("http:")) || span_starts_nocase(value, SPAN("https:"));
}

/* "scheme://authority" and nothing else (RFC 6454 7). */
static bool site_parse(struct arena *arena, struct span value, struct origin *o)
{
    struct span rest;
    return origin_parse(arena, value, o, &rest) && rest.len == 0;
}

static bool lists_port(const struct config_addresses *listen, uint16_t port)
{
    for (size_t i = 0; i < listen->count; i++) {
        const struct sockaddr_storage *at = &listen->at[i].at;
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)at;
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)at;
        if ((at->ss_family == AF_INET && ntohs(v4->sin_port) == port) ||
            (at->ss_family == AF_INET6 && ntohs(v6->sin6_port) == port))
            return true;
    }
    return false;
}

/* Does one of our listeners, those of upstreams included, have this port? */
static bool is_own_port(const struct config *c, const struct ingress *in, uint16_t port)
{
    if (port == in->port || lists_port(&c->listen, port))
        return true;
    for (size_t i = 0; i < c->upstream_count; i++)
        if (lists_port(&c->upstreams[i]->listen, port))
            return true;
    return false;
}

/* A page of our own has the authority that is in Host, or that of another listener of ours
 * on this machine. */
static bool is_own_site(const struct config *c, const struct ingress *in,
                        const struct named_host *host, const struct origin *site)
{
    if (site->secure)
        return false;
    if (site->port == host->port && span_is(site->host, host->host))
        return route_own_name(c, in, host->host, host->is_ip) || is_upstream_host(c, host->host);
    bool local = span_is(site->host, SPAN("localhost")) || span_is(site->host, SPAN("127.0.0.1")) ||
                 span_is(site->host, SPAN("::1"));
    return local && is_own_port(c, in, site->port);
}

static bool origin_passes(const struct config *c, const struct ingress *in, const struct request *q,
                          const struct route *r, const struct named_host *host, struct span value,
                          struct verdict *why)
{
    struct origin site;
    if (span_is_nocase(value, SPAN("null")))
        return DENY(why, "a web page with an opaque origin may not use trunkline");
    if (!is_site(value))
        return true;
    if (!site_parse(q->arena, value, &site))
        return DENY(why, "the Origin field is not an origin");
    if (is_own_site(c, in, host, &site))
        return true;
    if (r->kind == ROUTE_UPSTREAM && route_leads_to(r, &site))
        return true;
    return DENY(why, "a page of another site may not call");
}

static bool browser_passes(const struct config *c, const struct ingress *in,
                           const struct request *q, const struct route *r,
                           const struct named_host *host, struct verdict *why)
{
    for (size_t i = 0; i < q->fields.count; i++) {
        const struct field *f = &q->fields.at[i];
        if (span_is_nocase(f->name, SPAN("Sec-Fetch-Site")) &&
            !span_is_nocase(f->value, SPAN("none")) &&
            !span_is_nocase(f->value, SPAN("same-origin")))
            return DENY(why, "a page of another site may not call (Sec-Fetch-Site)");
        if (span_is_nocase(f->name, SPAN("Origin")) &&
            !origin_passes(c, in, q, r, host, f->value, why))
            return false;
    }
    return true;
}

/* "1.1 trunkline", "HTTP/1.1 trunkline:8642 (comment)": RFC 9110 7.6.3. */
static bool names_us(struct span via)
{
    size_t gap = span_find(via, ' ');
    struct span by = span_trim(span_from(via, gap));
    by = span_first(by, span_find(by, ' '));
    return span_is_nocase(span_first(by, span_find(by, ':')), SPAN("trunkline"));
}

static bool came_back(const struct request *q)
{
    for (size_t i = 0; i < q->fields.count; i++) {
        struct span rest = q->fields.at[i].value, element;
        if (!span_is_nocase(q->fields.at[i].name, SPAN("Via")))
            continue;
        while (span_next_element(&rest, &element))
            if (names_us(element))
                return true;
    }
    return false;
}

bool guard_request(const struct config *c, const struct ingress *in, const struct request *q,
                   const struct route *r, struct verdict *why)
{
    struct named_host host = r->host;
    if (host.is_bad) {
        *why = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO, "the Host field is not a host");
        return false;
    }
    if (host.port == 0)
        host.port = 80;
    bool tunnelled = r->kind == ROUTE_UPSTREAM && r->form == FORM_CONNECT;
    if (q->target.len && q->target.at[0] == '/' && !tunnelled &&
        (!host_passes(c, in, &host, why) || !browser_passes(c, in, q, r, &host, why)))
        return false;
    if (came_back(q)) {
        *why = verdict_make(FAILURE_PROXY_LOOP_DETECTED, SENT_NO,
                            "the request has already passed through trunkline");
        return false;
    }
    if (r->kind == ROUTE_UPSTREAM && !r->listed && c->unlisted == UNLISTED_DENY)
        return DENY(why, "hosts without an upstream block may not be reached (unlisted = deny)");
    return true;
}

/* Any other Origin that has passed guard_request() is for the origin to judge. */
bool guard_drops_origin(const struct config *c, const struct ingress *in,
                        const struct field *origin)
{
    struct origin site;
    if (span_is(origin->value, SPAN("*")))
        return true;
    if (!is_site(origin->value))
        return false;
    struct arena *arena = arena_new();
    bool own = site_parse(arena, origin->value, &site) && !site.secure &&
               route_own_name(c, in, site.host, site.is_ip) &&
               (is_own_port(c, in, site.port) ||
                !config_find_origin(c, false, site.host.at, site.host.len, site.port));
    arena_free(arena);
    return own;
}

/* IANA's special-purpose registry, as far as contract 3 names it. */
static bool ipv4_is_public(uint32_t a)
{
    static const struct {
        uint32_t network;
        unsigned bits;
    } closed[] = {
        {0x00000000, 8},  /* 0.0.0.0/8: this network */
        {0x0a000000, 8},  /* 10.0.0.0/8: private */
        {0x64400000, 10}, /* 100.64.0.0/10: CGNAT */
        {0x7f000000, 8},  /* 127.0.0.0/8: loopback */
        {0xa9fe0000, 16}, /* 169.254.0.0/16: link-local */
        {0xac100000, 12}, /* 172.16.0.0/12: private */
        {0xc0000000, 24}, /* 192.0.0.0/24: protocol assignments */
        {0xc0a80000, 16}, /* 192.168.0.0/16: private */
        {0xc6120000, 15}, /* 198.18.0.0/15: benchmarking */
        {0xe0000000, 4},  /* 224.0.0.0/4: multicast */
        {0xf0000000, 4},  /* 240.0.0.0/4: reserved, broadcast */
    };
    for (size_t i = 0; i < COUNT_OF(closed); i++)
        if ((a ^ closed[i].network) >> (32 - closed[i].bits) == 0)
            return false;
    return true;
}

static uint32_t ipv4_at(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static bool bytes_begin(const uint8_t *b, const uint8_t *prefix, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(b, prefix, whole) != 0)
        return false;
    return rest == 0 || (b[whole] ^ prefix[whole]) >> (8 - rest) == 0;
}

static bool ipv6_is_public(const uint8_t *b)
{
    static const struct {
        uint8_t prefix[12];
        unsigned bits;
        unsigned ipv4_at; /* where an IPv4 address decides; 0: closed */
    } special[] = {
        {{0}, 96, 12},                                        /* ::, ::1, compatible */
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 12}, /* mapped */
        {{0, 0x64, 0xff, 0x9b}, 96, 12},                      /* NAT64, RFC 6052 */
        {{0, 0x64, 0xff, 0x9b, 0, 1}, 48, 0},                 /* local NAT64, RFC 8215 */
        {{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 12},       /* translated, RFC 2765 */
        {{0x20, 0x02}, 16, 2},                                /* 6to4 */
        {{0x20, 0x01, 0, 0}, 32, 0},                          /* Teredo */
        {{0xfc}, 7, 0},                                       /* unique local */
        {{0xfe, 0x80}, 10, 0},                                /* link-local */
        {{0xfe, 0xc0}, 10, 0},                                /* site-local */
        {{0xff}, 8, 0},                                       /* multicast */
    };
    for (size_t i = 0; i < COUNT_OF(special); i++)
        if (bytes_begin(b, special[i].prefix, special[i].bits))
            return special[i].ipv4_at && ipv4_is_public(ipv4_at(b + special[i].ipv4_at));
    return true;
}

bool guard_address(const struct sockaddr *at)
{
    if (at->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)at;
        return ipv4_is_public(ntohl(v4->sin_addr.s_addr));
    }
    if (at->sa_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)at;
    return ipv6_is_public(v6->sin6_addr.s6_addr);
}
