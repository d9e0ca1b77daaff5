/* Fields that concern one connection only and go no further (RFC 9110 7.6.1): Connection
 * and what it lists, Proxy-* but Proxy-Status (RFC 9209 2), Keep-Alive, TE,
 * Transfer-Encoding, Upgrade, HTTP2-Settings, Content-Length (framing is told anew).
 * A plain value, made by one pass over a head or trailers and borrowing from them, so
 * that asking of each field stays cheap whatever Connection holds. */
#pragma once

#include "http/message.h"

/* The options of Connection, empty elements counted: more are an error of the message. */
#define CONNECTION_OPTIONS_MAX 100

struct hop_by_hop {
    struct span options[CONNECTION_OPTIONS_MAX];
    uint32_t hashes[CONNECTION_OPTIONS_MAX]; /* of each, so that few are compared */
    size_t count;
    uint8_t places[256]; /* by hash: one more than an option's index; 0: free */
    bool too_many;       /* options: then every field is held to be listed */
};

/* Reads the Connection fields of `all`. */
void hop_by_hop_read(struct hop_by_hop *, const struct fields *all);

/* Does this field of the same message end here? */
bool hop_by_hop_is(const struct hop_by_hop *, const struct field *);
