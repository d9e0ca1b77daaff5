#include "fake_connector.h"

#include <netinet/in.h>

struct connecting {
    struct link link;
    struct fake_connector *connector;
    const struct connect_events *events;
    void *owner;
};

static struct fake_connector *self(struct connector *c)
{
    return container_of(c, struct fake_connector, base);
}

/* ------------------------------------------------------------------- conns */

static struct fake_conn *conn_self(struct conn *c)
{
    return container_of(c, struct fake_conn, base);
}

static size_t conn_room(const struct conn *c)
{
    const struct fake_conn *f = container_of(c, const struct fake_conn, base);
    if (f->gone || c->doubted || c->allowed == CONN_UNSAID || f->load >= c->allowed)
        return 0;
    return c->allowed - f->load;
}

static size_t conn_carries(const struct conn *c)
{
    return container_of(c, const struct fake_conn, base)->load;
}

static struct exchange *conn_begin(struct conn *c, const struct conn_request *r,
                                   const struct exchange_events *events, void *owner)
{
    struct fake_conn *f = conn_self(c);
    (void)r;
    CHECK(conn_room(c) > 0);
    f->load++;
    struct fake_exchange *x = &f->exchanges[f->begun++ % FAKE_STREAMS];
    x->base = (struct exchange){.events = events, .owner = owner};
    x->conn = f;
    return &x->base;
}

static bool conn_quiet(struct conn *c, uint64_t within_us)
{
    (void)within_us;
    return !conn_self(c)->unquiet;
}

static void conn_end(struct conn *c)
{
    struct fake_conn *f = conn_self(c);
    f->connector->closed++;
    list_remove(&f->link);
    free(f);
}

struct fake_conn *fake_conn_of(struct exchange *x)
{
    return container_of(x, struct fake_exchange, base)->conn;
}

struct fake_conn *fake_conn_at(struct fake_connector *c, size_t n)
{
    struct link *k = list_first(&c->lines);
    while (n--)
        k = list_next(k);
    return container_of(k, struct fake_conn, link);
}

void fake_conn_room(struct fake_conn *f)
{
    CHECK(f->load > 0);
    f->load--;
    f->base.events->on_room(f->base.owner);
}

void fake_conn_gone(struct fake_conn *f, enum close_reason why)
{
    f->gone = true;
    f->base.events->on_gone(f->base.owner, why, "the test says so");
}

static void tell_room(struct fake_conn *f, bool more)
{
    if (more)
        f->base.events->on_room(f->base.owner);
    else
        f->base.events->on_full(f->base.owner);
}

void fake_conn_allow(struct fake_conn *f, size_t allowed)
{
    bool more = f->base.allowed == CONN_UNSAID || allowed > f->base.allowed;
    f->base.allowed = allowed;
    tell_room(f, more);
}

void fake_conn_doubt(struct fake_conn *f, bool doubted)
{
    f->base.doubted = doubted;
    tell_room(f, !doubted);
}

/* ------------------------------------------------------------------- dials */

static struct connecting *start(struct connector *c, const struct upstream_config *u,
                                const struct connect_events *events, void *owner)
{
    struct connecting *d = NEW(struct connecting);
    self(c)->offered = (enum config_http2)u->http2;
    *d = (struct connecting){.connector = self(c), .events = events, .owner = owner};
    list_push_back(&d->connector->dials, &d->link);
    d->connector->started++;
    return d;
}

static struct connecting *adopt(struct connector *c, const struct upstream_config *u,
                                struct stream *stream, const struct dial_report *report,
                                const struct connect_events *events, void *owner)
{
    (void)report;
    stream_close(stream);
    return start(c, u, events, owner);
}

static void cancel(struct connecting *d)
{
    d->connector->cancelled++;
    list_remove(&d->link);
    free(d);
}

static struct connecting take_dial(struct fake_connector *c)
{
    struct connecting *d = LIST_ENTRY(list_first(&c->dials), struct connecting, link);
    CHECK(d != NULL);
    struct connecting taken = *d;
    list_remove(&d->link);
    free(d);
    return taken;
}

static struct fake_conn *connect_as(struct fake_connector *c, struct conn base)
{
    static const struct conn_ops ops = {conn_begin, conn_room, conn_carries,
                                        conn_quiet, conn_end,  NULL};
    struct connecting d = take_dial(c);
    struct fake_conn *f = NEW(struct fake_conn);
    f->base = base;
    f->base.ops = &ops;
    f->connector = c;
    f->number = ++c->opened;
    list_push_back(&c->lines, &f->link);
    struct connect_report report = {.connect_us = 5};
    struct sockaddr_in *peer = (struct sockaddr_in *)&report.peer;
    *peer = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)f->number)};
    d.events->on_connected(d.owner, &f->base, &report);
    return f;
}

struct fake_conn *fake_connect(struct fake_connector *c)
{
    return connect_as(c, (struct conn){.protocol = "http/1.1", .allowed = 1});
}

struct fake_conn *fake_connect_shared(struct fake_connector *c, size_t allowed)
{
    return connect_as(c, (struct conn){.protocol = "h2", .shares = true, .allowed = allowed});
}

void fake_refuse(struct fake_connector *c, enum failure why)
{
    struct connecting d = take_dial(c);
    d.events->on_failed(d.owner, why, "the test says so");
}

/* --------------------------------------------------------------- connector */

static void watch(struct connector *c, const struct upstream_config *u, void *owner)
{
    (void)u;
    self(c)->watcher = owner;
}

static bool is_gone(struct connector *c, const struct sockaddr_storage *peer)
{
    return ntohs(((const struct sockaddr_in *)peer)->sin_port) < self(c)->gone_below;
}

static void end(struct connector *c)
{
    struct fake_connector *f = self(c);
    CHECK(f->dials.count == 0 && f->lines.count == 0 && f->watcher == NULL);
    if (f->freed)
        *f->freed = true;
    free(f);
}

struct fake_connector *fake_connector_new(bool *freed)
{
    static const struct connector_ops ops = {start, adopt, cancel, NULL, watch, is_gone, end};
    struct fake_connector *c = NEW(struct fake_connector);
    c->base.ops = &ops;
    c->freed = freed;
    list_init(&c->dials);
    list_init(&c->lines);
    return c;
}
