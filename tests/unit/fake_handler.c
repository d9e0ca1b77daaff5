#include "fake_handler.h"

#include <stdio.h>

struct fake_exchange {
    struct exchange exchange;
    struct fake_handler *handler;
    const struct request *request;
    struct text said;
    struct task task;
    struct verdict why; /* the client side refused the request */
    bool finished, held, gone;
};

static struct fake_exchange *self(struct exchange *x)
{
    return container_of(x, struct fake_exchange, exchange);
}

static void say(struct text *t, const struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        text_add(t, fields->at[i].name);
        text_add(t, SPAN("="));
        text_add(t, fields->at[i].value);
        text_add(t, SPAN(";"));
    }
}

static void let_go(struct fake_exchange *x)
{
    if (x->handler->last == x)
        x->handler->last = NULL;
    x->gone = true;
    loop_defer(x->handler->loop, &x->task);
}

static void answer(struct fake_exchange *x)
{
    struct fake_handler *h = x->handler;
    struct span said = text_span(&x->said);
    struct response r = {.status = 200, .reason = SPAN("OK"), .minor = 1, .framing = h->framing};
    r.has_length = h->framing == FRAMING_LENGTH;
    r.length = r.has_length ? said.len : 0;
    x->exchange.events->on_head(x->exchange.owner, &r);
    x->exchange.events->on_body(x->exchange.owner, said.at, said.len);
    static const struct fields none;
    h->ended++;
    x->exchange.events->on_end(x->exchange.owner, &none);
    let_go(x);
}

static void run(struct task *t)
{
    struct fake_exchange *x = container_of(t, struct fake_exchange, task);
    if (x->gone) {
        text_free(&x->said);
        free(x);
        return;
    }
    if (x->why.error != FAILURE_NONE) {
        x->handler->ended++;
        x->exchange.events->on_failed(x->exchange.owner, &x->why);
        let_go(x);
        return;
    }
    if (x->held && x->handler->asap) {
        x->held = false;
        x->exchange.events->on_drain(x->exchange.owner);
    }
    if (x->finished && x->handler->echo)
        answer(x);
}

static bool take_body(struct exchange *exchange, const char *data, size_t len)
{
    struct fake_exchange *x = self(exchange);
    CHECK(!x->gone && !x->finished && !x->held && len > 0);
    CHECK(x->request->framing != FRAMING_NONE);
    text_add(&x->said, (struct span){data, len});
    text_add(&x->handler->body, (struct span){data, len});
    x->held = x->handler->full;
    loop_defer(x->handler->loop, &x->task);
    return !x->held;
}

static void finish(struct exchange *exchange, const struct fields *trailers)
{
    struct fake_exchange *x = self(exchange);
    CHECK(!x->gone && !x->finished);
    x->finished = true;
    x->handler->finished++;
    text_add_str(&x->said, "] {");
    say(&x->said, trailers);
    text_add_str(&x->said, "}");
    loop_defer(x->handler->loop, &x->task);
}

static void pause_reading(struct exchange *exchange)
{
    CHECK(!self(exchange)->gone);
    self(exchange)->handler->paused++;
}

static void go_on(struct exchange *exchange)
{
    CHECK(!self(exchange)->gone);
    self(exchange)->handler->resumed++;
}

static void cancel(struct exchange *exchange)
{
    CHECK(!self(exchange)->gone);
    self(exchange)->handler->cancelled++;
    let_go(self(exchange));
}

/* If `follows` is set, the exchange continues without its owner and takes over the request's
 * arena. */
static bool leave(struct exchange *exchange)
{
    struct fake_exchange *x = self(exchange);
    if (!x->handler->follows)
        return false;
    CHECK(!x->gone);
    arena_free(x->request->arena);
    x->handler->followed++;
    x->handler->cancelled++;
    let_go(x);
    return true;
}

/* As a proxy would return that had begun to send the request. */
static enum sent sent(const struct exchange *exchange)
{
    (void)exchange;
    return SENT_PARTIAL;
}

static uint64_t patience(const struct exchange *exchange)
{
    const struct fake_exchange *x = container_of(exchange, const struct fake_exchange, exchange);
    return x->handler->patience ? x->handler->patience : UINT64_MAX;
}

static void refuse(struct exchange *exchange, const struct verdict *why)
{
    struct fake_exchange *x = self(exchange);
    CHECK(!x->gone);
    x->handler->refused++;
    x->handler->refused_status = verdict_status(why);
    x->handler->refused_with_request = true;
    x->why = *why;
    x->why.sent = sent(exchange);
    loop_defer(x->handler->loop, &x->task);
}

