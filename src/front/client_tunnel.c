#include "front/client_tunnel.h"

#include "base/log.h"
#include "base/text.h"
#include "net/stream_tls.h"
#include "proxy/tunnel.h"

#define MAGIC 0x43544e4cu /* "CTNL" */

#define CLIENT_TUNNEL_STATES(S)                                                                    \
    S(LOOKING, "looking", TO(SECURING) | TO(RELAYING))                                             \
    S(SECURING, "securing", 0)                                                                     \
    S(RELAYING, "relaying", 0)
STATE_TYPE(client_tunnel, CLIENT_TUNNEL_STATES)

struct client_tunnel {
    unsigned magic;
    enum client_tunnel_state state;
    bool looks, intercepts; /* see struct switched */
    struct client_context *context;
    const struct ingress *ingress;
    struct stream *stream; /* the client's; NULL: `relay` has it */
    struct buf *ahead;
    struct tunnel *relay;  /* NULL: nothing was dialled */
    struct leaf_wait leaf; /* SECURING: for the certificate to show */
    struct deadline deadline;
    const struct client_tunnel_events *events;
    void *owner;
};

static struct client_tunnel *self(void *owner)
{
    struct client_tunnel *t = owner;
    MAGIC_CHECK(t, MAGIC);
    return t;
}

static void client_tunnel_enter(struct client_tunnel *t, enum client_tunnel_state to)
{
    STATE_ENTER(client_tunnel, &t->state, to, t->ingress->client, 0);
    if (to == RELAYING)
        deadline_stop(&t->deadline);
}

/* ------------------------------------------------------------------- ending */

static void client_tunnel_free(struct client_tunnel *t)
{
    deadline_stop(&t->deadline);
    leaves_forget(&t->leaf);
    t->magic = 0;
    free(t);
}

void client_tunnel_close(struct client_tunnel *t)
{
    MAGIC_CHECK(t, MAGIC);
    if (t->relay)
        tunnel_close(t->relay);
    if (t->stream)
        stream_close(t->stream);
    client_tunnel_free(t);
}

/* Ends all but the stream. */
static struct stream *give_back(struct client_tunnel *t)
{
    struct stream *stream = t->stream;
    if (t->relay)
        tunnel_close(t->relay);
    client_tunnel_free(t);
    return stream;
}

static void end(struct client_tunnel *t, const char *why)
{
    const struct client_tunnel_events *events = t->events;
    void *owner = t->owner;
    client_tunnel_close(t);
    events->on_over(owner, why);
}

static void fail_tls(struct client_tunnel *t, enum failure error, const char *why)
{
    const struct client_tunnel_events *events = t->events;
    void *owner = t->owner;
    struct verdict v = verdict_make(error, SENT_NO, "%s", why);
    client_tunnel_close(t);
    events->on_tls_failed(owner, &v);
}

/* What was dialled becomes a connection of the pool. */
static void hand_to_http(struct client_tunnel *t)
{
    const struct client_tunnel_events *events = t->events;
    void *owner = t->owner;
    if (t->relay)
        tunnel_yield(t->relay);
    t->relay = NULL;
    events->on_http(owner, give_back(t));
}

static void on_expired(struct deadline *d)
{
    struct client_tunnel *t = self(container_of(d, struct client_tunnel, deadline));
    const struct client_tunnel_events *events = t->events;
    void *owner = t->owner;
    if (t->state == SECURING)
        fail_tls(t, FAILURE_CONNECTION_TIMEOUT, "the client's TLS handshake did not end in time");
    else
        events->on_idle(owner, give_back(t));
}

/* ----------------------------------------------------------------- relaying */

static void relay(struct client_tunnel *t);

static void on_relay_over(void *owner)
{
    struct client_tunnel *t = self(owner);
    t->relay = NULL;
    end(t, "its tunnel is over");
}

/* The origin spoke first, so this is not HTTP. */
static void on_origin(void *owner)
{
    relay(self(owner));
}

static const struct tunnel_events relay_events = {.on_origin = on_origin, .on_over = on_relay_over};

/* From here on the stream is the relay's. */
static void relay(struct client_tunnel *t)
{
    struct stream *stream = t->stream;
    client_tunnel_enter(t, RELAYING);
    t->stream = NULL;
    tunnel_join(t->relay, stream, t->ahead, t->context->linger, &relay_events, t);
}

/* ------------------------------------------------------------- interception */

static void on_secured(void *owner, struct stream *stream, const struct tls_report *report)
{
    struct client_tunnel *t = self(owner);
    (void)stream;
    LOG(DEBUG, t->ingress->client, "speaks %s as with %s", report->version, t->ingress->tunnel);
    hand_to_http(t);
}

