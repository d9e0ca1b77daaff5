/* A line that speaks HTTP/2 (RFC 9113) over nghttp2: many exchanges at once, each
 * with a window of its own. Owns its stream, which it reads from birth to end; a
 * PING proves it while it is idle, or its exchanges wait for long. See conn.h for
 * its states; after a GOAWAY it takes nothing more and is gone with its last
 * exchange. */
#pragma once

#include "net/loop.h"
#include "net/stream.h"
#include "protocol/conn.h"

/* A line is asked for proof when nothing came for so long; it is lent to nobody
 * while that is late, and given up if it does not come (ms). */
#define H2_IDLE_PING_MS 10000
#define H2_BUSY_PING_MS 15000
#define H2_DOUBT_MS 500
#define H2_PONG_MS 2000

/* An asker who leaves after so long (ms) without a byte of anything on the line puts it in
 * doubt, as a deadline of ours does at once (SPEC 11). */
#define H2_SILENCE_MS 500

/* Takes the stream over. `secure`: over TLS, for :scheme. The origin is told that no
 * head of an answer may have more than `header_limit` bytes (RFC 9113 6.5.2). */
struct conn *h2_conn_new(struct loop *, struct stream *, bool secure, size_t header_limit);
