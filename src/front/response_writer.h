/* The responses of one HTTP/1.x connection as bytes on its stream (RFC 9112), one after
 * the other: heads, bodies and trailers, framed as the client of each request
 * understands. What one turn of the loop brings is gathered and goes out in one write.
 *
 * Of a response whose head says that it waits, the last byte is gathered, but not written,
 * until its end is told; of one that is whole, all of it.
 *
 * Owned by the connection, which also listens to the stream; the stream is borrowed.
 * Idle (no response is due), due (no final head is written), body, excess (the body is
 * longer than its head said: the rest is dropped, and it will be cut), complete, cut
 * (incomplete for good: the connection must close so that the client notices). */
#pragma once

#include "base/failure.h"
#include "base/state.h"
#include "http/message.h"
#include "net/stream.h"

#define RESPONSE_WRITER_STATES(S)                                                                  \
    S(RESPONSE_IDLE, "idle", TO(RESPONSE_DUE) | TO(RESPONSE_COMPLETE))                             \
    S(RESPONSE_DUE, "due", TO(RESPONSE_BODY) | TO(RESPONSE_COMPLETE))                              \
    S(RESPONSE_BODY, "body", TO(RESPONSE_EXCESS) | TO(RESPONSE_COMPLETE) | TO(RESPONSE_CUT))       \
    S(RESPONSE_EXCESS, "excess", TO(RESPONSE_CUT))                                                 \
    S(RESPONSE_COMPLETE, "complete", TO(RESPONSE_IDLE))                                            \
    S(RESPONSE_CUT, "cut", 0)
STATE_TYPE(response_writer, RESPONSE_WRITER_STATES)

struct response_writer;

struct response_writer_events {
    /* Bytes were gathered: call response_writer_flush() before the turn ends. */
    void (*on_gathered)(void *owner);
    /* More than STREAM_HIGH bytes are queued: the source of the body should pause until
     * response_writer_drained(). Comes from inside the calls that write. */
    void (*on_full)(void *owner);
};

/* `object` (borrowed) names the connection in the log. */
struct response_writer *response_writer_new(const char *object, struct stream *,
                                            const struct response_writer_events *, void *owner);

/* Writes to this stream from here on; nothing may be gathered. */
void response_writer_use(struct response_writer *, struct stream *);

/* A response to this request is due. Its id is borrowed until response_writer_done(). */
void response_writer_begin(struct response_writer *, const struct request *);

/* An interim response (1xx); HTTP/1.0 clients get none (RFC 9110 15.2). */
void response_writer_interim(struct response_writer *, const struct response *);

/* The head of the final response. With `is_last` it says that the connection closes, otherwise
 * for how many seconds an idle connection is kept (0: not said). Returns whether the
 * connection must close after it: `is_last`, or a body without length to an HTTP/1.0
 * client. */
bool response_writer_head(struct response_writer *, const struct response *, bool is_last,
                          uint64_t idle_limit_s);

/* A piece of its body (borrowed; dropped if the response has none, as to HEAD); its end,
 * which cuts it if it is not as long as its head said. */
void response_writer_body(struct response_writer *, const char *data, size_t len);
void response_writer_end(struct response_writer *, const struct fields *trailers);

/* It will not be completed; its head is written. */
void response_writer_cut(struct response_writer *);

/* The response is this head alone, and HTTP/1.x ends with it: 101, or 2xx to CONNECT. */
void response_writer_switch(struct response_writer *, const struct response *);

/* The response is this error of ours, and the last one. Before its head; it need not be
 * due. What is made of it lives in the request's arena. */
void response_writer_error(struct response_writer *, const struct request *,
                           const struct verdict *why);

/* Writes what is gathered, in one call. */
void response_writer_flush(struct response_writer *);

/* The connection goes on after a complete response; frees what it had gathered in. */
void response_writer_done(struct response_writer *);

/* The stream's on_drain came. Returns whether it was full. */
bool response_writer_drained(struct response_writer *);
bool response_writer_is_full(const struct response_writer *);

enum response_writer_state response_writer_state(const struct response_writer *);

/* Is the response over, complete or cut? */
bool response_writer_is_over(const struct response_writer *);

/* Would the client take a response that is not all with it for complete, if the stream
 * were closed now? To a client without length or chunks (HTTP/1.0) the end of the
 * connection is the end of the body; it must be reset instead. */
bool response_writer_needs_reset(const struct response_writer *);

/* The stream is not touched. NULL is fine. */
void response_writer_free(struct response_writer *);
