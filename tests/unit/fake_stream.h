/* A stream without a network: keeps what is written, is fed by the test.
 * Owned by the test, which frees it even after stream_close(). */
#pragma once

#include "base/text.h"
#include "net/stream.h"

struct fake_stream {
    struct stream base;
    struct text written; /* all of it, queued or not */
    unsigned writes;     /* calls */
    bool stuck;          /* takes nothing: what is written is queued */
    bool loud;           /* something has arrived that was not read yet */
    bool broken;         /* the other end is gone, which was not read yet */
    bool full, paused, shut, closed, reset, ended;
};

void fake_stream_init(struct fake_stream *);
void fake_stream_free(struct fake_stream *);

/* Hands the bytes up, unless it is paused or closed: returns whether it did. */
bool fake_stream_feed(struct fake_stream *, const char *data, size_t len);
void fake_stream_end(struct fake_stream *, enum stream_end how);

/* The other end takes so many bytes of the queue. */
void fake_stream_take(struct fake_stream *, size_t len);
