#include "base/log.h"
#include "front/client_internal.h"

/* What a client connection turns into by a 101, or a 2xx to CONNECT: a tunnel; or,
 * if what comes first inside CONNECT is plain HTTP, a client connection as before
 * that knows whose tunnel it is. */

static struct client *of(void *owner)
{
    return owner;
}

static void on_over(void *owner)
{
    struct client *c = of(owner);
    c->tunnel = NULL;
    client_close(c, "its tunnel is over");
}

static void join(struct client *c);

/* The origin spoke first: no HTTP. */
static void on_origin(void *owner)
{
    join(of(owner));
}

static const struct tunnel_events tunnel_events = {.on_origin = on_origin, .on_over = on_over};

/* From here on the tunnel has the stream. */
static void join(struct client *c)
{
    struct stream *stream = c->stream;
    client_become(c, CLIENT_TUNNEL);
    c->stream = NULL;
    client_arm(c);
    tunnel_join(c->tunnel, stream, &c->kept, c->house->linger, &tunnel_events, c);
}

static void parse_on(struct client *c)
{
    if (c->tunnel)
        tunnel_yield(c->tunnel);
    c->tunnel = NULL;
    client_become(c, CLIENT_IDLE);
    client_go_on(c);
}

/* Its own error message seldom names the cause, as with TLS spoken to ourselves. */
static void refuse_tls(struct client *c)
{
    LOG(WARN, c->ingress.client,
        "a TLS ClientHello in a tunnel to port %u of %s, which is for plain HTTP alone: closed",
        (unsigned)c->ingress.tunnel_port, c->ingress.tunnel);
    client_close(c, "TLS where nothing but plain HTTP is reached (port 80)");
}

void client_look(struct client *c)
{
    const char *at;
    if (buf_front(&c->kept, &at) == 0)
        return;
    if ((unsigned char)*at != TLS_HANDSHAKE)
        parse_on(c);
    else if (c->tunnel)
        join(c);
    else if (c->intercepts)
        client_secure(c);
    else
        refuse_tls(c);
}

static void remember(struct client *c, const struct switched *to)
{
    free((char *)c->ingress.tunnel);
    c->ingress.tunnel = must_strndup(to->host.at, to->host.len);
    c->ingress.tunnel_port = to->port;
}

/* The call is freed first: its arena is no longer needed, and the tunnel may last. */
void client_switch(struct client *c, const struct switched *to)
{
    c->tunnel = to->tunnel;
    c->intercepts = to->intercepts;
    if (to->looks)
        remember(c, to);
    client_call_free(c);
    client_become(c, CLIENT_LOOKING);
    if (!to->looks) {
        join(c);
        return;
    }
    if (c->tunnel)
        tunnel_wait(c->tunnel, &tunnel_events, c);
    client_look(c);
    client_arm(c);
}
