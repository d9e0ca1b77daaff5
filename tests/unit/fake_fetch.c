#include "fake_fetch.h"

#include <stdio.h>

struct fake_fetch fake_fetch;

static void finish(struct exchange *x, const struct fields *trailers)
{
    CHECK(x == &fake_fetch.base && trailers->count == 0);
}

static void pause_fetch(struct exchange *x)
{
    CHECK(x == &fake_fetch.base && fake_fetch.is_open);
    fake_fetch.paused++;
}

static void resume_fetch(struct exchange *x)
{
    CHECK(x == &fake_fetch.base && fake_fetch.is_open);
    fake_fetch.resumed++;
}

static void cancel(struct exchange *x)
{
    CHECK(x == &fake_fetch.base && fake_fetch.is_open);
    fake_fetch.is_open = false;
    fake_fetch.cancelled++;
}

static enum sent sent(const struct exchange *x)
{
    CHECK(x == &fake_fetch.base && fake_fetch.is_open);
    return fake_fetch.sent;
}

static struct exchange *open_fetch(const struct fetch_order *o,
                                   const struct exchange_events *events, void *owner)
{
    static const struct exchange_ops ops = {.finish = finish,
                                            .pause = pause_fetch,
                                            .resume = resume_fetch,
                                            .cancel = cancel,
                                            .sent = sent};
    CHECK(!fake_fetch.is_open);
    fake_fetch.base = (struct exchange){&ops, events, owner};
    fake_fetch.is_open = true;
    fake_fetch.order = *o;
    snprintf(fake_fetch.target, sizeof fake_fetch.target, "%.*s", SPAN_ARG(o->request.target));
    fake_fetch.opened++;
    return &fake_fetch.base;
}

static bool drain(struct exchange *x, const struct exchange_events *events, void *owner)
{
    CHECK(x == &fake_fetch.base && fake_fetch.is_open);
    if (fake_fetch.drains)
        fake_fetch.base = (struct exchange){fake_fetch.base.ops, events, owner};
    return fake_fetch.drains;
}

static void extend(struct exchange *x, uint64_t until_ms)
{
    CHECK(x == &fake_fetch.base && fake_fetch.is_open);
    fake_fetch.extended_ms = until_ms;
}

static struct verdict late(const struct exchange *x, uint64_t total_ms)
{
    CHECK(x == &fake_fetch.base && fake_fetch.is_open);
    return verdict_make(FAILURE_HTTP_RESPONSE_TIMEOUT, fake_fetch.sent, "%d", (int)total_ms);
}

const struct origin_fetch_ops fake_fetch_ops = {
    .open = open_fetch, .drain = drain, .extend = extend, .late = late};

void fake_fetch_head(unsigned status, size_t length)
{
    struct response r = {.status = status, .reason = SPAN("OK"), .framing = FRAMING_CHUNKED};
    if (length != SIZE_MAX) {
        r.framing = FRAMING_LENGTH;
        r.has_length = true;
        r.length = length;
    }
    fake_fetch.base.events->on_head(fake_fetch.base.owner, &r);
}

void fake_fetch_body(const char *data, size_t len)
{
    fake_fetch.base.events->on_body(fake_fetch.base.owner, data, len);
}

void fake_fetch_end(void)
{
    static const struct fields none;
    fake_fetch.is_open = false;
    fake_fetch.base.events->on_end(fake_fetch.base.owner, &none);
}

void fake_fetch_failed(enum failure error, enum sent sent)
{
    struct verdict why = verdict_make(error, sent, "x");
    fake_fetch.is_open = false;
    fake_fetch.base.events->on_failed(fake_fetch.base.owner, &why);
}