static void on_handshake_failed(void *owner, struct stream *stream, enum failure why,
                                const char *detail)
{
    (void)stream;
    fail_tls(self(owner), why, detail);
}

/* The stream below is paused, so that `ahead` is all there is. */
static void shake_hands(struct client_tunnel *t, struct tls_context *tls)
{
    static const char *const alpn[] = {"http/1.1", NULL};
    static const struct tls_events events = {on_secured, on_handshake_failed};
    struct text first = {0};
    const char *at;
    for (size_t len; (len = buf_front(t->ahead, &at)) > 0; buf_consume(t->ahead, len))
        text_add(&first, (struct span){at, len});
    t->stream = stream_tls_accept(t->context->loop, t->context->worker, tls, t->stream,
                                  text_span(&first), alpn, &events, t);
    text_free(&first);
}

static void on_leaf(struct leaf_wait *wait, struct tls_context *tls, const char *why)
{
    struct client_tunnel *t = self(container_of(wait, struct client_tunnel, leaf));
    if (tls)
        shake_hands(t, tls);
    else
        fail_tls(t, FAILURE_TLS_CERTIFICATE_ERROR, why);
}

/* Waits for a certificate of the host that CONNECT named, and shakes hands. A reload may
 * have taken the CA away since CONNECT was answered. */
static void secure(struct client_tunnel *t)
{
    struct leaves *leaves = t->context->leaves;
    client_tunnel_enter(t, SECURING);
    stream_pause(t->stream);
    t->leaf.done = on_leaf;
    if (leaves_may_sign(leaves, t->ingress->tunnel))
        leaves_ask(leaves, t->ingress->tunnel, &t->leaf);
    else
        fail_tls(t, FAILURE_TLS_CERTIFICATE_ERROR, "the CA may no longer vouch for it");
}

/* ------------------------------------------------------------------ looking */

/* The client's own error message seldom names the cause. */
static void refuse_tls(struct client_tunnel *t)
{
    LOG(WARN, t->ingress->client,
        "a TLS ClientHello in a tunnel to port %u of %s, which is for plain HTTP alone: closed",
        (unsigned)t->ingress->tunnel_port, t->ingress->tunnel);
    end(t, "TLS where nothing but plain HTTP is reached (port 80)");
}

/* Decides, if a byte has come. */
static void look(struct client_tunnel *t)
{
    const char *at;
    if (buf_front(t->ahead, &at) == 0)
        return;
    if ((unsigned char)*at != TLS_HANDSHAKE)
        hand_to_http(t);
    else if (t->relay)
        relay(t);
    else if (t->intercepts)
        secure(t);
    else
        refuse_tls(t);
}

static void on_data(void *owner, const char *data, size_t len)
{
    struct client_tunnel *t = self(owner);
    buf_append(t->ahead, data, len);
    if (t->state == LOOKING)
        look(t);
}

static void on_end(void *owner, enum stream_end how, const char *why)
{
    (void)how;
    end(self(owner), why);
}

/* Nothing is written here. */
static void on_drain(void *owner)
{
    (void)owner;
}

struct client_tunnel *client_tunnel_new(struct client_context *context,
                                        const struct ingress *ingress, struct stream *stream,
                                        struct buf *ahead, const struct switched *to,
                                        const struct client_tunnel_events *events, void *owner)
{
    static const struct stream_events stream_events = {
        .on_data = on_data, .on_end = on_end, .on_drain = on_drain};
    struct client_tunnel *t = NEW(struct client_tunnel);
    MAGIC_INIT(t, MAGIC);
    t->looks = to->looks;
    t->intercepts = to->intercepts;
    t->context = context;
    t->ingress = ingress;
    t->stream = stream;
    t->ahead = ahead;
    t->relay = to->tunnel;
    t->events = events;
    t->owner = owner;
    deadline_init(&t->deadline, context->loop, on_expired);
    stream_bind(stream, &stream_events, t);
    return t;
}

void client_tunnel_begin(struct client_tunnel *t)
{
    const struct client_limits *limits = &t->context->limits;
    MAGIC_CHECK(t, MAGIC);
    if (!t->looks) {
        relay(t);
        return;
    }
    deadline_in(&t->deadline, t->intercepts ? limits->header_timeout_ms : limits->idle_timeout_ms);
    if (t->relay)
        tunnel_wait(t->relay, &relay_events, t);
    look(t);
}

struct stream *client_tunnel_stop(struct client_tunnel *t)
{
    MAGIC_CHECK(t, MAGIC);
    if (t->state != LOOKING || !stream_is_quiet(t->stream, 0))
        return NULL;
    return give_back(t);
}
