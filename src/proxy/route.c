#include "proxy/route.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "config/hosts.h"
#include "config/own_path.h"
#include "proxy/redact.h"

static void refuse(struct route *r, int status, const char *detail)
{
    r->kind = ROUTE_REFUSED;
    r->why = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO, "%s", detail);
    r->why.status = status;
}

static bool is_ip(const char *host)
{
    struct in_addr ignored;
    size_t len = strlen(host);
    bool may_be_v4 = len && host[len - 1] >= '0' && host[len - 1] <= '9';
    return memchr(host, ':', len) || (may_be_v4 && inet_pton(AF_INET, host, &ignored) == 1);
}

static bool is_usual(uint16_t port)
{
    return port == 0 || port == 80 || port == 443;
}

static void to_listed(struct route *r, enum route_form form, const struct upstream_config *u,
                      struct span path)
{
    r->kind = ROUTE_UPSTREAM;
    r->form = form;
    r->listed = u;
    r->origin = (struct origin){u->secure, is_ip(u->host), span_of(u->host), u->port};
    r->path = path;
}

/* By the one of its hosts that the client named, if it named one. */
static void to_host(struct route *r, struct span host, uint16_t port)
{
    const struct upstream_config *u = r->listed;
    for (size_t i = 0; i < hosts_count(u); i++) {
        const struct config_endpoint h = hosts_at(u, i);
        if (!span_is_nocase(span_of(h.host), host) ||
            (port != h.port && !(is_usual(port) && is_usual(h.port))))
            continue;
        r->origin = (struct origin){h.secure, is_ip(h.host), span_of(h.host), h.port};
        return;
    }
}

static void to_page(struct route *r, struct span target)
{
    r->kind = ROUTE_PAGE;
    r->path = target;
}

static const struct upstream_config *find_origin(const struct config *c, bool secure,
                                                 struct span host, uint16_t port)
{
    return config_find_origin(c, secure, host.at, host.len, port);
}

/* The upstream of a host named with http or without a scheme: port 0, 80 and 443
 * mean https on 443, else a plain one; any other port, TLS before plain. */
static const struct upstream_config *find_either(const struct config *c, struct span host,
                                                 uint16_t port)
{
    bool usual = is_usual(port);
    const struct upstream_config *u = find_origin(c, true, host, usual ? 443 : port);
    if (!u && usual)
        u = find_origin(c, false, host, 80);
    if (!u && port)
        u = find_origin(c, false, host, port);
    return u;
}

static bool is_below_localhost(struct span host)
{
    struct span tail = SPAN(".localhost");
    return host.len > tail.len && span_is(span_from(host, host.len - tail.len), tail);
}

/* "kraken.localhost" */
static const struct upstream_config *find_local_name(const struct config *c, struct span host)
{
    if (!is_below_localhost(host))
        return NULL;
    return config_find(c, host.at, host.len - strlen(".localhost"));
}

/* Other literals do not count: `0.0.0.0` and `[::ffff:127.0.0.1]` reach a loopback listener
 * too, but browsers do not treat them as secure contexts, and send no Sec-Fetch fields
 * with them. Apart from these two kinds, every literal in allow_hosts is accepted. */
static bool is_own_literal(const struct ingress *in, struct span host)
{
    return span_starts(host, SPAN("127.")) || span_is(host, SPAN("::1")) ||
           (in->address[0] && span_is(host, span_of(in->address)));
}

static bool is_never_own(struct span host)
{
    return span_is(host, SPAN("0.0.0.0")) || span_is(host, SPAN("::")) ||
           span_starts(host, SPAN("::ffff:"));
}

bool route_leads_to(const struct route *r, const struct origin *o)
{
    return origin_is(o, &r->origin) ||
           (r->listed && hosts_has(r->listed, o->secure, o->host, o->port));
}

bool route_own_name(const struct config *c, const struct ingress *in, struct span host, bool ip)
{
    if (ip ? is_own_literal(in, host)
           : span_is(host, SPAN("localhost")) || is_below_localhost(host))
        return true;
    for (size_t i = 0; i < c->allow_hosts.count; i++)
        if (span_is_nocase(host, span_of(c->allow_hosts.at[i])))
            return !ip || !is_never_own(host);
    return false;
}

/* The upstream that Host names. One on a host name of our own (https://localhost:9000) is
 * meant only if Host has its port, and that is not the port of the listener. For any other
 * host the port of the listener counts as none. */
