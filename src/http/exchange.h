/* One request and its response, seen by the one who asked. The same interface
 * whether it runs on an HTTP/1.1 line, or is an error, a page or a stored
 * answer: the client side cannot tell which.
 * Whoever opened it owns it until it ends: by on_end, on_failed, on_switch, or by
 * exchange_cancel(). After any of these the pointer is dead; the implementation
 * frees itself. No event comes from inside the call that opened it. */
#pragma once

#include "base/failure.h"
#include "http/message.h"
#include "http/progress.h"

struct exchange;
struct tunnel;

/* What a connection turns into by a 101, or by a 2xx to CONNECT. */
struct switched {
    struct tunnel *tunnel; /* to relay through, yours now; NULL: nothing was dialled yet */
    bool looks;            /* first at what the client sends: it may be HTTP, to be parsed on */
    bool intercepts;       /* with `looks`: TLS ends here */
    struct span host;      /* with `looks`, what CONNECT named; borrowed until return */
    uint16_t port;
};

struct exchange_events {
    /* An interim response (1xx other than 101); any number. Borrowed. */
    void (*on_interim)(void *owner, const struct response *);
    /* The head of the final response; once. Borrowed until return. */
    void (*on_head)(void *owner, const struct response *);
    /* A piece of its body; borrowed until return. */
    void (*on_body)(void *owner, const char *data, size_t len);
    /* The response is complete. `trailers` may be empty, never NULL. */
    void (*on_end)(void *owner, const struct fields *trailers);
    /* It will not be completed. Before on_head only exchanges on a line do so (the
     * proxy turns it into an answer), and one refused while its answer was not known;
     * after it the client is closed short. */
    void (*on_failed)(void *owner, const struct verdict *);
    /* More of the request's body is welcome after exchange_body() was false. */
    void (*on_drain)(void *owner);
    /* Instead of on_head, and the end: the answer is this head alone (101, or 2xx
     * to CONNECT), and what follows on the connection is no HTTP/1.x message. */
    void (*on_switch)(void *owner, const struct response *, const struct switched *);
};

struct exchange_ops {
    bool (*body)(struct exchange *, const char *data, size_t len);
    void (*finish)(struct exchange *, const struct fields *trailers);
    void (*pause)(struct exchange *);
    void (*resume)(struct exchange *);
    void (*cancel)(struct exchange *);
    enum sent (*sent)(const struct exchange *);
    void (*expire)(struct exchange *); /* NULL: as cancel */
    void (*refuse)(struct exchange *, const struct verdict *);
    bool (*leave)(struct exchange *);                             /* NULL: it never goes on alone */
    uint64_t (*patience)(const struct exchange *);                /* NULL: without end */
    void (*progress)(const struct exchange *, struct progress *); /* NULL: it is answered here */
};

struct exchange {
    const struct exchange_ops *ops;
    const struct exchange_events *events;
    void *owner;
};

/* A piece of the request's body (borrowed). False: hold the rest until
 * on_drain. Only for requests whose framing promises a body. */
static inline bool exchange_body(struct exchange *x, const char *data, size_t len)
{
    return x->ops->body(x, data, len);
}

/* The request is complete. Called for every request, with no body too; `trailers`
 * may be empty, of a chunked request never NULL. */
static inline void exchange_finish(struct exchange *x, const struct fields *trailers)
{
    x->ops->finish(x, trailers);
}

/* The asker's reader is full, and takes more again: on_body holds meanwhile
 * (a few pieces that are under way may still come). */
static inline void exchange_pause(struct exchange *x)
{
    x->ops->pause(x);
}

static inline void exchange_resume(struct exchange *x)
{
    x->ops->resume(x);
}

/* The request will never be complete: its body is malformed or too late, as `why`
 * says. The exchange goes on to answer so (or closes short, if its head is out),
 * with the true `sent`. Exchanges on a line have none of this: they are cancelled. */
static inline void exchange_refuse(struct exchange *x, const struct verdict *why)
{
    CHECK(x->ops->refuse != NULL);
    x->ops->refuse(x, why);
}

/* What of the request can have reached the exchange, were it cancelled now: bytes that
 * the cancel takes back do not count, those in the queue of a line that goes on do. Asked
 * before its end; nothing was sent for what is answered here. */
static inline enum sent exchange_sent(const struct exchange *x)
{
    return x->ops->sent(x);
}

/* Asked while it is paused: how long (ms) may its reader take nothing before it must make
 * room for those who wait for the connection that it holds? UINT64_MAX: nobody does. */
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

/* The asker is gone, of its own will; no event comes after. True: the exchange goes on
 * alone, to learn what becomes of the request; the request's arena is its own from here
 * on, and nothing else of the asker's is used any more. False: it is over. */
static inline bool exchange_leave(struct exchange *x)
{
    if (x->ops->leave && x->ops->leave(x))
        return true;
    x->ops->cancel(x);
    return false;
}

/* It is not wanted any more; no event comes after. */
static inline void exchange_cancel(struct exchange *x)
{
    x->ops->cancel(x);
}

/* Likewise because its time is up: a line that has brought nothing since the exchange
 * was opened may be dead, and must prove itself. */
static inline void exchange_expire(struct exchange *x)
{
    if (x->ops->expire)
        x->ops->expire(x);
    else
        x->ops->cancel(x);
}
