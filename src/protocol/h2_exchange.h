/* One request and its response on an HTTP/2 connection: a stream (RFC 9113 5).
 * Created and fed by its h2_conn; owned, as an exchange, by the code that opened it; frees
 * itself after its end. The request and the response each have a state (see the .c file). The
 * exchange leaves its connection when its stream ends; response bytes that its owner has not
 * read by then, at most a stream's window, stay here until the owner reads them. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "net/loop.h"
#include "net/stream.h"
#include "protocol/conn.h"

struct h2_exchange;

/* How many bytes an owner may leave unread (RFC 9113 5.2): at first, and once it
 * has read that many without pausing. */
#define H2_STREAM_WINDOW (256 * 1024)
#define H2_WIDE_WINDOW (1024 * 1024)

/* What its connection is told. */
struct h2_exchange_events {
    /* nghttp2 has something to send. */
    void (*on_output)(struct conn *);
    /* The exchange gives itself up, because of its owner or of its response: the stream is
     * to be reset. */
    void (*on_reset)(struct conn *, struct h2_exchange *, uint32_t code);
    /* A 421 came: the connection does not lead to this authority (RFC 9110 15.5.20). */
    void (*on_misdirected)(struct conn *);
    /* The request was sent, at least in part, and its owner no longer waits for the response.
     * `since`: when the exchange was opened (loop time, ms). `late`: a deadline expired;
     * otherwise the owner cancelled. */
    void (*on_unanswered)(struct conn *, uint64_t since, bool late);
};

/* Submits the request to a session that accepts one. The caller sets `events` and `owner` of
 * h2_exchange_base(), and puts h2_exchange_link() on its list. `secure`: for :scheme. */
struct h2_exchange *h2_exchange_new(struct loop *, const struct h2_exchange_events *, struct conn *,
                                    nghttp2_session *, struct stream *, bool secure,
                                    const struct conn_request *);
struct exchange *h2_exchange_base(struct h2_exchange *);
int32_t h2_exchange_id(const struct h2_exchange *); /* of its stream */

/* Its place on the connection's list of open exchanges. h2_exchange_of(NULL) is NULL. */
struct link *h2_exchange_link(struct h2_exchange *);
struct h2_exchange *h2_exchange_of(struct link *);

/* Its place on the list of exchanges whose last frame nghttp2 is handing out, until
 * h2_exchange_sent_all(). h2_exchange_of_ending(NULL) is NULL. */
struct link *h2_exchange_ending(struct h2_exchange *);
struct h2_exchange *h2_exchange_of_ending(struct link *);

/* The exchange of a stream; NULL: it has left the connection. */
struct h2_exchange *h2_exchange_find(nghttp2_session *, int32_t id);

/* A frame of the request begins where the stream will have written `begins` bytes (see stream_written()),
 * and the last one ends where it will have written `ended`, which it does before anything else happens. */
void h2_exchange_sends(struct h2_exchange *, uint64_t begins);
void h2_exchange_sent_all(struct h2_exchange *, uint64_t ended);

/* A header section, be it an interim response, a response or trailers (RFC 9113 8.1): its
 * beginning, one field, its end. Each may make the exchange give itself up, and so leave
 * its connection. `is_last`: the stream ends with it. */
void h2_exchange_head_begins(struct h2_exchange *);
void h2_exchange_field(struct h2_exchange *, struct span name, struct span value);
void h2_exchange_head(struct h2_exchange *, bool is_last);

/* The header section under way exceeds the limit: the exchange gives itself up. */
void h2_exchange_too_large(struct h2_exchange *);

/* A piece of the response's body; borrowed until return. */
void h2_exchange_data(struct h2_exchange *, const char *data, size_t len);

/* Whether anything of its response has come. */
bool h2_exchange_began(const struct h2_exchange *);

/* Takes it off its connection and lists, and returns how much of the request was sent, which
 * is final from here on: on a connection that continues (what waits in its queue will be
 * sent), or on one that is closed at once together with its queue. To be followed by
 * h2_exchange_end() or h2_exchange_fail(), unless its owner has cancelled. */
enum sent h2_exchange_detach(struct h2_exchange *);
enum sent h2_exchange_detach_lost(struct h2_exchange *);

/* The response is complete, or never will be. Its owner is told later, from the loop. */
void h2_exchange_end(struct h2_exchange *);
void h2_exchange_fail(struct h2_exchange *, const struct verdict *);