static const struct upstream_config *find_host(const struct config *c, const struct ingress *in,
                                               struct span host, uint16_t port, bool ip)
{
    const struct upstream_config *u = find_local_name(c, host);
    if (u)
        return u;
    bool called = port == in->port;
    if (route_own_name(c, in, host, ip))
        return port == 0 || called ? NULL : find_either(c, host, port);
    u = find_either(c, host, port);
    return u || !called ? u : find_either(c, host, 0);
}

static struct named_host read_host(const struct request *q)
{
    struct named_host h = {0};
    const struct field *f = fields_find(&q->fields, SPAN("Host"));
    if (!f || f->value.len == 0)
        return h;
    h.is_read = authority_parse(q->arena, f->value, &h.host, &h.port, &h.is_ip);
    h.is_bad = !h.is_read;
    return h;
}

static bool is_page(struct span target)
{
    struct span path = span_first(target, span_find(target, '?'));
    if (own_path_of(path) != OWN_PATH_NONE)
        return !span_starts(target, SPAN("/?url="));
    return span_starts(path, SPAN(OWN_VERBS));
}

/* What is between the first slash and the second one or the query. */
static struct span first_segment(struct span target)
{
    struct span rest = span_from(target, 1);
    return span_first(rest, span_find(span_first(rest, span_find(rest, '?')), '/'));
}

static bool route_named_path(const struct config *c, const struct request *q, struct route *r)
{
    struct span name = first_segment(q->target);
    const struct upstream_config *u = name.len ? config_find(c, name.at, name.len) : NULL;
    if (!u)
        return false;
    struct span path = span_from(q->target, 1 + name.len);
    if (path.len == 0)
        path = SPAN("/");
    else if (path.at[0] == '?')
        path = span_of(arena_printf(q->arena, "/%.*s", SPAN_ARG(path)));
    to_listed(r, FORM_NAMED_PATH, u, path);
    return true;
}

/* 404; the detail lists the known names, as many as fit. */
static void refuse_unknown(const struct config *c, struct span target, struct route *r)
{
    struct span name = first_segment(target);
    refuse(r, 404, "");
    char *detail = r->why.detail;
    size_t room = sizeof r->why.detail, len;
    if (redact_shows_segment(name))
        len = (size_t)snprintf(detail, room, "no upstream '%.*s'; known: ", SPAN_ARG(name));
    else
        len = (size_t)snprintf(detail, room, "no such path; known upstreams: ");
    for (size_t i = 0; i < c->upstream_count; i++) {
        const char *known = c->upstreams[i]->name;
        if (len + strlen(known) + sizeof ", ..." > room) {
            snprintf(detail + len, room - len, "...");
            return;
        }
        len += (size_t)snprintf(detail + len, room - len, i ? ", %s" : "%s", known);
    }
    if (c->upstream_count == 0)
        snprintf(detail + len, room - len, "none");
}

/* The forms that name an origin in the target: absolute, prefix, encoded, ?url=. */
static void route_target(const struct config *c, const struct request *q, struct route *r)
{
    struct target t;
    if (!target_parse(q->arena, q->method, q->target, &t, &r->why)) {
        r->kind = ROUTE_REFUSED;
        return;
    }
    r->origin = t.origin;
    r->path = t.path;
    if (t.form == TARGET_ORIGIN)
        return refuse_unknown(c, q->target, r);
    if (t.form == TARGET_ASTERISK)
        return to_page(r, t.path);
    r->form = t.form == TARGET_ABSOLUTE_HTTP    ? FORM_ABSOLUTE_HTTP
              : t.form == TARGET_ABSOLUTE_HTTPS ? FORM_ABSOLUTE_HTTPS
                                                : FORM_PREFIX;
    r->kind = ROUTE_UPSTREAM;
    r->spelling = t.spelling;
    r->listed = t.written_http ? find_either(c, t.origin.host, t.origin.port)
                               : find_origin(c, true, t.origin.host, t.origin.port);
    if (r->listed) {
        to_listed(r, r->form, r->listed, t.path);
        to_host(r, t.origin.host, t.origin.port);
    }
}

/* On an upstream's own port, or with its host in Host, a target in origin form is taken
 * unchanged. */
static bool route_untouched(const struct config *c, const struct ingress *in,
                            const struct request *q, struct route *r)
{
    if (in->upstream) {
        const struct upstream_config *u = config_find(c, in->upstream, strlen(in->upstream));
        if (u)
            to_listed(r, FORM_OWN_PORT, u, q->target);
        else
            refuse(r, 404, "this port's upstream is no longer configured");
        return true;
    }
    const struct upstream_config *named =
        r->host.is_read ? find_host(c, in, r->host.host, r->host.port, r->host.is_ip) : NULL;
    if (named)
        to_listed(r, FORM_NAMED_HOST, named, q->target);
    return named != NULL;
}

