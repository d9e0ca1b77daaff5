/* nghttp2's session of one HTTP/2 line: its settings, and what it hears told in
 * terms of exchanges. Embedded in its h2_conn, which feeds and drains it. Heads and
 * bodies go straight to their exchange; everything else goes to the line. */
#pragma once

#include "protocol/h2_exchange.h"

/* Told from inside nghttp2's calls: nothing may be fed or drained within. */
struct h2_session_events {
    /* The response is whole. */
    void (*on_complete)(void *line, struct h2_exchange *);
    /* The stream ended before (RFC 9113 7). `by_origin`: it was reset or refused,
     * and not for an offence of its answer. */
    void (*on_closed)(void *line, struct h2_exchange *, uint32_t code, bool by_origin);
    /* The request of this stream could not go out: not a byte of it left. */
    void (*on_unsent)(void *line, int32_t id);
    /* A frame of the request is about to be drained; its last one has been. */
    void (*on_sending)(void *line, struct h2_exchange *);
    void (*on_last_sent)(void *line, struct h2_exchange *);
    /* What it allows has changed (RFC 9113 6.5); it leaves (6.8). */
    void (*on_settings)(void *line);
    void (*on_goaway)(void *line, uint32_t code);
    /* A frame that carries nothing. False: that is enough of them. */
    bool (*on_talk)(void *line);
    /* What the origin did wrong, in nghttp2's words. */
    void (*on_offence)(void *line, const char *words);
};

struct h2_session {
    nghttp2_session *nghttp2;
    const struct h2_session_events *events;
    void *line;
    int32_t reset_id;     /* the stream that the origin resets, while that is told */
    uint64_t updates_due; /* WINDOW_UPDATEs of the line that what we sent may bring */
    uint64_t heads_due;   /* answers' heads that may come for streams reset meanwhile */
    size_t header_most;   /* of each of the next two: beyond, the line ends */
    size_t head_frames;   /* of the header block under way: its frames' bytes, */
    size_t head_fields;   /* and what they stand for, as RFC 9113 6.5.2 counts */
    bool head_is_nobodys; /* it is under way, and its stream is not open */
    bool leaving;         /* the origin said GOAWAY */
    const char *flood;    /* what was too much, in words; NULL: nothing */
};

/* `header_limit`: what the origin is told of it; who asks sees to it. A head of more
 * than four times so much ends the line. */
void h2_session_init(struct h2_session *, const struct h2_session_events *, void *line,
                     size_t header_limit);
void h2_session_free(struct h2_session *);

/* Bytes from the origin. False: an offence that ends the line. */
bool h2_session_feed(struct h2_session *, const char *data, size_t len) MUST_CHECK;

/* Frames for the origin; their number of bytes, 0 when all are out. Valid until
 * the next call. */
size_t h2_session_drain(struct h2_session *, const char **data);
bool h2_session_is_over(const struct h2_session *); /* it will neither read nor write */

/* Exchanges at once that the origin allows (RFC 9113 5.1.2), and whether one more
 * may be opened at all. */
size_t h2_session_allowed(const struct h2_session *);
bool h2_session_takes_more(const struct h2_session *);
