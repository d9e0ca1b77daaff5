/* A byte stream in both directions: TCP, a unix socket, or TLS over one of these. The only
 * transport interface; what uses it cannot tell which it is. Owned by the object to which it was
 * given, until stream_close(). It begins paused and without a listener: bind it, then resume
 * it. It is open until it has ended (on_end) or is closed; a stream that has ended must still be
 * closed.
 *
 * One rule for buffers: bytes are borrowed for the call, in both directions. What a write cannot
 * hand to the kernel at once is copied into the stream's queue. */
#pragma once

#include <uv.h>

#include "base/check.h"

struct stream;

enum stream_end {
    STREAM_EOF,  /* orderly: FIN; on TLS close_notify */
    STREAM_CUT,  /* on TLS: FIN without close_notify */
    STREAM_RESET /* any error: reset, broken pipe, bad record */
};

struct stream_events {
    /* Bytes came; they are borrowed until this returns. The owner may pause or close the stream
     * inside. */
    void (*on_data)(void *owner, const char *data, size_t len);
    /* No more bytes will come; once. After STREAM_EOF writing may still work. */
    void (*on_end)(void *owner, enum stream_end how, const char *why);
    /* The queue fell below STREAM_LOW after a write had returned false. */
    void (*on_drain)(void *owner);
};

#define STREAM_HIGH (256 * 1024)
#define STREAM_LOW (64 * 1024)

struct stream_ops {
    bool (*write)(struct stream *, const uv_buf_t *pieces, size_t count);
    void (*shutdown)(struct stream *);
    void (*pause)(struct stream *);
    void (*resume)(struct stream *);
    bool (*is_quiet)(struct stream *);
    bool (*is_broken)(struct stream *);
    void (*close)(struct stream *, bool reset);
};

struct stream {
    const struct stream_ops *ops;
    const struct stream_events *events;
    void *owner;
    struct stream *below; /* a layer's own lower stream, which has the true counts; or NULL */
    uint64_t taken;       /* see stream_taken(), stream_queued(), stream_written() */
    uint64_t written;
    size_t queued;
};

/* How many bytes the kernel has taken so far, or may have: these count as sent. A write that the
 * kernel refused whole does not change it. */
static inline uint64_t stream_taken(const struct stream *s)
{
    while (s->below)
        s = s->below;
    return s->taken;
}

/* How many bytes were written but not certainly taken by the kernel; 0: it has all of them. */
static inline size_t stream_queued(const struct stream *s)
{
    while (s->below)
        s = s->below;
    return s->queued;
}

/* How many bytes were ever written. What had been written at some count is with the kernel once
 * written - queued has reached that count. */
static inline uint64_t stream_written(const struct stream *s)
{
    while (s->below)
        s = s->below;
    return s->written;
}

/* Sets the listener, which gets the events from now on. */
static inline void stream_bind(struct stream *s, const struct stream_events *events, void *owner)
{
    s->events = events;
    s->owner = owner;
}

/* Writes all pieces in order. Returns false when more than STREAM_HIGH bytes
 * are queued: the writer should stop until on_drain. An error is told by
 * on_end, later, never from inside. */
static inline bool stream_write(struct stream *s, const uv_buf_t *pieces, size_t count)
{
    return s->ops->write(s, pieces, count);
}

/* Half-close: after what is queued, FIN (TLS: close_notify, then FIN). */
static inline void stream_shutdown(struct stream *s)
{
    s->ops->shutdown(s);
}

/* Stops and starts on_data (and on_end). Idempotent. Costs a system call: not to be done for each
 * request, only when the reader is really full. */
static inline void stream_pause(struct stream *s)
{
    s->ops->pause(s);
}

static inline void stream_resume(struct stream *s)
{
    s->ops->resume(s);
}

/* True if nothing is unread in the kernel, neither bytes nor an end, and no layer has part of a
 * record: asked before an order is sent on a connection that was idle. One system call. */
static inline bool stream_is_quiet(struct stream *s)
{
    return s->ops->is_quiet(s);
}

/* True if the other end is gone in both directions (a reset; a close of a unix socket as well):
 * for a stream whose reading is paused, so that no event tells. A half-close is behind what is
 * unread, and does not show. One system call. */
static inline bool stream_is_broken(struct stream *s)
{
    return s->ops->is_broken(s);
}

/* Closes it (TLS sends close_notify if it can at once); what is queued is lost.
 * No event comes after; the memory is freed by the stream itself. */
static inline void stream_close(struct stream *s)
{
    s->ops->close(s, false);
}

/* Likewise, by a reset if there is one (TCP), so that the other end cannot take what it got for
 * complete. */
static inline void stream_reset(struct stream *s)
{
    s->ops->close(s, true);
}