/* ----------------------------------------------------------------------- CONNECT */

static void deny(struct route *r, const char *detail)
{
    r->kind = ROUTE_REFUSED;
    r->why = verdict_make(FAILURE_HTTP_REQUEST_DENIED, SENT_NO, "%s", detail);
}

static bool connect_reaches(const struct config *c, uint16_t port)
{
    for (size_t i = 0; i < c->connect_ports.count; i++)
        if (c->connect_ports.at[i] == port)
            return true;
    return false;
}

/* Port 80 is for plain HTTP that some clients tunnel, and is never dialled. The ports of
 * upstreams are open, whatever connect_ports says. */
static void route_connect(const struct config *c, const struct request *q, struct route *r)
{
    struct target t;
    if (!target_parse(q->arena, q->method, q->target, &t, &r->why))
        return;
    r->form = FORM_CONNECT;
    if (c->connect == CONNECT_DENY)
        return deny(r, "CONNECT is not allowed here (connect = deny)");
    r->answers_first = t.origin.port == 80;
    r->origin = t.origin;
    r->path = q->target;
    if (r->answers_first) {
        r->kind = ROUTE_UPSTREAM;
        r->listed = find_either(c, t.origin.host, t.origin.port);
        return;
    }
    r->listed = find_origin(c, true, t.origin.host, t.origin.port);
    if (!r->listed && (r->listed = find_origin(c, false, t.origin.host, t.origin.port)))
        r->origin.secure = false;
    if (r->listed || connect_reaches(c, t.origin.port))
        r->kind = ROUTE_UPSTREAM;
    else
        deny(r, "CONNECT to this port is not allowed (connect_ports)");
}

static bool is_tunnels_own(const struct ingress *in, struct span host, uint16_t port)
{
    return span_is(host, span_of(in->tunnel)) &&
           (port == in->tunnel_port || (is_usual(port) && is_usual(in->tunnel_port)));
}

/* Does Host have the authority that CONNECT named, or is there none (HTTP/1.0)? */
static bool has_own_host(const struct ingress *in, const struct named_host *h)
{
    return !h->is_read || is_tunnels_own(in, h->host, h->port);
}

/* Plain HTTP inside a tunnel goes to the authority that CONNECT named and nowhere else: there
 * are no pages, prefixes or upstream names inside (contract 10). */
static void route_inside(const struct config *c, const struct ingress *in, const struct request *q,
                         struct route *r)
{
    struct target t = {.path = q->target};
    bool is_path = q->target.len && q->target.at[0] == '/' && target_is_clean(q->target);
    r->form = FORM_CONNECT;
    if (span_is(q->method, SPAN("CONNECT")))
        return deny(r, "CONNECT inside a tunnel is not allowed");
    if (!is_path && !target_parse(q->arena, q->method, q->target, &t, &r->why))
        return;
    bool absolute = t.form == TARGET_ABSOLUTE_HTTP || t.form == TARGET_ABSOLUTE_HTTPS;
    if ((absolute && !is_tunnels_own(in, t.origin.host, t.origin.port)) ||
        !has_own_host(in, &r->host))
        return deny(r, "inside a tunnel only the host that CONNECT named can be reached");
    struct span host = span_of(in->tunnel);
    r->kind = ROUTE_UPSTREAM;
    r->path = t.path;
    r->origin = (struct origin){true, is_ip(in->tunnel), host,
                                is_usual(in->tunnel_port) ? 443 : in->tunnel_port};
    r->listed = find_either(c, host, in->tunnel_port);
    if (r->listed) {
        to_listed(r, FORM_CONNECT, r->listed, t.path);
        to_host(r, host, in->tunnel_port);
    }
}

void route_request(const struct config *c, const struct ingress *in, const struct request *q,
                   struct route *r)
{
    *r = (struct route){.kind = ROUTE_REFUSED, .path = SPAN("/"), .host = read_host(q)};
    if (r->host.is_bad) /* an error in every form (RFC 9112 3.2) */
        return refuse(r, 400, "the Host field is neither a plain name nor an IP address");
    if (in->tunnel)
        return route_inside(c, in, q, r);
    if (span_is(q->method, SPAN("CONNECT")))
        return route_connect(c, q, r);
    bool path = q->target.len && q->target.at[0] == '/' && target_is_clean(q->target);
    bool asterisk = span_is(q->target, SPAN("*")) && span_is(q->method, SPAN("OPTIONS"));
    if ((path || asterisk) && route_untouched(c, in, q, r))
        return;
    if (path && is_page(q->target))
        return to_page(r, q->target);
    if (path && route_named_path(c, q, r))
        return;
    route_target(c, q, r);
}
