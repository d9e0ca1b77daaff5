/* A stream without a network: records what is written to it, and gets its input from the test.
 * Owned by the test, which frees it even after stream_close(). */
#pragma once

#include "base/text.h"
#include "net/stream.h"

struct fake_stream {
    struct stream base;
    struct text written; /* everything that was written, queued or not */
    unsigned writes;     /* calls */
    bool stuck;          /* accepts nothing: what is written is queued */
    bool loud;           /* data has arrived that has not been read yet */
    bool broken;         /* the peer has disconnected, which has not been read yet */
    bool full, paused, shut, closed, reset, ended;
};

void fake_stream_init(struct fake_stream *);
void fake_stream_free(struct fake_stream *);

/* Delivers the bytes to the owner, unless the stream is paused or closed; returns whether it
 * did. */
bool fake_stream_feed(struct fake_stream *, const char *data, size_t len);
void fake_stream_end(struct fake_stream *, enum stream_end how);

/* The peer reads this many bytes of the queue. */
void fake_stream_take(struct fake_stream *, size_t len);
