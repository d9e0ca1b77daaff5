#include "proxy/no_client.h"

static void ignore_head(void *owner, const struct response *r)
{
    (void)owner, (void)r;
}

static void ignore_body(void *owner, const char *data, size_t len)
{
    (void)owner, (void)data, (void)len;
}

static void ignore_end(void *owner, const struct fields *trailers)
{
    (void)owner, (void)trailers;
}

static void ignore_drain(void *owner)
{
    (void)owner;
}

const struct exchange_events no_client_events = {.on_interim = ignore_head,
                                                 .on_head = ignore_head,
                                                 .on_body = ignore_body,
                                                 .on_end = ignore_end,
                                                 .on_drain = ignore_drain};
