/* One request and its response on an HTTP/1.1 connection: writes the request's body, parses
 * the response. Created and fed by its h1_conn; owned, as an exchange, by the code that opened
 * it; frees itself after its end. The request and the response each have a state (see
 * the .c file). */
#pragma once

#include "net/loop.h"
#include "net/stream.h"
#include "protocol/conn.h"

struct h1_exchange;

/* What it needs of its connection, and tells it. */
struct h1_exchange_events {
    void (*gather)(struct conn *, struct span);                 /* to be sent with what follows */
    bool (*write)(struct conn *, const char *data, size_t len); /* false: full until a drain */
    void (*flush)(struct conn *);                               /* sends what was gathered */
    void (*on_complete)(struct conn *);                         /* the response is */
    void (*on_cancelled)(struct conn *); /* by its owner, before that: it is to be detached */
};

enum h1_feed {
    H1_FEED_OK,
    H1_FEED_STRAY,   /* bytes came behind the complete response */
    H1_FEED_BAD,     /* the response is not acceptable */
    H1_FEED_SWITCHED /* a 101 came, as asked for: h1_exchange_switch() is due */
};

/* The caller sets `events` and `owner` of h1_exchange_base(), and writes the head. */
struct h1_exchange *h1_exchange_new(struct loop *, struct stream *,
                                    const struct h1_exchange_events *, struct conn *,
                                    const struct conn_request *);
struct exchange *h1_exchange_base(struct h1_exchange *);

/* Parses bytes of the response, and calls its owner's events. `why` and `detail` are set if it
 * returns H1_FEED_BAD; `detail` lives as long as the exchange. */
enum h1_feed h1_exchange_feed(struct h1_exchange *, const char *data, size_t len, enum failure *why,
                              const char **detail) MUST_CHECK;

/* Hands up the 101: the owner takes the stream over (conn_surrender()), or cancels. */
void h1_exchange_switch(struct h1_exchange *);

/* Ends the exchange, whose owner has taken the stream over; returns the bytes that
 * came behind the 101, borrowed from the bytes last fed. */
struct span h1_exchange_surrender(struct h1_exchange *);

/* The stream ended: true if the response is complete, or is so by that; otherwise `why` and
 * `detail` (static) say what failed. `orderly`: by FIN, on TLS by close_notify. */
bool h1_exchange_eof(struct h1_exchange *, bool orderly, bool reset, enum failure *why,
                     const char **detail) MUST_CHECK;

/* The stream takes more of the request's body. */
void h1_exchange_drained(struct h1_exchange *);

/* How long the connection may be idle afterwards, as the origin said (see keep_alive.h; ms);
 * 0: it did not. Of a complete response. */
uint64_t h1_exchange_rest_ms(const struct h1_exchange *);

/* Whether the connection may be used again: the request was sent whole, and the response
 * permits it (RFC 9112 9.3). Of a complete response, on its connection. */
bool h1_exchange_keeps_alive(const struct h1_exchange *);

/* Whether its owner has cancelled it, or was told of its end. */
bool h1_exchange_is_over(const struct h1_exchange *);

/* Takes it off its connection, and returns how much of the request was sent, which is final from
 * here on. To be followed by h1_exchange_end() or h1_exchange_fail(), which tell its owner,
 * unless that has cancelled. */
enum sent h1_exchange_detach(struct h1_exchange *);
void h1_exchange_end(struct h1_exchange *);
void h1_exchange_fail(struct h1_exchange *, enum failure, enum sent, const char *detail);
