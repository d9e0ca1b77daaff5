/* nghttp2's session of one HTTP/2 connection: its settings and limits, and what nghttp2
 * reports, in terms of exchanges. Embedded in its h2_conn, which feeds and drains it.
 * Header sections and bodies go straight to their exchange; everything else goes to the
 * h2_conn. It has no states of its own beyond nghttp2's. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "protocol/h2_exchange.h"

/* Called from inside nghttp2's functions: the session must be neither fed nor drained within. */
struct h2_session_events {
    /* The response is complete. */
    void (*on_complete)(void *owner, struct h2_exchange *);
    /* The stream ended before that (RFC 9113 7). `by_origin`: the origin reset or refused
     * it; otherwise nghttp2 did, because the response breaks the rules. */
    void (*on_closed)(void *owner, struct h2_exchange *, uint32_t code, bool by_origin);
    /* The request of this stream could not be sent: not a byte of it was. */
    void (*on_unsent)(void *owner, int32_t id);
    /* A frame of the request is about to be drained; its last frame has been. */
    void (*on_sending)(void *owner, struct h2_exchange *);
    void (*on_last_sent)(void *owner, struct h2_exchange *);
    /* The origin's SETTINGS came (RFC 9113 6.5); its GOAWAY did (6.8). */
    void (*on_settings)(void *owner);
    void (*on_goaway)(void *owner, uint32_t code);
    /* A frame came that carries nothing. False: that is one too many. */
    bool (*on_talk)(void *owner);
    /* The origin broke a rule; `words` are nghttp2's, borrowed. */
    void (*on_offence)(void *owner, const char *words);
};

struct h2_session {
    nghttp2_session *nghttp2;
    const struct h2_session_events *events;
    void *owner;
    int32_t reset_id;       /* the stream of the RST_STREAM that nghttp2 handles now; 0: none */
    uint64_t updates_due;   /* WINDOW_UPDATEs of the connection that what we sent may cause */
    uint64_t heads_due;     /* header sections that may come for streams reset meanwhile */
    size_t header_most;     /* limit of each of the next two; beyond it the connection ends */
    size_t head_frames;     /* header section under way: bytes of its frames, */
    size_t head_fields;     /* and of its fields, as RFC 9113 6.5.2 counts them */
    bool head_has_no_owner; /* it is under way, and its stream is not open */
    struct h2_exchange *head_of; /* whose section began in what is fed now; NULL: not known */
    bool got_goaway;
    const char *flood; /* what there was too much of, in words; NULL: nothing */
};

/* `header_limit`: the SETTINGS_MAX_HEADER_LIST_SIZE that the origin is told; the exchanges
 * enforce it. A header section of more than four times this size ends the connection. */
void h2_session_init(struct h2_session *, const struct h2_session_events *, void *owner,
                     size_t header_limit);
void h2_session_free(struct h2_session *);

/* Bytes from the origin. False: they end the connection, and on_offence said why. */
bool h2_session_feed(struct h2_session *, const char *data, size_t len) MUST_CHECK;

/* Frames for the origin: returns their number of bytes, 0 if there are none. Valid until the
 * next call. */
size_t h2_session_drain(struct h2_session *, const char **data);

/* Whether nghttp2 wants neither to read nor to write any more; whether there may be frames for the
 * origin, or it is over. */
bool h2_session_is_over(const struct h2_session *);
bool h2_session_wants_drain(const struct h2_session *);

/* How many exchanges at once the origin allows (RFC 9113 5.1.2), and whether another one
 * may be opened at all. */
size_t h2_session_allowed(const struct h2_session *);
bool h2_session_takes_more(const struct h2_session *);
