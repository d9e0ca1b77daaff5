/* From a host name to a connected stream: DNS, then the addresses one after the other, each with a
 * head start over the next (RFC 8305), or directly to a fixed address; from a source address, or
 * through another proxy. Owned by the caller that started it until its event or dial_cancel(), when
 * it is freed. It is starting, resolving, connecting, or waits for the proxy. */
#pragma once

#include "base/failure.h"
#include "config/settings.h"
#include "net/dns.h"
#include "net/stream.h"

struct dial;

struct dial_target {
    const char *host; /* borrowed until the dial's end */
    uint16_t port;
    /* A fixed address, which is not resolved: family AF_UNSPEC means none; AF_UNIX (sockaddr_un) is
     * allowed. */
    const struct sockaddr_storage *connect_to;
    /* A source address, or another proxy, which is resolved and dialled instead, and asked for the
     * target; copied. NULL: none. */
    const struct config_exit *exit;
    uint64_t dns_timeout_ms, connect_timeout_ms; /* the latter for TCP, and again for the proxy */
    /* Called before each address is dialled, including a fixed one. Returns FAILURE_NONE, or why
     * the address must not be dialled (the next one is then tried). NULL permits all. */
    enum failure (*permit)(void *context, const struct sockaddr *);
    void *permit_context;
};

struct dial_report {
    struct sockaddr_storage peer; /* AF_UNSPEC for a unix socket; of a proxy, its own */
    uint64_t dns_us, connect_us;  /* 0: there was nothing to resolve; all of the TCP phase */
};

struct dial_events {
    void (*on_connected)(void *owner, struct stream *,
                         const struct dial_report *); /* now owned by the caller */
    void (*on_failed)(void *owner, enum failure why, const char *detail);
};

/* Reports exactly one event, never from inside this call, unless dial_cancel() is called first. */
struct dial *dial_start(struct loop *, struct dns *, const struct dial_target *,
                        const struct dial_events *, void *owner);

/* Likewise for a connection that already exists: it is handed over as if it had just been
 * dialled. */
struct dial *dial_adopt(struct loop *, struct stream *, const struct dial_report *,
                        const struct dial_events *, void *owner);
void dial_cancel(struct dial *); /* closes its connections; no event follows */
