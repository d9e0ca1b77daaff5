/* One request and its response on an HTTP/1.1 line: writes the request's body,
 * parses the response. Made and fed by its h1_conn, owned (as an exchange) by
 * who asked; frees itself after its end. The request is sending or sent; the
 * response is awaited, in its body, or complete. */
#pragma once

#include "net/loop.h"
#include "net/stream.h"
#include "protocol/conn.h"

struct h1_exchange;

/* What it asks of its line. */
struct h1_exchange_events {
    void (*gather)(void *line, struct span); /* goes out with what follows */
    bool (*write)(void *line, const char *data, size_t len);
    bool (*flush)(void *line);
    void (*complete)(void *line);                 /* the response is */
    void (*cancelled)(void *line, bool complete); /* by the asker */
};

enum h1_feed {
    H1_FEED_OK,
    H1_FEED_STRAY,     /* bytes came behind the complete response */
    H1_FEED_TOO_LARGE, /* its head is */
    H1_FEED_BAD,       /* not HTTP, or not unambiguous */
    H1_FEED_SWITCHED   /* a 101 as asked for: to be told */
};

struct h1_exchange *h1_exchange_new(struct loop *, struct stream *,
                                    const struct h1_exchange_events *, void *line,
                                    const struct conn_request *);
struct exchange *h1_exchange_base(struct h1_exchange *);

/* Bytes of the response; emits events. `detail`: words for BAD and TOO_LARGE. */
enum h1_feed h1_exchange_feed(struct h1_exchange *, const char *data, size_t len,
                              const char **detail);

/* Tells of the 101: the asker takes the stream, or cancels. Taken, the exchange is over;
 * what had come behind the 101 is borrowed as h1_exchange_feed()'s bytes are. */
void h1_exchange_switch(struct h1_exchange *);
struct span h1_exchange_leave(struct h1_exchange *);

/* The stream ended. True if that completes the response, or it was complete;
 * else why it failed. `orderly`: with FIN, on TLS with close_notify. */
bool h1_exchange_eof(struct h1_exchange *, bool orderly, bool reset, enum failure *why,
                     const char **detail);

void h1_exchange_drained(struct h1_exchange *); /* the stream takes more */

/* How long the line may rest after it, by the answer (keep_alive.h); 0: no word. */
uint64_t h1_exchange_rest_ms(const struct h1_exchange *);

/* May the line be used again after it? It was sent whole, and the answer agrees. */
bool h1_exchange_keeps_alive(const struct h1_exchange *);

/* Has its asker cancelled it, or heard of its end? */
bool h1_exchange_is_over(const struct h1_exchange *);

/* Takes it off its line: what was sent is settled now, and returned. Then end
 * or fail tells the asker, unless it has cancelled. */
enum sent h1_exchange_detach(struct h1_exchange *);
void h1_exchange_end(struct h1_exchange *);
void h1_exchange_fail(struct h1_exchange *, enum failure, enum sent, const char *detail);
