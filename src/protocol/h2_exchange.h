/* One request and its response on an HTTP/2 line: a stream (RFC 9113 5). Made
 * and fed by its h2_conn, owned (as an exchange) by who asked; frees itself after
 * its end. It is on its line until the stream has ended; what came by then waits
 * here for an asker who does not read, at most a stream's window. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "net/loop.h"
#include "net/stream.h"
#include "protocol/conn.h"

struct h2_exchange;

/* What a stream's asker may leave unread at most (RFC 9113 5.2): at first, and
 * once he has taken so much without a pause. */
#define H2_STREAM_WINDOW (256 * 1024)
#define H2_WIDE_WINDOW (1024 * 1024)

/* What it asks of its line. */
struct h2_exchange_events {
    void (*flush)(void *line); /* there is something to send */
    /* It is given up, by its asker or because of its answer: the stream is to be reset. */
    void (*reset)(void *line, struct h2_exchange *, uint32_t code);
    /* A 421 came: it does not lead to where it should (RFC 9110 15.5.20). */
    void (*misdirected)(void *line);
    /* Of one opened then (loop time, ms) no answer is waited for any more. `late`: its time
     * was up, or else its asker left. */
    void (*unanswered)(void *line, uint64_t since, bool late);
};

/* Submits the request to a session that takes one; it is on no list yet. */
struct h2_exchange *h2_exchange_new(struct loop *, const struct h2_exchange_events *, void *line,
                                    nghttp2_session *, struct stream *, bool secure,
                                    const struct conn_request *);
struct exchange *h2_exchange_base(struct h2_exchange *);
struct link *h2_exchange_link(struct h2_exchange *); /* for its line's list */
struct h2_exchange *h2_exchange_of(struct link *);   /* NULL of NULL */
int32_t h2_exchange_id(const struct h2_exchange *);

/* The asker of a stream, as nghttp2 knows it; NULL: it has none any more. */
struct h2_exchange *h2_exchange_find(nghttp2_session *, int32_t id);

/* Its first frame goes into a write that begins here; all its frames were written when
 * so much was (see stream_written()). From its last frame until then it is on a list. */
void h2_exchange_sends(struct h2_exchange *, uint64_t begins);
void h2_exchange_sent_all(struct h2_exchange *, uint64_t ended);
struct link *h2_exchange_ending(struct h2_exchange *);
struct h2_exchange *h2_exchange_of_ending(struct link *);

/* A head, or trailers: begins, one field, ends. It may give itself up, and be on
 * its line no more. */
void h2_exchange_head_begins(struct h2_exchange *);
void h2_exchange_field(struct h2_exchange *, struct span name, struct span value);
void h2_exchange_head(struct h2_exchange *, bool is_last);
void h2_exchange_too_large(struct h2_exchange *); /* the head under way: it gives itself up */

void h2_exchange_data(struct h2_exchange *, const char *data, size_t len);

/* How far has its response come? */
bool h2_exchange_began(const struct h2_exchange *);
bool h2_exchange_has_head(const struct h2_exchange *);

/* Takes it off its line and list: what was sent is settled now, on a line that goes on
 * (so what waits in its queue will arrive) or that is closed at once, with its queue.
 * Then end or fail tells the asker, later, unless it has cancelled. */
enum sent h2_exchange_detach(struct h2_exchange *);
enum sent h2_exchange_detach_lost(struct h2_exchange *);
void h2_exchange_end(struct h2_exchange *);
void h2_exchange_fail(struct h2_exchange *, const struct verdict *);