static struct exchange *open_exchange(void *handler, const struct request *request,
                                      const struct ingress *in,
                                      const struct exchange_events *events, void *owner)
{
    static const struct exchange_ops ops = {.body = take_body,
                                            .finish = finish,
                                            .pause = pause_reading,
                                            .resume = go_on,
                                            .cancel = cancel,
                                            .sent = sent,
                                            .refuse = refuse,
                                            .leave = leave,
                                            .patience = patience};
    struct fake_handler *h = handler;
    struct fake_exchange *x = NEW(struct fake_exchange);
    h->ingress = *in;
    snprintf(h->upstream, sizeof h->upstream, "%s", in->upstream ? in->upstream : "");
    snprintf(h->tunnel, sizeof h->tunnel, "%s", in->tunnel ? in->tunnel : "");
    x->exchange = (struct exchange){&ops, events, owner};
    x->handler = h;
    x->request = request;
    task_init(&x->task, run);
    text_add(&x->said, request->method);
    text_add(&x->said, SPAN(" "));
    text_add(&x->said, request->target);
    text_add(&x->said, SPAN(" "));
    say(&x->said, &request->fields);
    text_add(&x->said, SPAN(" ["));
    h->id = request->id;
    h->opened++;
    h->last = x;
    return &x->exchange;
}

static void refused(void *owner, const struct request *request, const struct ingress *in,
                    const struct verdict *why)
{
    struct fake_handler *h = owner;
    CHECK(in != NULL);
    h->refused++;
    h->refused_status = verdict_status(why);
    h->refused_with_request = request->method.len > 0;
    h->id = request->id;
}

static bool intercepts(void *owner, const struct request *request, const struct ingress *in)
{
    struct fake_handler *h = owner;
    CHECK(in != NULL && span_is(request->method, SPAN("CONNECT")));
    return h->intercepts;
}

static void tls_failed(void *owner, const struct ingress *in, const struct verdict *why)
{
    struct fake_handler *h = owner;
    CHECK(in->tunnel != NULL && why->sent == SENT_NO);
    h->tls_failed++;
    h->tls_failure = why->error;
}

void fake_handler_init(struct fake_handler *h, struct loop *loop)
{
    *h = (struct fake_handler){.loop = loop, .framing = FRAMING_LENGTH};
    h->handler = (struct handler){h, intercepts, open_exchange, refused, tls_failed};
}

void fake_handler_free(struct fake_handler *h)
{
    CHECK(h->opened == h->ended + h->cancelled);
    text_free(&h->body);
}

void fake_head(struct fake_handler *h, unsigned status, enum framing framing, uint64_t length)
{
    struct response r = {.status = status, .reason = SPAN("Fine"), .minor = 1, .framing = framing};
    r.has_length = framing == FRAMING_LENGTH || length;
    r.length = length;
    h->last->exchange.events->on_head(h->last->exchange.owner, &r);
}

void fake_interim(struct fake_handler *h, unsigned status)
{
    struct response r = {.status = status, .reason = SPAN("Wait"), .minor = 1};
    h->last->exchange.events->on_interim(h->last->exchange.owner, &r);
}

void fake_body(struct fake_handler *h, const char *data, size_t len)
{
    h->last->exchange.events->on_body(h->last->exchange.owner, data, len);
}

void fake_end(struct fake_handler *h)
{
    struct fields trailers = {0};
    struct fake_exchange *x = h->last;
    h->ended++;
    x->exchange.events->on_end(x->exchange.owner, &trailers);
    let_go(x);
}

void fake_fail(struct fake_handler *h)
{
    struct verdict v = verdict_make(FAILURE_CONNECTION_TERMINATED, SENT_YES, "it broke");
    struct fake_exchange *x = h->last;
    h->ended++;
    x->exchange.events->on_failed(x->exchange.owner, &v);
    let_go(x);
}

void fake_drain(struct fake_handler *h)
{
    h->last->held = false;
    h->last->exchange.events->on_drain(h->last->exchange.owner);
}

void fake_switch(struct fake_handler *h, unsigned status, const struct switched *to)
{
    struct response r = {.status = status, .reason = SPAN("Fine"), .minor = 1};
    struct fake_exchange *x = h->last;
    h->ended++;
    x->exchange.events->on_switch(x->exchange.owner, &r, to);
    let_go(x);
}

const struct request *fake_request(const struct fake_handler *h)
{
    return h->last->request;
}
