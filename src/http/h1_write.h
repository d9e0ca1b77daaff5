/* Writes heads and chunks of HTTP/1.1 (RFC 9112 2-7) as text; the caller sends it.
 * Pure functions. */
#pragma once

#include "base/text.h"
#include "http/message.h"

/* Appends "METHOD target HTTP/1.1", Host, the fields, the framing field and the empty
 * line. */
void h1_write_request(struct text *, struct span method, struct span target, struct span host,
                      const struct fields *, enum framing, uint64_t length);

/* What a response says of its connection, and of its request. */
struct h1_connection {
    struct span option;               /* the value of Connection; empty: no such field */
    uint64_t idle_limit_s;            /* the timeout of Keep-Alive; 0: no such field */
    const struct request_id *request; /* the value of Trunkline-Request; NULL or empty: none */
};

/* Likewise a response. `framing` is that of this connection; with FRAMING_CLOSE there is no
 * framing field. An interim response has neither framing nor connection fields. */
void h1_write_response(struct text *, const struct response *, enum framing, struct h1_connection);

/* Appends "1f4\r\n", which goes before a chunk's data (`len` > 0); "\r\n", which goes
 * behind it; or the last chunk with its trailers (RFC 9112 7.1). */
void h1_write_chunk_start(struct text *, size_t len);
void h1_write_chunk_end(struct text *);
void h1_write_last_chunk(struct text *, const struct fields *trailers);
