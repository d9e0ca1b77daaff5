/* Heads and chunks of HTTP/1.1 on their way out (RFC 9112 2-7). Text only;
 * who writes it where is the caller's business. */
#pragma once

#include "base/text.h"
#include "http/message.h"

/* "METHOD target HTTP/1.1", Host, the fields, framing, and the empty line. */
void h1_write_request(struct text *, struct span method, struct span target, struct span host,
                      const struct fields *, enum framing, uint64_t length);

/* What a response says of its connection, and of the request that it answers. */
struct h1_connection {
    struct span option;               /* Connection's value, or empty for none */
    uint64_t idle_limit_s;            /* for how long it is kept without a request (Keep-Alive);
                              0: not told */
    const struct request_id *request; /* for Trunkline-Request; NULL or empty: not told */
};

/* Likewise a response. `framing` is that of this connection (FRAMING_CLOSE
 * writes neither length nor coding). An interim response says nothing of them. */
void h1_write_response(struct text *, const struct response *, enum framing, struct h1_connection);

/* "1f4\r\n" before and "\r\n" after a piece; the last chunk with its trailers. */
void h1_write_chunk_start(struct text *, size_t len);
void h1_write_chunk_end(struct text *);
void h1_write_last_chunk(struct text *, const struct fields *trailers);
