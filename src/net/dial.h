/* From a host name to a connected stream: DNS, then the addresses one after the other with a head
 * start each (RFC 8305), or straight to a fixed address. Owned by whatever began it, until its
 * event or dial_cancel(); then it is gone. It begins, resolves, or connects. */
#pragma once

#include "base/failure.h"
#include "net/dns.h"
#include "net/stream.h"

struct dial;

struct dial_target {
    const char *host; /* borrowed until the dial's end */
    uint16_t port;
    /* Fixed address instead of resolving: family AF_UNSPEC means none; AF_UNIX
     * (sockaddr_un) is fine. */
    const struct sockaddr_storage *connect_to;
    uint64_t dns_timeout_ms, connect_timeout_ms;
    /* Asked before each address is dialled, a fixed one as well: FAILURE_NONE, or why it must
     * not be dialled (then the next one is tried). NULL permits all. */
    enum failure (*permit)(void *context, const struct sockaddr *);
    void *permit_context;
};

struct dial_report {
    struct sockaddr_storage peer; /* AF_UNSPEC for a unix socket */
    uint64_t dns_us, connect_us;  /* 0: there was nothing to resolve; all of the TCP phase */
};

struct dial_events {
    void (*on_connected)(void *owner, struct stream *, const struct dial_report *); /* yours */
    void (*on_failed)(void *owner, enum failure why, const char *detail);
};

/* Reports exactly one event, later, unless dial_cancel() is called first. */
struct dial *dial_start(struct loop *, struct dns *, const struct dial_target *,
                        const struct dial_events *, void *owner);

/* Likewise for a connection that was made before: it is handed on as if it had just been
 * dialled. */
struct dial *dial_adopt(struct loop *, struct stream *, const struct dial_report *,
                        const struct dial_events *, void *owner);
void dial_cancel(struct dial *); /* closes what it has; no event comes after */
