/* Any bytes from a client. The responses must not depend on how the bytes were split, nor on
 * whether the exchange accepts bodies without delay; every exchange ends, nothing leaks, and a
 * rejected connection has been sent a response. The first byte of the input chooses how to
 * split. */
#include "../unit/fake_handler.h"
#include "../unit/fake_stream.h"
#include "front/clients.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    struct text written;
    unsigned opened, refused;
    int status;
    bool closed, shut;
};

static const struct client_limits limits = {.max_clients = 1,
                                            .header_timeout_ms = 10000,
                                            .idle_timeout_ms = 600000,
                                            .body_timeout_ms = 30000,
                                            .max_header_size = 1024,
                                            .max_uri_size = 256};

static void feed(struct loop *loop, struct fake_stream *stream, const char *at, size_t len,
                 size_t step)
{
    while (len) {
        size_t n = step && step < len ? step : len;
        fake_stream_feed(stream, at, n);
        loop_turn(loop, false);
        at += n;
        len -= n;
    }
}

/* Queued requests are taken one per turn: turns the loop until nothing has changed for a few
 * turns. */
static void settle(struct loop *loop, const struct fake_stream *stream)
{
    size_t written = stream->written.len;
    for (int still = 0; still < 4; still++) {
        loop_turn(loop, false);
        if (stream->written.len != written)
            still = 0;
        written = stream->written.len;
    }
}

static void run(struct outcome *o, const char *at, size_t len, size_t step, bool slow)
{
    static const struct ingress ingress = {.client = "fuzz"};
    struct fake_stream stream;
    struct fake_handler handler;
    struct loop *loop = loop_new();
    struct lingering *linger = linger_new(loop);
    fake_stream_init(&stream);
    fake_handler_init(&handler, loop);
    handler.echo = true;
    handler.full = handler.asap = slow;
    struct clients *clients = clients_new(loop, linger, &handler.handler, &limits);
    clients_accept(clients, &stream.base, &ingress);
    feed(loop, &stream, at, len, step);
    settle(loop, &stream);
    *o = (struct outcome){.opened = handler.opened,
                          .refused = handler.refused,
                          .status = handler.refused_status,
                          .closed = stream.closed,
                          .shut = stream.shut};
    text_add(&o->written, text_span(&stream.written));
    fake_stream_end(&stream, STREAM_EOF);
    clients_free(clients);
    linger_free(linger);
    loop_free(loop);
    fake_handler_free(&handler);
    fake_stream_free(&stream);
}

static void check_same(const struct outcome *a, const struct outcome *b)
{
    CHECK(a->opened == b->opened && a->refused == b->refused && a->status == b->status);
    CHECK(a->closed == b->closed && a->shut == b->shut);
    CHECK(span_is(text_span(&a->written), text_span(&b->written)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, cut, slow;
    if (size < 1 || size > 60000) /* beyond 64 KiB ahead the stream pauses, which feed() ignores */
        return 0;
    const char *at = (const char *)data + 1;
    size_t len = size - 1, step = 1 + data[0] % 64;
    run(&whole, at, len, 0, false);
    run(&cut, at, len, step, false);
    run(&slow, at, len, step, true);
    check_same(&whole, &cut);
    check_same(&whole, &slow);
    CHECK(whole.refused <= 1);
    CHECK(!whole.refused || (whole.shut && whole.written.len));
    text_free(&whole.written);
    text_free(&cut.written);
    text_free(&slow.written);
    return 0;
}
