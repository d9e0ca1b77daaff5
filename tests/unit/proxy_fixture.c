#include "proxy_fixture.h"

void add_upstream(struct arena *a, struct config *c, const char *name, bool secure,
                  const char *host, uint16_t port)
{
    struct upstream_config *u = arena_alloc(a, sizeof *u);
    struct upstream_config **grown = arena_alloc(a, (c->upstream_count + 1) * sizeof *grown);
    u->name = name;
    u->secure = secure;
    u->host = host;
    u->port = port;
    for (size_t i = 0; i < c->upstream_count; i++)
        grown[i] = c->upstreams[i];
    grown[c->upstream_count++] = u;
    c->upstreams = grown;
}

struct config *fixture_config(struct arena *a)
{
    struct config *c = arena_alloc(a, sizeof *c);
    static const char *hosts[] = {"trunkline"};
    static uint16_t ports[] = {443, 8443, 8080};
    c->allow_hosts = (struct config_names){.at = hosts, .count = 1};
    c->connect_ports = (struct config_numbers){ports, 3};
    add_upstream(a, c, "ex", true, "exchange.test", 443);
    add_upstream(a, c, "alt", true, "exchange.test", 8443);
    add_upstream(a, c, "plain", false, "plain.test", 80);
    add_upstream(a, c, "odd", false, "odd.test", 8080);
    add_upstream(a, c, "ws", true, "clash.test", 443);
    add_upstream(a, c, "local", false, "localhost", 9000);
    return c;
}

struct ingress fixture_ingress(void)
{
    return (struct ingress){.is_loopback = true, .port = 8642, .client = "127.0.0.1:5"};
}

struct request *fixture_request(struct arena *a, const char *method, const char *target,
                                const char *host)
{
    struct request *q = arena_alloc(a, sizeof *q);
    q->arena = a;
    q->method = span_of(method);
    q->target = span_of(target);
    if (host)
        fields_add(&q->fields, a, SPAN("Host"), span_of(host));
    return q;
}
