/* A byte stream in both directions: TCP, a unix socket, or TLS over one of these. This is the only
 * transport interface: code that uses a stream does not depend on its kind. Owned by the object
 * that received it, until stream_close(). It begins paused and without a listener: bind it, then
 * resume it. It is open until it has ended (on_end) or is closed; a stream that has ended must
 * still be closed.
 *
 * One rule for buffers: bytes are borrowed for the call, in both directions. Bytes of a write that
 * the kernel does not accept at once are copied into the stream's queue. */
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
    /* Bytes were received; they are borrowed until this returns. The owner may pause or close the
     * stream from inside. */
    void (*on_data)(void *owner, const char *data, size_t len);
    /* The end of reading; called once. After STREAM_EOF writing may still work. */
    void (*on_end)(void *owner, enum stream_end how, const char *why);
    /* After a write returned false, the queue has fallen below STREAM_LOW. */
    void (*on_drain)(void *owner);
};

#define STREAM_HIGH (256 * 1024)
#define STREAM_LOW (64 * 1024)

struct stream_ops {
    bool (*write)(struct stream *, const uv_buf_t *pieces, size_t count);
    void (*shutdown)(struct stream *);
    void (*pause)(struct stream *);
    void (*resume)(struct stream *);
    bool (*is_quiet)(struct stream *, uint64_t within_us);
    bool (*is_broken)(struct stream *);
    void (*close)(struct stream *, bool reset);
    void (*count)(struct stream *); /* brings `queued` up to date; NULL: it always is */
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

/* How many bytes the kernel has accepted so far, or may have accepted: these count as sent. A write
 * of which the kernel accepted nothing does not change the count. */
static inline uint64_t stream_taken(const struct stream *s)
{
    while (s->below)
        s = s->below;
    return s->taken;
}

/* How many bytes were written but are not known to be accepted by the kernel; 0: it has all of
 * them. */
static inline size_t stream_queued(struct stream *s)
{
    while (s->below)
        s = s->below;
    if (s->queued && s->ops->count)
        s->ops->count(s);
    return s->queued;
}

/* How many bytes were ever written. To learn when the kernel has everything written so far, note
 * this count: it does once written - queued has reached it. */
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

/* Writes all pieces in order. Returns false when more than STREAM_HIGH bytes are queued: the writer
 * should stop until on_drain. An error is reported by on_end, never from inside this call. */
static inline bool stream_write(struct stream *s, const uv_buf_t *pieces, size_t count)
{
    return s->ops->write(s, pieces, count);
}

/* Half-close: sends FIN after the queued bytes (TLS: close_notify, then FIN). */
static inline void stream_shutdown(struct stream *s)
{
    s->ops->shutdown(s);
}

/* Stops and starts on_data (and on_end). Idempotent. Costs a system call: do not call it for each
 * request, but only when the reader can accept no more. */
static inline void stream_pause(struct stream *s)
{
    s->ops->pause(s);
}

static inline void stream_resume(struct stream *s)
{
    s->ops->resume(s);
}

/* Returns true if the kernel has nothing unread, neither bytes nor an end, and no layer has part of
 * a record: checked before an order is sent on an idle connection. What the kernel said may be
 * `within_us` microseconds old, if nothing was received since; 0: it is asked now. One system call
 * at most, and one for all streams that are checked within that time. */
static inline bool stream_is_quiet(struct stream *s, uint64_t within_us)
{
    return s->ops->is_quiet(s, within_us);
}

/* Returns true if the other end is gone in both directions (after a reset, or the close of a unix
 * socket): for a stream whose reading is paused, so that no event reports this. A half-close is not
 * detected, since it comes after the unread bytes. One system call. */
static inline bool stream_is_broken(struct stream *s)
{
    return s->ops->is_broken(s);
}

/* Closes the stream (TLS sends close_notify if that is possible at once); queued bytes are lost. No
 * event follows; the stream frees its own memory. */
static inline void stream_close(struct stream *s)
{
    s->ops->close(s, false);
}

/* Likewise, with a reset where the transport has one (TCP), so that the other end cannot mistake
 * what it received for complete. */
static inline void stream_reset(struct stream *s)
{
    s->ops->close(s, true);
}
