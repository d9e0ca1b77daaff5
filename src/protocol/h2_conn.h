/* A connection that speaks HTTP/2 (RFC 9113), by nghttp2: many exchanges at once, each
 * with a flow-control window of its own. Owned by the pool's line; owns its stream, and reads
 * it for as long as it lives. It is open, leaving (after a GOAWAY or a 421 it takes no
 * more exchanges, and is gone once the last has ended), gone, or closed; and the origin was
 * heard, has been asked by a PING, or is doubted. */
#pragma once

#include "net/loop.h"
#include "net/stream.h"
#include "protocol/conn.h"

/* If nothing was received for this long, idle or busy, a PING is sent (ms). If nothing has
 * come H2_DOUBT_MS after it, the connection has no capacity until something does; after
 * H2_PONG_MS it is given up. */
#define H2_IDLE_PING_MS 10000
#define H2_BUSY_PING_MS 15000
#define H2_DOUBT_MS 500
#define H2_PONG_MS 2000

/* If the owner of an exchange cancels it after the connection has received nothing for this
 * long (ms), the connection is doubted; if a deadline of the proxy expired, at once
 * (contract 11). */
#define H2_SILENCE_MS 500

/* Takes the stream over. `secure`: it is TLS, for :scheme. `header_limit`: the
 * SETTINGS_MAX_HEADER_LIST_SIZE that the origin is told (RFC 9113 6.5.2). */
struct conn *h2_conn_new(struct loop *, struct stream *, bool secure, size_t header_limit);
