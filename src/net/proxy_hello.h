/* Gets a connection through another proxy, on a stream to that proxy: speaks SOCKS5 or CONNECT, then
 * gives the stream back as if it led to the target. Owned by the dial that started it, until one of
 * its events or proxy_hello_cancel(), when it is freed. It waits for the proxy, or is over. */
#pragma once

#include "net/hello.h"
#include "net/loop.h"
#include "net/stream.h"

struct proxy_hello;

struct proxy_hello_events {
    /* The stream is the owner's again: paused, without a listener. Nothing that came from beyond
     * the proxy is lost. */
    void (*on_open)(void *owner, struct stream *);
    void (*on_refused)(void *owner, enum failure why, const char *detail); /* it is closed */
};

/* Takes over the stream, which is stream_uv's. The exit and the target are borrowed until its end.
 * `timeout_ms` bounds the whole of what the proxy answers. No event comes from inside this call. */
struct proxy_hello *proxy_hello_start(struct loop *, struct stream *, const struct config_exit *,
                                      const struct hello_target *, uint64_t timeout_ms,
                                      const struct proxy_hello_events *, void *owner);
void proxy_hello_cancel(struct proxy_hello *); /* closes the stream */
