/* One request and its response, as seen by the code that opened it: the same interface
 * whether the response comes from an origin over HTTP/1.1 or HTTP/2, from the cache, or from
 * the proxy itself. Owned by the code that opened it (its owner, which receives the events),
 * until it ends: by on_end, on_failed or on_switch, or by exchange_cancel(). After any of
 * these the pointer is invalid, and the implementation frees itself. No event comes from inside
 * the call that opened it. */
#pragma once

#include "base/failure.h"
#include "http/message.h"
#include "http/progress.h"

struct exchange;
struct tunnel;

/* What a connection turns into by a 101, or by a 2xx to CONNECT. */
struct switched {
    struct tunnel *tunnel; /* to relay through, now the owner's; NULL: nothing was dialled yet */
    bool looks;            /* look first at what the client sends: plain HTTP is parsed */
    bool intercepts;       /* with `looks`: TLS is terminated here */
    struct span host;      /* with `looks`: the host of the CONNECT; borrowed until return */
    uint16_t port;
};

struct exchange_events {
    /* An interim response (1xx except 101); any number. Borrowed until return. */
    void (*on_interim)(void *owner, const struct response *);
    /* The head of the final response; once. Borrowed until return. */
    void (*on_head)(void *owner, const struct response *);
    /* A piece of its body; borrowed until return. */
    void (*on_body)(void *owner, const char *data, size_t len);
    /* The response is complete. `trailers` may be empty, never NULL. */
    void (*on_end)(void *owner, const struct fields *trailers);
    /* The response will not be completed. Before on_head only exchanges on a connection fail
     * (the proxy makes an error response of it), and one that was refused while its response
     * was not known. After on_head the client's connection is closed early. */
    void (*on_failed)(void *owner, const struct verdict *);
    /* More of the request's body may be written, after exchange_body() returned false. */
    void (*on_drain)(void *owner);
    /* Instead of on_head, and the end: the response is this head only (101, or 2xx to
     * CONNECT), and what follows on the connection is not HTTP/1.x. */
    void (*on_switch)(void *owner, const struct response *, const struct switched *);
};

struct exchange_ops {
    bool (*body)(struct exchange *, const char *data, size_t len);
    void (*finish)(struct exchange *, const struct fields *trailers);
    void (*pause)(struct exchange *);
    void (*resume)(struct exchange *);
    void (*cancel)(struct exchange *);
    enum sent (*sent)(const struct exchange *);
    bool (*is_queued)(const struct exchange *); /* NULL: never */
    void (*expire)(struct exchange *);          /* NULL: like cancel */
    void (*refuse)(struct exchange *, const struct verdict *);
    bool (*leave)(struct exchange *);              /* NULL: it never continues alone */
    uint64_t (*patience)(const struct exchange *); /* NULL: unlimited */
    void (*progress)(const struct exchange *, struct progress *); /* NULL: it is answered here */
};

struct exchange {
    const struct exchange_ops *ops;
    const struct exchange_events *events;
    void *owner;
};

/* Writes a piece of the request's body (borrowed). False: write no more until on_drain.
 * Only for requests whose framing announces a body. */
static inline bool exchange_body(struct exchange *x, const char *data, size_t len)
{
    return x->ops->body(x, data, len);
}

/* The request is complete. To be called for every request, even without a body. `trailers`
 * may be empty; for a chunked request they are not NULL. */
static inline void exchange_finish(struct exchange *x, const struct fields *trailers)
{
    x->ops->finish(x, trailers);
}

/* The owner can take no more of the response's body: no on_body comes until
 * exchange_resume(), except for a few pieces that are on their way. */
static inline void exchange_pause(struct exchange *x)
{
    x->ops->pause(x);
}

static inline void exchange_resume(struct exchange *x)
{
    x->ops->resume(x);
}

/* The request will never be complete: its body is malformed or late, as `why` says. The
 * exchange goes on, and reports this with the true `sent` (or fails, if its head was handed
 * up). Exchanges on a connection cannot do this: they are cancelled. */
static inline void exchange_refuse(struct exchange *x, const struct verdict *why)
{
    CHECK(x->ops->refuse != NULL);
    x->ops->refuse(x, why);
}

/* How much of the request may have reached the origin if the exchange were cancelled now:
 * bytes that the cancel takes back do not count; those in the queue of a connection that
 * continues do. Valid before its end. SENT_NO if the response is made here. */
static inline enum sent exchange_sent(const struct exchange *x)
{
    return x->ops->sent(x);
}

/* Whether a part of a request that counts as sent whole still waits in the queue of its connection:
 * it will be sent, and the time for its response has not begun. */
static inline bool exchange_is_queued(const struct exchange *x)
{
    return x->ops->is_queued && x->ops->is_queued(x);
}

/* While it is paused: for how long (ms) its owner may read nothing before it must give up the
 * connection, because other requests wait for it. UINT64_MAX: none does. */
static inline uint64_t exchange_patience(const struct exchange *x)
{
    return x->ops->patience ? x->ops->patience(x) : UINT64_MAX;
}

/* How far it has come. What is answered here, without an origin, is only being read. */
static inline struct progress exchange_progress(const struct exchange *x)
{
    struct progress p = {.state = PROGRESS_RECEIVING};
    if (x->ops->progress)
        x->ops->progress(x, &p);
    return p;
}

/* The client has disconnected; no event comes after. True: the exchange continues alone, to
 * learn the outcome of the request; it owns the request's arena from here on, and uses
 * nothing else of its owner's. False: it was cancelled. */
static inline bool exchange_leave(struct exchange *x)
{
    if (x->ops->leave && x->ops->leave(x))
        return true;
    x->ops->cancel(x);
    return false;
}

/* Ends it: its owner wants no more of it. No event comes after. */
static inline void exchange_cancel(struct exchange *x)
{
    x->ops->cancel(x);
}

/* Likewise, because a deadline expired: a connection that has received nothing since the
 * exchange was opened may be dead, and is tested. */
static inline void exchange_expire(struct exchange *x)
{
    if (x->ops->expire)
        x->ops->expire(x);
    else
        x->ops->cancel(x);
}
