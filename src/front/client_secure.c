#include "base/log.h"
#include "base/text.h"
#include "front/client_internal.h"
#include "net/stream_tls.h"

/* TLS inside CONNECT that ends here (SPEC 8): waits for a certificate of the host
 * that CONNECT named, shakes hands, and goes on as a client connection whose
 * stream is the secured one. */

/* What a client does that does not know the CA, mostly: its owner is to hear of it. */
void client_give_up_tls(struct client *c, enum failure error, const char *why)
{
    const struct handler *handler = c->house->handler;
    struct verdict v = verdict_make(error, SENT_NO, "%s", why);
    handler->unsecured(handler->self, &c->ingress, &v);
    client_close(c, why);
}

static void on_secured(void *owner, struct stream *stream, const struct tls_report *report)
{
    struct client *c = owner;
    (void)stream;
    LOG(DEBUG, c->ingress.client, "speaks %s as with %s", report->version, c->ingress.tunnel);
    client_become(c, CLIENT_IDLE);
    client_listen(c);
    if (c->house->draining)
        client_leave(c);
    client_arm(c);
}

static void on_failed(void *owner, struct stream *stream, enum failure why, const char *detail)
{
    (void)stream;
    client_give_up_tls(owner, why, detail);
}

/* The stream below is paused, so that what was kept is all there is. What is still
 * queued there counts again with the first write. */
static void shake_hands(struct client *c, struct tls_context *context)
{
    static const char *const alpn[] = {"http/1.1", NULL};
    static const struct tls_events events = {on_secured, on_failed};
    struct text first = {0};
    const char *at;
    for (size_t len; (len = buf_front(&c->kept, &at)) > 0; buf_consume(&c->kept, len))
        text_add(&first, (struct span){at, len});
    c->backlogged = false;
    c->stream = stream_tls_accept(c->house->loop, c->house->worker, context, c->stream,
                                  text_span(&first), alpn, &events, c);
    text_free(&first);
}

static void on_leaf(struct leaf_wait *wait, struct tls_context *context, const char *why)
{
    struct client *c = container_of(wait, struct client, leaf);
    if (context)
        shake_hands(c, context);
    else
        client_give_up_tls(c, FAILURE_TLS_CERTIFICATE_ERROR, why);
}

/* A reload may have taken the CA away since CONNECT was answered. */
void client_secure(struct client *c)
{
    client_become(c, CLIENT_SECURING);
    stream_pause(c->stream);
    c->reading_paused = false;
    c->leaf.done = on_leaf;
    if (leaves_may_sign(c->house->leaves, c->ingress.tunnel))
        leaves_ask(c->house->leaves, c->ingress.tunnel, &c->leaf);
    else
        client_give_up_tls(c, FAILURE_TLS_CERTIFICATE_ERROR, "the CA may no longer vouch for it");
}
